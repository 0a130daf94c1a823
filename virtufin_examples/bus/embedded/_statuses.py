"""daprd's answers for which the project has no error of its own."""

from __future__ import annotations

from http import HTTPStatus

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


class HttpRefusedError(InvalidInputError):
    """What only the HTTP API refuses, with daprd's `errorCode` and status."""

    reason = ""

    def __init__(
        self, message: str, *, error_code: str, status: int = HTTPStatus.BAD_REQUEST, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.error_code = error_code
        self.status = status


_HTTP_REASONS = {
    "DAPR_PUBSUB_NOT_FOUND": (HTTPStatus.NOT_FOUND, "ERR_PUBSUB_NOT_FOUND"),
    "DAPR_PUBSUB_NAME_EMPTY": (HTTPStatus.NOT_FOUND, "ERR_PUBSUB_EMPTY"),
    "DAPR_PUBSUB_TOPIC_NAME_EMPTY": (HTTPStatus.NOT_FOUND, "ERR_TOPIC_NAME_EMPTY"),
    "DAPR_PUBSUB_METADATA_DESERIALIZATION": (HTTPStatus.BAD_REQUEST, "ERR_PUBSUB_REQUEST_METADATA"),
    "DAPR_PUBSUB_CLOUD_EVENT_CREATION": (HTTPStatus.INTERNAL_SERVER_ERROR, "ERR_PUBSUB_CLOUD_EVENTS_SER"),
    "DAPR_PUBSUB_MARSHAL_ENVELOPE": (HTTPStatus.BAD_REQUEST, "ERR_PUBSUB_EVENTS_SER"),
    "DAPR_PUBSUB_MARSHAL_EVENTS": (HTTPStatus.BAD_REQUEST, "ERR_PUBSUB_EVENTS_SER"),
    "DAPR_PUBSUB_UNMARSHAL_EVENTS": (HTTPStatus.BAD_REQUEST, "ERR_PUBSUB_EVENTS_SER"),
    "DAPR_STATE_NOT_FOUND": (HTTPStatus.BAD_REQUEST, "ERR_STATE_STORE_NOT_FOUND"),
    "DAPR_STATE_ILLEGAL_KEY": (HTTPStatus.BAD_REQUEST, "ERR_MALFORMED_REQUEST"),
}
_HTTP_CODES = {
    "INVALID_ARGUMENT": (HTTPStatus.BAD_REQUEST, "ERR_MALFORMED_REQUEST"),
    "RESOURCE_EXHAUSTED": (HTTPStatus.TOO_MANY_REQUESTS, "ERR_PUBSUB_PUBLISH_MESSAGE"),
}


def http_status(error: VirtufinError) -> tuple[int, str]:
    """Return the HTTP status and the `errorCode` of an error."""
    if isinstance(error, HttpRefusedError):
        return error.status, error.error_code
    if isinstance(error, RefusedError):
        return _HTTP_REASONS[error.reason]
    return _HTTP_CODES.get(error.code, (HTTPStatus.INTERNAL_SERVER_ERROR, "ERR_INTERNAL"))


def status_details(error: VirtufinError, code: int) -> bytes | None:
    """Return the `google.rpc.Status` that goes with an error, None when there is nothing to add."""
    if not isinstance(error, RefusedError):
        return None
    status = status_pb2.Status(code=code, message=str(error))
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN))
    return bytes(status.SerializeToString())
