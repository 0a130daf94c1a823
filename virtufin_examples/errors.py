"""The errors of the project: each has a stable code, a message and a hint how to mend it.

The code is a gRPC status name, so that an error keeps its meaning across every boundary
(`docs/architecture.md`, "Errors").
"""

from __future__ import annotations

from typing import ClassVar


class VirtufinError(Exception):
    """Base of all errors that a user may see.

    `hint` says what to do about it; it is empty where there is nothing to add.
    """

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidInputError(VirtufinError):
    """Input refused at the border; the message names the field and the value seen."""

    code = "INVALID_ARGUMENT"


class NotFoundError(VirtufinError):
    """No worker, connection, topic, key or secret of that name."""

    code = "NOT_FOUND"


class AlreadyExistsError(VirtufinError):
    """The thing is there already."""

    code = "ALREADY_EXISTS"


class PreconditionError(VirtufinError):
    """The thing exists but is not in a state that allows this."""

    code = "FAILED_PRECONDITION"


class ConflictError(VirtufinError):
    """Somebody else changed the record first (a stale etag)."""

    code = "ABORTED"


class AccessDeniedError(VirtufinError):
    """A missing or wrong key, or a host that a secret or a download may not go to."""

    code = "PERMISSION_DENIED"


class UnavailableError(VirtufinError):
    """A service, the bus or a venue cannot be reached now."""

    code = "UNAVAILABLE"


class DeadlineError(VirtufinError):
    """No answer within the time limit."""

    code = "DEADLINE_EXCEEDED"


class ResourceLimitError(VirtufinError):
    """Too large or too many."""

    code = "RESOURCE_EXHAUSTED"


class WorkerError(VirtufinError):
    """A worker's code failed."""

    code = "INTERNAL"


class VenueError(VirtufinError):
    """The venue refused for good: wrong keys, no such feed."""

    code = "FAILED_PRECONDITION"


ERRORS_BY_CODE: dict[str, type[VirtufinError]] = {
    cls.code: cls
    for cls in (
        InvalidInputError,
        NotFoundError,
        AlreadyExistsError,
        PreconditionError,
        ConflictError,
        AccessDeniedError,
        UnavailableError,
        DeadlineError,
        ResourceLimitError,
    )
}


def error_from_status(code: str, message: str) -> VirtufinError:
    """Return the error that a gRPC status name stands for."""
    return ERRORS_BY_CODE.get(code, VirtufinError)(message)
