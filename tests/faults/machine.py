"""A feed of real processes with proxies in between, and the account of what passed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import grpc.aio

from tests.faults.plan import LOSING, Fault
from tests.faults.proxy import FaultProxy, Tap
from tests.faults.tap import VenueTap
from tests.programs import Program
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.audit import Auditor, VenueAccount
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.client import Frame, Gap, Subscription, subscribe
from virtufin_examples.frames import Item

CLI = ("-m", "virtufin_examples.cli")
SLACK_NS = 500_000_000
"""Between a write of the proxy and the receive time of the WebSocketManager on a busy machine."""


@dataclass(frozen=True)
class Venue:
    """How a feed of a simulator is opened, and which of its messages are answers."""

    name: str
    address: str
    path: str
    handshake: tuple[str, ...]
    control: tuple[bytes, ...]

    @classmethod
    def alpaca(cls, url: str, key: str, secret: str) -> Self:
        messages = (
            {"action": "auth", "key": key, "secret": secret},
            {"action": "subscribe", "orderbooks": ["BTC/USD", "ETH/USD"]},
        )
        control = (b'[{"T":"success"', b'[{"T":"subscription"', b'[{"T":"error"')
        return cls("alpaca", _address(url), "/v1beta3/crypto/us", tuple(map(json.dumps, messages)), control)

    @classmethod
    def binance(cls, url: str) -> Self:
        streams = ["btcusdt@trade", "btcusdt@depth@100ms", "ethusdt@trade"]
        message = {"method": "SUBSCRIBE", "params": streams, "id": 1}
        return cls("binance", _address(url), "/stream", (json.dumps(message),), (b'{"result"', b'{"error"'))

    def is_control(self, payload: bytes) -> bool:
        return payload.startswith(self.control)


def _address(url: str) -> str:
    return url.removeprefix("ws://").partition("/")[0]


@dataclass
class Machine:
    """The processes that a module shares."""

    run: Callable[..., Program]
    folder: Path
    dapr: str
    venues: dict[str, Venue]

    async def start_manager(self, dapr: str, **environment: str) -> tuple[Program, str]:
        """Start a WebSocketManager; return it and its gRPC address."""
        ports = ("--grpc-port", "0", "--http-port", "0")
        program = self.run(*CLI, "websocketmanager", "--ephemeral", "--dapr", dapr, *ports, **environment)
        line = await asyncio.to_thread(program.until, lambda line: "grpc" in line)
        return program, line["grpc"]


@dataclass
class Run:
    """One feed from a venue behind a proxy, over a bus behind another, to a subscriber."""

    venue: Venue
    topic: str
    account: VenueAccount = field(default_factory=VenueAccount)
    auditor: Auditor = field(default_factory=lambda: Auditor(slack_ns=SLACK_NS))
    items: list[Item] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _outages: list[tuple[Fault, int, int]] = field(default_factory=list)

    def new_tap(self) -> Tap:
        """Note that the feed has a socket again."""
        now_ns = time.time_ns()
        for fault, from_ns, to_ns in self._outages:
            self.account.outage(fault.kind, from_ns, max(to_ns, now_ns))
        self._outages.clear()
        return VenueTap(self.account, lane=self.venue.name, is_control=self.venue.is_control)

    def struck(self, fault: Fault, from_ns: int, to_ns: int) -> None:
        """Note a fault between venue and WebSocketManager.

        One that costs the socket counts until the next try: the pause of the back-off is chosen, and bounded
        by tests of its own.
        """
        self.kinds.append(fault.kind)
        if fault.kind in LOSING:
            self._outages.append((fault, from_ns, to_ns))

    def struck_bus(self, fault: Fault, from_ns: int, to_ns: int) -> None:
        """Note a fault between WebSocketManager and bus: it excuses no gap."""
        self.kinds.append(f"bus {fault.kind}")

    async def read(self, subscription: Subscription) -> None:
        """Take what the subscriber gets."""
        async for item in subscription:
            self.items.append(item)
            self.auditor.received(item)
            self.arrived.set()

    async def until(self, look: Callable[[], bool], seconds: float = 15) -> None:
        """Wait for items until it is so."""
        async with asyncio.timeout(seconds):
            while not look():
                self.arrived.clear()
                await self.arrived.wait()

    async def until_received_after(self, now_ns: int) -> None:
        """Wait for a frame that came to the WebSocketManager after a time."""
        await self.until(lambda: any(is_frame_after(item, now_ns) for item in self.items[-50:]))

    @property
    def gaps(self) -> list[Gap]:
        return [item for item in self.items if isinstance(item, Gap)]


def is_frame_after(item: Item, now_ns: int) -> bool:
    return isinstance(item, Frame) and item.received_ns > now_ns


@asynccontextmanager
async def opened(address: str, url: str, venue: Venue, topic: str, encoding: str) -> AsyncIterator[str]:
    """Open a feed on a WebSocketManager; yield the connection's id."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = pb_grpc.WebSocketManagerStub(channel)
        answer = await stub.Connect(
            pb.ConnectRequest(url=url + venue.path, auto_reconnect=True, connector=venue.name)
        )
        for message in venue.handshake:
            await stub.SendRaw(
                pb.SendRawRequest(id=answer.id, message=message.encode(), content_type="application/json")
            )
        await stub.StartPublish(pb.StartPublishRequest(id=answer.id, topic=topic, encoding=encoding))
        yield answer.id
        with contextlib.suppress(grpc.aio.AioRpcError):  # a test may have killed it
            await stub.Disconnect(pb.DisconnectRequest(id=answer.id))


@asynccontextmanager
async def running(
    machine: Machine, venue_name: str, *, seed: int, topic: str, encoding: str, by_lane: bool
) -> AsyncIterator[tuple[Run, FaultProxy, list[FaultProxy]]]:
    """Run a feed; yield it and the proxies before its venue and its bus: one, and one for the lane."""
    run = Run(machine.venues[venue_name], topic)
    async with AsyncExitStack() as stack:
        venue = await stack.enter_async_context(FaultProxy(run.venue.address, seed=seed, new_tap=run.new_tap))
        bus = await stack.enter_async_context(FaultProxy(machine.dapr, seed=seed))
        buses = [bus]
        if by_lane:
            buses.append(await stack.enter_async_context(await lane_proxy(machine.dapr, bus, seed)))
        program, address = await machine.start_manager(bus.address)
        stack.callback(program.end)
        stack.callback(program.process.stdin.close)
        subscription = await stack.enter_async_context(subscribe(topic, dapr=machine.dapr))
        reading = asyncio.create_task(run.read(subscription))
        stack.push_async_callback(_cancelled, reading)
        await stack.enter_async_context(opened(address, f"ws://{venue.address}", run.venue, topic, encoding))
        yield run, venue, buses


async def lane_proxy(dapr: str, bus: FaultProxy, seed: int) -> FaultProxy:
    """Return a proxy before the runtime's lane, which the one before its gRPC names in its place."""
    client = DaprBus(target=dapr, app_id="a look")
    lane = (await client.sidecar()).lane
    await client.close()
    assert lane is not None
    proxy = FaultProxy(f"127.0.0.1:{lane.port}", seed=seed)
    await proxy.listen()
    said = f"{lane.port}/{lane.key}/{lane.grpc_port}"
    instead = f"{proxy.port}/{lane.key}/{bus.port}"
    assert len(said) == len(instead)
    bus.instead = (said.encode(), instead.encode())
    return proxy


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
