"""The gRPC methods of the Dapr service that the runtime has; every other one is UNIMPLEMENTED.

The handlers are built by hand rather than by the generated servicer: deliveries are written as the bytes
that they already are, and each call is told its app id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio
import structlog
from dapr.proto.runtime.v1 import lock_pb2, metadata_pb2, pubsub_pb2, secret_pb2, state_pb2
from google.protobuf.message import Message

from virtufin_examples.bus import _joined as joined
from virtufin_examples.bus.embedded._callers import Callers
from virtufin_examples.bus.embedded._platform import PlatformService
from virtufin_examples.bus.embedded._pubsub import PubsubService
from virtufin_examples.bus.embedded._state import StateService
from virtufin_examples.bus.embedded._statuses import status_details
from virtufin_examples.bus.embedded._stream import Context
from virtufin_examples.errors import VirtufinError

SERVICE_NAME = "dapr.proto.runtime.v1.Dapr"
STATUS_DETAILS_METADATA = "grpc-status-details-bin"

UnaryMethod = Callable[[Any, str], Awaitable[Message]]

_log = structlog.get_logger(__name__)


def method_handlers(
    callers: Callers, pubsub: PubsubService, state: StateService, platform: PlatformService
) -> grpc.GenericRpcHandler:
    """Return the handlers of the Dapr service."""
    unary: dict[str, tuple[UnaryMethod, type[Message]]] = {
        "PublishEvent": (pubsub.publish, pubsub_pb2.PublishEventRequest),
        "BulkPublishEvent": (pubsub.bulk_publish, pubsub_pb2.BulkPublishRequest),
        "BulkPublishEventAlpha1": (pubsub.bulk_publish, pubsub_pb2.BulkPublishRequest),
        "GetState": (state.get, state_pb2.GetStateRequest),
        "GetBulkState": (state.get_bulk, state_pb2.GetBulkStateRequest),
        "SaveState": (state.save, state_pb2.SaveStateRequest),
        "DeleteState": (state.delete, state_pb2.DeleteStateRequest),
        "DeleteBulkState": (state.delete_bulk, state_pb2.DeleteBulkStateRequest),
        "ExecuteStateTransaction": (state.transact, state_pb2.ExecuteStateTransactionRequest),
        "TryLockAlpha1": (state.try_lock, lock_pb2.TryLockRequest),
        "UnlockAlpha1": (state.unlock, lock_pb2.UnlockRequest),
        "GetSecret": (platform.get_secret, secret_pb2.GetSecretRequest),
        "GetBulkSecret": (platform.get_bulk_secret, secret_pb2.GetBulkSecretRequest),
        "GetMetadata": (platform.get_metadata, metadata_pb2.GetMetadataRequest),
        "SetMetadata": (platform.set_metadata, metadata_pb2.SetMetadataRequest),
    }
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        name: grpc.unary_unary_rpc_method_handler(
            _unary(method, callers, name),
            request_deserializer=request.FromString,
            response_serializer=_serialize,
        )
        for name, (method, request) in unary.items()
    }
    handlers[joined.SUBSCRIBE_METHOD] = grpc.stream_stream_rpc_method_handler(
        _subscribe(pubsub, callers),
        request_deserializer=joined.split,
        response_serializer=None,
    )
    return grpc.method_handlers_generic_handler(SERVICE_NAME, handlers)


def _unary(method: UnaryMethod, callers: Callers, name: str) -> Callable[[Any, Context], Awaitable[Message]]:
    async def call(request: object, context: Context) -> Message:
        try:
            return await method(request, callers.identify(context.invocation_metadata() or ()))
        except Exception as error:  # noqa: BLE001 - the border of the runtime
            await _abort(context, name, error)

    return call


def _subscribe(pubsub: PubsubService, callers: Callers) -> Callable[[Any, Context], Awaitable[None]]:
    async def call(_requests: object, context: Context) -> None:
        try:
            await pubsub.subscribe(context, callers.identify(context.invocation_metadata() or ()))
        except Exception as error:  # noqa: BLE001 - the border of the runtime
            await _abort(context, joined.SUBSCRIBE_METHOD, error)

    return call


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


async def _abort(context: Context, name: str, error: Exception) -> NoReturn:
    if isinstance(error, VirtufinError):
        code = grpc.StatusCode[error.code]
        details = status_details(error, code.value[0])
        trailing = () if details is None else ((STATUS_DETAILS_METADATA, details),)
        await context.abort(code, str(error), trailing)
    _log.error("call failed", method=name, error=repr(error), exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, f"internal error in {name} ({type(error).__name__})")
