"""`python -m benchmarks.connections`: a WebSocketManager with one connection and with many onto one topic.

Memory and idle processor time of each connection more, then frames a second with all of them and with one,
in turns. The bus takes every message at once: nothing but the WebSocketManager is measured. Prints JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio

from benchmarks.connections._bus import SwallowingBus
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.service import allow_many_files, configure_logging
from virtufin_examples.settings import PlatformSettings
from virtufin_examples.websocketmanager import WebSocketManagerService

WARM = 20
"""Connections opened before the first look: what the first ones load is no cost of each one more."""

_AT_ONCE = 100
_IDLE_SECONDS = 5.0
_TOPIC = "many"


class Venue:
    """The server of all sockets, as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.url = f"ws://127.0.0.1:{port}/"
        self._process = process

    async def send(self, frames: int, write_bytes: int) -> None:
        """Have it send so many frames, spread over all its sockets; returns at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{frames} {write_bytes}\n".encode())


@contextlib.asynccontextmanager
async def running_venue() -> AsyncIterator[Venue]:
    """Start the server; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.connections.server",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Venue(process, int(await process.stdout.readline()))
    finally:
        process.stdin.close()
        await process.wait()


class Feeds:
    """A WebSocketManager in this process, and its connections."""

    def __init__(self, stub: Any, bus: SwallowingBus) -> None:  # noqa: ANN401 - the stubs are untyped
        self.bus = bus
        self._stub = stub

    async def open(self, url: str, count: int) -> None:
        """Open connections onto the one topic."""
        for done in range(0, count, _AT_ONCE):
            await asyncio.gather(*(self._open(url) for _ in range(min(_AT_ONCE, count - done))))

    async def listed(self) -> list[pb.WebSocketConnection]:
        """Return what List tells."""
        return list((await self._stub.List(pb.ListConnectionsRequest())).connections)

    async def _open(self, url: str) -> None:
        answer = await self._stub.Connect(pb.ConnectRequest(url=url, auto_reconnect=True))
        await self._stub.StartPublish(
            pb.StartPublishRequest(id=answer.id, topic=_TOPIC, encoding="batch", overflow="block")
        )


@contextlib.asynccontextmanager
async def running_feeds() -> AsyncIterator[Feeds]:
    """Start a WebSocketManager on a bus that takes everything."""
    bus = SwallowingBus()
    with tempfile.TemporaryDirectory() as folder:
        settings = PlatformSettings(
            _env_file=None,  # type: ignore[call-arg]
            websocketmanager_grpc_port=0,
            websocketmanager_http_port=0,
            spool_dir=Path(folder),
        )
        service = WebSocketManagerService(settings, bus=bus)
        where = await service.start()
        try:
            options = (("grpc.max_receive_message_length", 64 * 1024 * 1024),)
            async with grpc.aio.insecure_channel(where.grpc, options=options) as channel:
                yield Feeds(pb_grpc.WebSocketManagerStub(channel), bus)
        finally:
            await service.stop()


def own_bytes() -> int:
    """Return the memory that is this process's alone."""
    for line in Path("/proc/self/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Private_Dirty"):
            return int(line.split()[1]) * 1024
    raise OSError("this system does not tell a process's own memory")


async def idle(connections: int) -> dict[str, float]:
    """Measure what each idle connection more costs."""
    async with running_venue() as venue, running_feeds() as feeds:
        await feeds.open(venue.url, WARM)
        gc.collect()
        before, began = own_bytes(), time.monotonic()
        await feeds.open(venue.url, connections)
        opened = time.monotonic() - began
        gc.collect()
        each = (own_bytes() - before) / connections
        cpu = time.process_time()
        await asyncio.sleep(_IDLE_SECONDS)
        cpu = (time.process_time() - cpu) / _IDLE_SECONDS
        live = sum(one.status == "connected" for one in await feeds.listed())
    return {"bytes_each": each, "open_seconds": opened, "idle_cores": cpu, "live": live}


async def frames_per_second(connections: int, frames: int, write_bytes: int) -> float:
    """Measure how fast so many connections' frames are published."""
    async with running_venue() as venue, running_feeds() as feeds:
        await feeds.open(venue.url, connections)
        await feeds.bus.count(frames // 10, lambda: venue.send(frames // 10, write_bytes))
        began = time.monotonic()
        await feeds.bus.count(frames, lambda: venue.send(frames, write_bytes))
        return frames / (time.monotonic() - began)


async def measure(connections: int, frames: int, rounds: int) -> dict[str, Any]:
    """Measure everything, one connection and many in turns."""
    result: dict[str, Any] = {"connections": connections, "idle": await idle(connections)}
    for write_bytes in (65_536, 1):
        one, many = [], []
        for _ in range(rounds):
            one.append(await frames_per_second(1, frames, write_bytes))
            many.append(await frames_per_second(connections, frames, write_bytes))
        result[f"frames_per_second_{write_bytes}_bytes_a_write"] = {
            "one": statistics.median(one),
            "many": statistics.median(many),
            "ratio": statistics.median(many) / statistics.median(one),
        }
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.connections")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    configure_logging("benchmark", level="error")
    allow_many_files()
    print(json.dumps(asyncio.run(measure(given.connections, given.frames, given.rounds)), indent=2))
