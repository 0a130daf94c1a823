"""A platform to do harm to: venue, WebSocketManager and subscribers as programs, each behind its daprd."""

from __future__ import annotations

import contextlib
import copy
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
import msgspec
from google.protobuf.message import Message

from deploy.processes import Process, accepts, running, until
from deploy.redis_server import redis_process, speaks_redis
from tests.dapr import brokers
from tests.dapr.account import Account, Entry, account
from tests.dapr.counting import Options, read_book
from tests.dapr.sidecars import Sidecar, started
from tests.dapr.targets import Platform, Target
from tests.programs import ROOT, Program, control, programs
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc

CLI = ("-m", "virtufin_examples.cli")
RATE = 50
FLOWING = 25
ENCODINGS = ("frame", "batch")
SOON = {'"40000"': '"2000"', '"5000"': '"500"'}
"""Settings of Redis' component: what has no answer comes again after 2 s, not after 40 s."""
_CALL_SECONDS = 10.0
_STEADY_SECONDS = 0.5
_NS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Broker:
    """A broker that keeps what it acknowledged; it may be ended and started again at the same address."""

    process: Process
    port: int
    ready: Callable[[], bool]

    def start(self) -> None:
        """Start it; returns when it takes calls."""
        self.process.start(self.ready)

    def stop(self, number: int) -> None:
        """End it by a signal."""
        self.process.end(number)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop its process for the block: its connections stay open and nothing answers."""
        with _standing_still(self.process.pid):
            yield


class Feed:
    """One connection of the venue on a topic of its own, with a sidecar and a subscriber that counts."""

    def __init__(self, scene: Scene, encoding: str, sidecar: Sidecar) -> None:
        self.topic = f"conformance.{encoding}-{uuid.uuid4().hex[:8]}"
        self.encoding = encoding
        self.sidecar = sidecar
        self.connection = ""
        self._scene = scene
        self._book = scene.folder / f"{self.topic}.book"
        self._subscriber: Program | None = None
        self._runs = 0

    # --- the subscriber ---

    def start_subscriber(self, mishap: str = "") -> None:
        """Start it; `await_subscriber` waits for it."""
        self._runs = self._count("start")
        options = Options(self.topic, self.sidecar.grpc, str(self._book), mishap)
        text = msgspec.json.encode(options).decode()
        self._subscriber = self._scene.run("-m", "tests.dapr.counting", text, PYTHONPATH=str(ROOT))

    def await_subscriber(self) -> None:
        """Return when it has subscribed."""
        until(lambda: self._count("start") > self._runs, f"the subscriber of {self.topic}")

    def kill_subscriber(self) -> None:
        """Kill it, if it runs."""
        if self._subscriber is not None:
            self._subscriber.end(signal.SIGKILL)

    @contextlib.contextmanager
    def subscriber_paused(self) -> Iterator[None]:
        """Stop its process for the block."""
        assert self._subscriber is not None
        with _standing_still(self._subscriber.process.pid):
            yield

    @property
    def said(self) -> str:
        """What the subscriber logged."""
        assert self._subscriber is not None
        return "".join(self._subscriber.stderr)

    def listed(self) -> pb.WebSocketConnection:
        """Return what the WebSocketManager says of its connection."""
        return self._scene.listed(self.connection)

    def sibling(self) -> Feed:
        """Return one for another connection of the topic, whose subscriber is this one's to end."""
        other = copy.copy(self)
        other.connection, other._subscriber = "", None
        return other

    # --- what it wrote down ---

    def entries(self) -> list[Entry]:
        """Return everything that it wrote down so far."""
        return read_book(self._book)

    @property
    def frames(self) -> int:
        """How many frames it wrote down so far."""
        return self._count("frame")

    def await_frames(self, more: int) -> None:
        """Return when it has written so many frames more."""
        wanted = self.frames + more
        until(lambda: self.frames >= wanted, f"{more} frames on {self.topic}")

    def first_frame_after(self, at_ns: int) -> float:
        """Return how many seconds after that moment the next frame was written; it must be there."""
        frames = (each.at_ns for each in self.entries() if each.kind == "frame" and each.at_ns > at_ns)
        return (next(frames) - at_ns) / _NS_PER_SECOND

    def settle(self, seconds: float = 30.0) -> Account:
        """Return the account when the subscriber has heard of the last number given; the venue is quiet."""
        found: list[tuple[int, float]] = []

        def is_settled() -> bool:
            last = self.listed().last_sequence
            now = time.monotonic()
            if not found or found[-1][0] != last:
                found[:] = [(last, now)]
            place = max((max(each.number, each.last) for each in self._own()), default=0)
            return place >= last and now - found[0][1] >= _STEADY_SECONDS

        until(is_settled, f"the last number of {self.topic}", seconds)
        return account(self._own(), last=found[-1][0])

    def _own(self) -> list[Entry]:
        return [each for each in self.entries() if each.connection == self.connection]

    def _count(self, kind: str) -> int:
        return sum(entry.kind == kind for entry in self.entries())


class Scene:
    """The platform; whatever runs in it is ended with it."""

    def __init__(
        self,
        platform: Platform,
        folder: Path,
        run: Callable[..., Program],
        broker: Broker | None,
        partitions: int = 1,
    ):
        self._partitions = partitions
        self._joined: list[Feed] = []
        self.target = platform.target
        self.folder = folder
        self.run = run
        self._platform = platform
        self._broker = broker
        self._readers: dict[str, Sidecar] = {}
        venue = run(*CLI, "simulate", "binance", "--port", "0", "--ephemeral", "--rate", str(RATE))
        self._venue = venue.until(lambda line: "control" in line)
        self.manager_sidecar = platform.sidecar("websocketmanager")
        self.start_manager()

    @property
    def broker(self) -> Broker:
        """The broker; the in-memory target has none."""
        assert self._broker is not None
        return self._broker

    def start_manager(self) -> None:
        """Start the WebSocketManager, as a supervisor does."""
        self._manager = self.run(
            *CLI,
            *("websocketmanager", "--ephemeral", "--grpc-port", "0", "--http-port", "0"),
            *("--dapr", self.manager_sidecar.grpc),
            VIRTUFIN_SPOOL_DIR=str(self.folder / "spool"),
            VIRTUFIN_TOPIC_PARTITIONS=str(self._partitions),
        )
        self._address = self._manager.until(lambda line: "grpc" in line)["grpc"]

    def kill_manager(self) -> None:
        """Kill the WebSocketManager."""
        self._manager.end(signal.SIGKILL)

    @contextlib.contextmanager
    def feeds(self, mishap: str = "") -> Iterator[list[Feed]]:
        """Run a feed of each encoding, read through a sidecar of its own, frames flowing; end them."""
        self.let_venue_send(sends=True)
        feeds = [Feed(self, encoding, self._reader(encoding)) for encoding in ENCODINGS]
        try:
            for feed in feeds:
                feed.start_subscriber(mishap)
            for feed in feeds:
                feed.await_subscriber()
                self._open(feed)
            for feed in feeds:
                until(lambda feed=feed: feed.frames >= FLOWING, f"{FLOWING} frames on {feed.topic}")
            yield feeds
        finally:
            joined, self._joined = self._joined, []
            for feed in (*feeds, *joined):
                feed.kill_subscriber()
                if feed.connection:
                    request = pb.DisconnectRequest(id=feed.connection)
                    self._call("Disconnect", request)

    def join(self, feed: Feed) -> Feed:
        """Open a further connection on a feed's topic, with an account of its own; the subscriber is one."""
        other = feed.sibling()
        self._open(other)
        self._joined.append(other)
        return other

    def leave(self, feed: Feed) -> None:
        """End a connection that joined."""
        self._joined.remove(feed)
        self._call("Disconnect", pb.DisconnectRequest(id=feed.connection))

    def let_venue_send(self, *, sends: bool) -> None:
        """Have the venue send, or be quiet."""
        control(self._venue, "resume" if sends else "pause", post=True)

    def cut_sockets(self) -> None:
        """Have the venue cut its clients off."""
        control(self._venue, "drop", post=True)

    def close(self, feeds: list[Feed]) -> list[Account]:
        """Have the venue be quiet; return the accounts when nothing is on its way any more."""
        self.let_venue_send(sends=False)
        return [feed.settle() for feed in feeds]

    def listed(self, connection: str) -> pb.WebSocketConnection:
        """Return what the WebSocketManager says of a connection."""
        listed = self._call("List", pb.ListConnectionsRequest()).connections
        return next(each for each in listed if each.id == connection)

    def _open(self, feed: Feed) -> None:
        url = f"{self._venue['url']}/ws/btcusdt@trade"
        request = pb.ConnectRequest(url=url, auto_reconnect=True, connector="binance")
        feed.connection = self._call("Connect", request).id
        publish = pb.StartPublishRequest(id=feed.connection, topic=feed.topic, encoding=feed.encoding)
        self._call("StartPublish", publish)

    def _reader(self, encoding: str) -> Sidecar:
        if self.target is Target.IN_MEMORY:
            return self.manager_sidecar
        if encoding not in self._readers:
            replace = SOON if self.target is Target.REDIS else {}
            sidecar = self._platform.make(f"reader-{encoding}", replace=replace)
            self._readers[encoding] = self._platform.stack.enter_context(started(sidecar))
        return self._readers[encoding]

    def _call(self, method: str, request: Message):
        with grpc.insecure_channel(self._address) as channel:
            return getattr(pb_grpc.WebSocketManagerStub(channel), method)(request, timeout=_CALL_SECONDS)


@contextlib.contextmanager
def running_scene(target: Target, folder: Path, partitions: int = 1) -> Iterator[Scene]:
    """Run a platform for the block; several partitions are for Kafka."""
    home = folder / "programs"
    home.mkdir()
    with ExitStack() as stack:
        broker = _BROKERS[target](folder, stack, partitions) if target in _BROKERS else None
        address = "" if broker is None else f"127.0.0.1:{broker.port}"
        platform = Platform(target, folder, address, stack)
        run = stack.enter_context(programs(home))
        yield Scene(platform, folder, run, broker, partitions)


def _redis(folder: Path, stack: ExitStack, _partitions: int) -> Broker:
    process, port = redis_process(folder, durable=True)
    return _started(Broker(process, port, lambda: speaks_redis("127.0.0.1", port)), stack)


def _nats(folder: Path, stack: ExitStack, _partitions: int) -> Broker:
    process, port, ready = brokers.nats_process(folder)
    broker = _started(Broker(process, port, ready), stack)
    brokers.create_streams(port, storage="file")
    return broker


def _kafka(folder: Path, stack: ExitStack, partitions: int) -> Broker:
    process, port = brokers.kafka_process(folder, partitions)
    return _started(Broker(process, port, lambda: accepts(port)), stack)


_BROKERS = {Target.REDIS: _redis, Target.JETSTREAM: _nats, Target.KAFKA: _kafka}


def _started(broker: Broker, stack: ExitStack) -> Broker:
    stack.enter_context(running(broker.process, broker.ready))
    return broker


@contextlib.contextmanager
def _standing_still(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)
