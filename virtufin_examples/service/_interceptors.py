"""gRPC server interceptors: errors become statuses, calls without an accepted key are refused."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import grpc.aio
import structlog

from virtufin_examples.errors import VirtufinError
from virtufin_examples.service._keys import KEY_HEADER, key_is_accepted

_log = structlog.get_logger(__name__)
_HEALTH = "/grpc.health.v1.Health/"

if TYPE_CHECKING:  # generic in grpc's stubs only
    Handler = grpc.RpcMethodHandler[Any, Any]
    Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Turns a raised `VirtufinError` into its gRPC status, anything else into INTERNAL without details."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Wrap the handler's behaviour."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        method = str(handler_call_details.method)
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                _guard_unary(handler.unary_unary, method),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(
                _guard_stream(handler.unary_stream, method),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return handler


def _guard_unary(call: Any, method: str) -> Any:  # noqa: ANN401 - grpc's handlers are untyped
    async def guarded(request: object, context: grpc.aio.ServicerContext[Any, Any]) -> object:
        try:
            return await call(request, context)
        except Exception as error:  # noqa: BLE001 - the border of the service
            await _abort(context, error, method)

    return guarded


def _guard_stream(call: Any, method: str) -> Any:  # noqa: ANN401 - grpc's handlers are untyped
    if not inspect.isasyncgenfunction(call):
        return _guard_unary(call, method)  # a coroutine that writes to its context, as health's Watch does

    async def guarded(request: object, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[object]:
        try:
            async with contextlib.aclosing(call(request, context)) as items:
                async for item in items:
                    yield item
        except Exception as error:  # noqa: BLE001 - the border of the service
            await _abort(context, error, method)

    return guarded


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: Exception, method: str) -> NoReturn:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, VirtufinError):
        await context.abort(grpc.StatusCode[error.code], str(error))
    _log.error("call failed", method=method, error=repr(error), exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, f"internal error in {method} ({type(error).__name__})")


class KeyInterceptor(grpc.aio.ServerInterceptor):
    """Refuses calls without an accepted `x-api-key`, save for health."""

    def __init__(self, accepted: Sequence[str]) -> None:
        self._accepted = accepted

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Answer UNAUTHENTICATED in place of the handler when the key is not accepted."""
        if not self._accepted or str(handler_call_details.method).startswith(_HEALTH):
            return await continuation(handler_call_details)
        given = dict(handler_call_details.invocation_metadata or ()).get(KEY_HEADER, "")
        if key_is_accepted(str(given), self._accepted):
            return await continuation(handler_call_details)
        return grpc.unary_unary_rpc_method_handler(_refuse)


async def _refuse(_request: object, context: grpc.aio.ServicerContext[Any, Any]) -> NoReturn:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED,
        "missing or unknown x-api-key (set VIRTUFIN_API_KEY to one of the gateway's keys)",
    )
