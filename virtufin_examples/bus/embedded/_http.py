"""The runtime's HTTP API: routes, the token, and errors in daprd's JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from virtufin_examples.bus.embedded._callers import Callers
from virtufin_examples.bus.embedded._http_platform import PlatformRoutes
from virtufin_examples.bus.embedded._http_pubsub import PubsubRoutes
from virtufin_examples.bus.embedded._http_state import StateRoutes
from virtufin_examples.bus.embedded._statuses import (
    ERROR_DOMAIN,
    HttpRefusedError,
    RefusedError,
    UnauthenticatedError,
    http_status,
)
from virtufin_examples.errors import VirtufinError

_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"

_log = structlog.get_logger(__name__)

Handler = Callable[[Request, str], Awaitable[Response]]


def http_api(
    callers: Callers, platform: PlatformRoutes, pubsub: PubsubRoutes, state: StateRoutes
) -> Starlette:
    """Return the application. Health needs no token."""
    write = ["POST", "PUT"]
    routes = [
        Route("/v1.0/healthz", platform.healthz, methods=["GET"]),
        Route("/v1.0/healthz/outbound", platform.outbound, methods=["GET"]),
    ]
    handlers: list[tuple[str, list[str], Handler]] = [
        ("/v1.0/metadata", ["GET"], platform.get_metadata),
        ("/v1.0/metadata/{key}", ["PUT"], platform.set_metadata),
        ("/v1.0/publish/bulk/{pubsub}/{topic:path}", write, pubsub.bulk_publish),
        ("/v1.0-alpha1/publish/bulk/{pubsub}/{topic:path}", write, pubsub.bulk_publish),
        ("/v1.0/publish/{pubsub}/{topic:path}", write, pubsub.publish),
        ("/v1.0/state/{store}/bulk", write, state.get_bulk),
        ("/v1.0/state/{store}/transaction", write, state.transact),
        ("/v1.0/state/{store}", write, state.save),
        ("/v1.0/state/{store}/{key}", ["GET"], state.get),
        ("/v1.0/state/{store}/{key}", ["DELETE"], state.delete),
    ]
    routes += [
        Route(path, _guarded(handler, callers), methods=methods) for path, methods, handler in handlers
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _unknown})


def _guarded(handler: Handler, callers: Callers) -> Callable[[Request], Awaitable[Response]]:
    async def call(request: Request) -> Response:
        try:
            return await handler(request, callers.identify(request.headers.items()))
        except UnauthenticatedError as error:
            return PlainTextResponse(f"invalid api token: {error}\n", HTTPStatus.UNAUTHORIZED)
        except VirtufinError as error:
            return _refusal(error)
        except Exception as error:  # noqa: BLE001 - the border of the runtime
            _log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
            name = type(error).__name__
            return _json("ERR_INTERNAL", f"internal error ({name})", HTTPStatus.INTERNAL_SERVER_ERROR)

    return call


def _refusal(error: VirtufinError) -> Response:
    status, error_code = http_status(error)
    details = []
    if isinstance(error, RefusedError | HttpRefusedError) and error.reason:
        details.append({"@type": _ERROR_INFO, "domain": ERROR_DOMAIN, "metadata": {}, "reason": error.reason})
    return _json(error_code, str(error), status, details)


async def _unknown(request: Request, error: Exception) -> Response:
    """Answer what no route takes; daprd takes it for a call of another service, and finds none."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as it is registered
    return _json(
        "ERR_DIRECT_INVOKE",
        f"the embedded runtime has no {request.method} {request.url.path}",
        HTTPStatus.NOT_FOUND,
    )


def _json(error_code: str, message: str, status: int, details: Sequence[object] = ()) -> Response:
    body: dict[str, Any] = {"errorCode": error_code, "message": message}
    if details:
        body["details"] = details
    return Response(msgspec.json.encode(body), status, media_type="application/json")
