"""A WebSocketManager on an embedded runtime, with its gRPC stub and a subscriber's bus."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc.aio

from tests.connections.picows_peer import PicowsServer
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.bus import Ack
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.bus.embedded import EmbeddedRuntime
from virtufin_examples.settings import PlatformSettings
from virtufin_examples.websocketmanager import WebSocketManagerService


def settings(**values) -> PlatformSettings:
    return PlatformSettings(
        _env_file=None, websocketmanager_grpc_port=0, websocketmanager_http_port=0, **values
    )


@asynccontextmanager
async def running_runtime(secrets=None):
    runtime = EmbeddedRuntime(secrets=secrets or {})
    addresses = await runtime.start()
    try:
        yield addresses
    finally:
        await runtime.stop()


@asynccontextmanager
async def running_bus(target: str, app_id: str):
    bus = DaprBus(target=target, app_id=app_id)
    try:
        yield bus
    finally:
        await bus.close()


@asynccontextmanager
async def running_service(bus, **parts):
    service = WebSocketManagerService(parts.pop("settings", settings()), bus=bus, **parts)
    addresses = await service.start()
    channel = grpc.aio.insecure_channel(addresses.grpc)
    try:
        yield pb_grpc.WebSocketManagerStub(channel), addresses, service
    finally:
        await channel.close()
        await service.stop()


@asynccontextmanager
async def running_peer(response_headers=None):
    server = await PicowsServer(response_headers).start()
    try:
        yield server
    finally:
        await server.stop()


@dataclass
class Platform:
    stub: pb_grpc.WebSocketManagerStub
    http: str
    bus: DaprBus
    peer: PicowsServer
    service: WebSocketManagerService

    async def listen(self, topic: str) -> Listener:
        return Listener(await self.bus.subscribe(topic))


class Listener:
    """Collects a topic's events."""

    def __init__(self, subscription) -> None:
        self._subscription = subscription
        self._deliveries = aiter(subscription)

    async def next(self):
        delivery = await asyncio.wait_for(anext(self._deliveries), 10)
        await delivery.answer(Ack.SUCCESS)
        return delivery.event

    async def next_of(self, kind: str):
        while True:
            event = await self.next()
            if event.type.endswith(kind):
                return event


@asynccontextmanager
async def running_platform(*, secrets=None, response_headers=None, **parts):
    async with (
        running_runtime(secrets) as runtime,
        running_bus(runtime.grpc, "websocketmanager") as bus,
        running_bus(runtime.grpc, "reader") as reader,
        running_peer(response_headers) as peer,
        running_service(bus, **parts) as (stub, addresses, service),
    ):
        yield Platform(stub, addresses.http, reader, peer, service)
