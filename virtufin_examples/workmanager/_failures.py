"""How a worker can fail an event."""

from __future__ import annotations

from virtufin_examples.errors import WorkerError


class HostDiedError(WorkerError):
    """The host ended before it answered. Worth a retry."""


class WorkerTimeoutError(WorkerError):
    """No answer within the time limit; the host was killed. Worth a retry."""


class WorkerRaisedError(WorkerError):
    """The worker's code raised: an answer, so there is no retry."""


class LoadFailedError(WorkerError):
    """The code cannot be run. Trying again would not help."""
