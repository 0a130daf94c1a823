"""Where the contenders meet: one platform, one Redis, one certificate; and the run of a pipeline."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from benchmarks._child import Child, running
from benchmarks._processes import command_line, descendants, loopback_bytes, processor_ns
from benchmarks.throughput._environment import make_certificate, peers_python
from benchmarks.throughput.reader import Read
from deploy._cache import MissingError
from deploy.redis_server import redis
from virtufin_examples.client import ApiClient, platform_child
from virtufin_examples.errors import PreconditionError, UnavailableError, VirtufinError

SENDER = "benchmarks.throughput.sender"
READER = "benchmarks.throughput.reader"
_AT_ONCE = 64
"""Calls to the gateway that wait for their answers together: what they write of the connections' list is
written together."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the sender sends: payload bytes, bytes a write (1: a frame a write), frames, frames a second."""

    size: int
    write: int
    frames: int
    rate: float = 0.0
    connections: int = 1
    depth: bool = False
    """Books of Binance with consecutive numbers, in place of trades that are all alike."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """How the WebSocketManager connects to the sender, and what it asks it."""

    path: str = "/"
    connector: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    question: bytes = b"go"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave. `seconds`: from the sender's first frame to the subscriber's last.

    `processor_ns` by program, all but the sender; `network_bytes` between all of them, sender included.
    """

    frames: int
    seconds: float
    processor_ns: dict[str, int] = field(default_factory=dict)
    network_bytes: int = 0
    read: Read | None = None

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.frames / self.seconds


class _Port(msgspec.Struct):
    port: int


class _Began(msgspec.Struct):
    began_ns: int


class Field:
    """The shared parts; `problems` has what could not be set up, by name."""

    def __init__(self, api: ApiClient, gateway: str, runtime: str, platform: Sequence[int]) -> None:
        self.api = api
        self.gateway = gateway
        self.runtime = runtime
        self.platform = tuple(platform)
        self.redis_port = 0
        self.redis_processes: tuple[int, ...] = ()
        self.certificate = Path()
        self.python = Path()
        self.problems: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def new_topic(self) -> str:
        """Return a topic that nobody has used."""
        return f"bench-{next(self._numbers)}"

    def require(self, *names: str) -> None:
        """Raise `UnavailableError` when one of these is not there."""
        for name in names:
            if name in self.problems:
                raise UnavailableError(f"{name}: {self.problems[name]}")

    async def call(self, method: str, **request: object) -> Any:  # noqa: ANN401 - JSON
        """Call the WebSocketManager through the gateway."""
        return await self.api.invoke_json("websocketmanager", method, request)

    async def connect(
        self, port: int, upstream: Upstream, topics: Sequence[str], encoding: str, connections: int
    ) -> list[str]:
        """Open connections that publish to the topics in turn; return their ids."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int) -> str:
            async with gate:
                answer = await self.call(
                    "Connect",
                    url=f"ws://127.0.0.1:{port}{upstream.path}",
                    auto_reconnect=True,
                    connector=upstream.connector,
                    options=dict(upstream.options),
                )
                topic = topics[number % len(topics)]
                await self.call(
                    "StartPublish", id=answer["id"], topic=topic, encoding=encoding, overflow="block"
                )
                return str(answer["id"])

        return await asyncio.gather(*map(one, range(connections)))

    async def ask(self, connection_id: str, upstream: Upstream) -> None:
        """Send a connection's first message, which starts the sender."""
        message = base64.b64encode(upstream.question).decode()
        await self.call("SendRaw", id=connection_id, message=message, content_type="text/plain")

    async def disconnect(self, ids: Sequence[str]) -> None:
        """Close connections."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(each: str) -> None:
            async with gate:
                await self.call("Disconnect", id=each)

        await asyncio.gather(*map(one, ids))


@contextlib.asynccontextmanager
async def open_field(folder: Path, say: Callable[[str], object], *, peers: bool) -> AsyncIterator[Field]:
    """Start the shared parts for the block; with `peers` also what only they need."""
    async with contextlib.AsyncExitStack() as stack:
        environment = {"VIRTUFIN_SPOOL_DIR": str(folder), "VIRTUFIN_LOG_LEVEL": "error"}
        before = set(descendants(os.getpid()))
        platform = await stack.enter_async_context(platform_child(environment))
        api = await stack.enter_async_context(ApiClient(platform.gateway))
        processes = sorted(set(descendants(os.getpid())) - before)
        shared = Field(api, platform.gateway, platform.runtime, processes)
        if peers:
            say("setting up the peers (the first time their packages are fetched)")
            await asyncio.to_thread(_set_up_peers, shared, folder, stack)
        yield shared


def _set_up_peers(shared: Field, folder: Path, stack: contextlib.AsyncExitStack) -> None:
    try:
        shared.python = peers_python()
    except (VirtufinError, OSError) as error:
        shared.problems["environment"] = str(error)
    try:
        shared.certificate = make_certificate(folder)
    except (VirtufinError, OSError) as error:
        shared.problems["certificate"] = str(error)
    before = set(descendants(os.getpid()))
    try:
        address = stack.enter_context(redis(folder))
    except (MissingError, VirtufinError, OSError) as error:
        shared.problems["redis"] = str(error)
        return
    shared.redis_port = int(address.rpartition(":")[2])
    shared.redis_processes = tuple(set(descendants(os.getpid())) - before)


@contextlib.asynccontextmanager
async def sending(load: Load, *options: str) -> AsyncIterator[tuple[Child, int]]:
    """Run the sender; yield it and its port."""
    if load.depth:
        options = (*options, "--depth")
    given = {"--frames": load.frames, "--size": load.size, "--write": load.write, "--rate": load.rate}
    words = [str(word) for pair in given.items() for word in pair]
    async with running(SENDER, *words, "--connections", str(load.connections), *options) as sender:
        yield sender, (await sender.answer(_Port)).port


async def finish(
    sender: Child, readers: Sequence[Child], processes: Sequence[int], load: Load, begin: Callable[[], Any]
) -> Outcome:
    """Begin, and wait until every reader has everything; raise `PreconditionError` when a frame was lost."""
    before, bytes_before = {pid: processor_ns(pid) for pid in processes}, loopback_bytes()
    await begin()
    began_ns = (await sender.answer(_Began)).began_ns
    limit = time.monotonic() + 600
    reads: list[Read] = []
    for reader in readers:
        read = await reader.answer(Read)
        while not read.last and time.monotonic() < limit:
            read = await reader.answer(Read)
        reads.append(read)
    network_bytes = loopback_bytes() - bytes_before
    used: dict[str, int] = {}
    for pid, was in before.items():
        name = program(command_line(pid))
        used[name] = used.get(name, 0) + processor_ns(pid) - was
    lost, missing = sum(read.lost for read in reads), sum(read.missing for read in reads)
    if lost or missing:
        raise PreconditionError(
            f"{missing} of {load.frames} frames of {load.size} bytes never came, {lost} gaps or out of turn"
        )
    ended_ns = max(read.ended_ns for read in reads)
    return Outcome(load.frames, (ended_ns - began_ns) / 1e9, used, network_bytes, reads[-1])


def program(command: str) -> str:
    """Return what a process is, for the table."""
    names = {
        "cli up": "runtime and gateway",
        "cli websocketmanager": "WebSocketManager",
        "reader": "subscriber",
        "redis-server": "Redis",
    }
    return next((name for words, name in names.items() if words in command), "receiver")
