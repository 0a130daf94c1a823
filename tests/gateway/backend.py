"""A small real back end on the chassis: a WebSocketManager without sockets."""

from __future__ import annotations

import asyncio

import grpc

from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc
from virtufin_examples.errors import NotFoundError
from virtufin_examples.gateway import ServiceEntry
from virtufin_examples.service import Chassis, GrpcService

NAME = "virtufin.v1.WebSocketManager"


class FakeWebSocketManager(websocketmanager_pb2_grpc.WebSocketManagerServicer):
    def __init__(self) -> None:
        self.requests: list[object] = []
        self.metadata: list[dict[str, str]] = []
        self.fail: list[grpc.StatusCode] = []
        self.hang: asyncio.Event | None = None

    async def _seen(self, request, context) -> None:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        if self.hang is not None:
            await self.hang.wait()
        if self.fail:
            await context.abort(self.fail.pop(0), "as told")

    async def Connect(self, request, context):  # noqa: N802
        await self._seen(request, context)
        return pb.ConnectResponse(id="c-1", status="connected")

    async def List(self, request, context):  # noqa: N802
        await self._seen(request, context)
        return pb.ListConnectionsResponse(
            connections=[pb.WebSocketConnection(id="c-1", last_sequence=2**60, tags={"run": "r"})]
        )

    async def Disconnect(self, request, context):  # noqa: N802
        await self._seen(request, context)
        raise NotFoundError(f"no connection {request.id!r}", hint="List names them")

    async def SendRaw(self, request, context):  # noqa: N802
        await self._seen(request, context)
        return pb.SendRawResponse()

    async def SetTag(self, request, context):  # noqa: N802
        await self._seen(request, context)
        return pb.SetConnectionTagResponse()


class ServedBackend:
    """Serves one servicer on a port that it keeps through restarts."""

    def __init__(
        self,
        servicer: object,
        *,
        add=websocketmanager_pb2_grpc.add_WebSocketManagerServicer_to_server,
        full_name: str = NAME,
        name: str = "websocketmanager",
        api_keys=(),
    ) -> None:
        self.servicer = servicer
        self.name = name
        self.port = 0
        self._service = GrpcService(full_name, add, servicer)
        self._keys = api_keys
        self._chassis: Chassis | None = None

    @property
    def entry(self) -> ServiceEntry:
        return ServiceEntry(name=self.name, host="127.0.0.1", port=self.port)

    def serve_instead(self, full_name: str, add, servicer: object) -> None:
        self._service = GrpcService(full_name, add, servicer)

    async def start(self) -> None:
        self._chassis = Chassis(self.name, [self._service], grpc_port=self.port, api_keys=self._keys)
        addresses = await self._chassis.start()
        self.port = int(addresses.grpc.rpartition(":")[2])

    async def stop(self) -> None:
        if self._chassis is not None:
            await self._chassis.stop()
            self._chassis = None
