"""The WorkManager: creates, runs and supervises workers, each in a host process of its own.

Names are imported when they are first used: a worker host imports this package too, and must start fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtufin_examples.workmanager._service import WorkManagerService

__all__ = ["WorkManagerService"]


def __getattr__(name: str) -> object:
    if name == "WorkManagerService":
        from virtufin_examples.workmanager._service import WorkManagerService  # noqa: PLC0415 - see above

        return WorkManagerService
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
