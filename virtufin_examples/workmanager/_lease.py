"""Leases of workers. Pure: time is an argument, in seconds of a monotonic clock."""

from __future__ import annotations


class LeaseTable:
    """Until when each leased worker may live."""

    def __init__(self) -> None:
        self._seconds: dict[str, int] = {}
        self._ends: dict[str, float] = {}

    def grant(self, worker_id: str, seconds: int, now: float) -> None:
        """Begin a worker's lease."""
        self._seconds[worker_id] = seconds
        self._ends[worker_id] = now + seconds

    def renew(self, worker_id: str, now: float) -> int:
        """Put the end off by the whole lease and return it in seconds; 0 when the worker has none."""
        seconds = self._seconds.get(worker_id, 0)
        if seconds:
            self._ends[worker_id] = now + seconds
        return seconds

    def end(self, worker_id: str) -> None:
        """Forget a worker."""
        self._seconds.pop(worker_id, None)
        self._ends.pop(worker_id, None)

    def lapsed(self, now: float) -> list[str]:
        """Return the workers whose lease has ended."""
        return [worker_id for worker_id, end in self._ends.items() if end <= now]
