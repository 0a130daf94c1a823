"""The WorkManager's client of the API gateway, for its workers' calls and its own."""

from __future__ import annotations

import json

import grpc
import grpc.aio
import structlog

from virtufin_examples._generated.virtufin.v1 import gateway_pb2, gateway_pb2_grpc
from virtufin_examples.service import MAX_MESSAGE_BYTES
from virtufin_examples.workmanager._wire import GatewayCall, GatewayResult

WEBSOCKETMANAGER = "websocketmanager"
OWNED_TIMEOUT_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class GatewayClient:
    """Calls back ends through `Gateway.InvokeJson`. `key` is sent as `x-api-key` when it is not empty."""

    def __init__(self, endpoint: str, *, key: str, timeout_seconds: float) -> None:
        self._endpoint = endpoint
        self._metadata = (("x-api-key", key),) if key else ()
        self._timeout_seconds = timeout_seconds
        self._channel = grpc.aio.insecure_channel(
            endpoint,
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ],
        )
        self._stub = gateway_pb2_grpc.GatewayStub(self._channel)

    async def call(self, call: GatewayCall) -> GatewayResult:
        """Pass a worker's call on; a gateway that cannot be reached is an answer too."""
        return await self._invoke(call, self._timeout_seconds)

    async def disconnect_owned(self, worker_id: str) -> None:
        """Close the connections of a worker. One that cannot be closed is logged: the worker ends anyway."""
        await self._for_owner("DisconnectOwned", worker_id)

    async def renew_owned(self, worker_id: str) -> None:
        """Put off the end of the leased connections of a worker; a failure is logged."""
        await self._for_owner("RenewLease", worker_id)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def _for_owner(self, method: str, worker_id: str) -> None:
        request = json.dumps({"owner": worker_id})
        call = GatewayCall(id=0, service=WEBSOCKETMANAGER, method=method, request=request)
        result = await self._invoke(call, OWNED_TIMEOUT_SECONDS)
        if not result.success:
            _log.warning(
                "call for a worker's connections failed", worker_id=worker_id, method=method,
                status=result.status, message=result.message,
            )  # fmt: skip

    async def _invoke(self, call: GatewayCall, timeout_seconds: float) -> GatewayResult:
        request = gateway_pb2.InvokeJsonRequest(
            service=call.service, method=call.method, request_data=call.request
        )
        try:
            response = await self._stub.InvokeJson(request, timeout=timeout_seconds, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            message = f"gateway {self._endpoint}: {error.details()}"
            return GatewayResult(
                id=call.id, success=False, status=error.code().name, message=message, response=""
            )
        return GatewayResult(
            id=call.id,
            success=response.success,
            status=response.status,
            message=response.message,
            response=response.response_data,
        )
