"""daprd's answers for which the project has no error of its own."""

from __future__ import annotations

from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # has no stubs

from virtufin_examples.errors import InvalidInputError, VirtufinError

ERROR_DOMAIN = "dapr.io"


class UnauthenticatedError(VirtufinError):
    """The API token is missing or wrong."""

    code = "UNAUTHENTICATED"


class UnimplementedError(VirtufinError):
    """The operation does not exist."""

    code = "UNIMPLEMENTED"


class StreamError(VirtufinError):
    """The client does not keep to the protocol of a subscription stream, for which daprd has no code."""

    code = "UNKNOWN"


class RefusedError(InvalidInputError):
    """Input refused for a reason that has a code of daprd's, which the SDK shows as `error_code()`."""

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


def status_details(error: VirtufinError, code: int) -> bytes | None:
    """Return the `google.rpc.Status` that goes with an error, None when there is nothing to add."""
    if not isinstance(error, RefusedError):
        return None
    status = status_pb2.Status(code=code, message=str(error))
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN))
    return bytes(status.SerializeToString())
