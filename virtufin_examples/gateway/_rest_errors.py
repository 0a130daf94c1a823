"""Errors over HTTP: the status that stands for a gRPC status, and a JSON body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from virtufin_examples.errors import VirtufinError

_log = structlog.get_logger(__name__)

HTTP_STATUS = {
    "OK": 200,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""google.rpc.Code names these; every other status is 500."""

Handler = Callable[[Request], Awaitable[Response]]


def error_response(status: str, message: str) -> Response:
    """Return `{"error": status, "message": message}`, as a missing key is answered too."""
    return JSONResponse({"error": status, "message": message}, status_code=HTTP_STATUS.get(status, 500))


def with_errors(handler: Handler) -> Handler:
    """Answer a `VirtufinError` by its status, anything else by 500 without details."""

    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except VirtufinError as error:
            return error_response(error.code, str(error))
        except Exception as error:  # noqa: BLE001 - the border of the service
            _log.exception("request failed", path=request.url.path)
            return error_response("INTERNAL", f"internal error ({type(error).__name__})")

    return guarded
