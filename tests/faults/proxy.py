"""A TCP proxy that carries out a plan of faults."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Protocol, Self

from tests.faults.plan import Fault, Kind, Line, Weather, corrupted

_READ_BYTES = 65536
_WAITING_PIECES = 10_000
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds


class Tap(Protocol):
    """Sees what the server of one link sends. Positions are in bytes from the link's first."""

    def came(self, data: bytes) -> None:
        """The server sent this."""

    def passed(self, position: int) -> None:
        """Everything before this position was written to the client."""

    def closed(self) -> None:
        """The link is gone."""


class FaultProxy:
    """Listens on a free port of 127.0.0.1 for one server. `new_tap` is called for each link.

    `instead` is what the server says of itself, and what is said in its place, of the same length.
    """

    instead: tuple[bytes, bytes] = (b"", b"")
    address = ""

    def __init__(self, target: str, *, seed: int, new_tap: Callable[[], Tap] | None = None) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._new_tap = new_tap
        self._rng = random.Random(f"bytes/{seed}")
        self._weather = Weather()
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused = 0
        self.accepted = 0

    async def listen(self) -> None:
        """Begin; entering does as well."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        if not self.address:
            await self.listen()
        return self

    async def __aexit__(self, *_) -> None:
        self._server.close()
        self._end_links(reset=False)
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()

    async def carry_out(
        self, plan: Iterable[Fault], began: Callable[[Fault, int, int], None] | None = None
    ) -> None:
        """Do what a plan says; `began` hears of each fault with the time it is on, in Unix nanoseconds."""
        start = time.monotonic()
        for fault in plan:
            await asyncio.sleep(max(0.0, start + fault.at - time.monotonic()))
            now_ns = time.time_ns()
            await self.strike(fault)
            if began is not None:
                began(fault, now_ns, max(time.time_ns(), now_ns + int(fault.seconds * 1e9)))

    async def strike(self, fault: Fault) -> None:
        """Begin a fault; one that ends the links when it is over is waited for."""
        self._weather.begin(fault, time.monotonic())
        if fault.kind in (Kind.CUT, Kind.RESET):
            self._end_links(reset=fault.kind is Kind.RESET)
        elif fault.kind is Kind.HALF_OPEN:
            struck = set(self._links)
            for link in struck:
                link.deafen()
            await asyncio.sleep(fault.seconds)
            self._end_links(reset=True, of=struck)

    def _end_links(self, *, reset: bool, of: set[_Link] | None = None) -> None:
        for link in of or set(self._links):
            link.end(reset=reset)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._weather.refuses(time.monotonic()):
            self.refused += 1
            _abort(writer)
            return
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _abort(writer)
            return
        tap = self._new_tap() if self._new_tap is not None else None
        link = _Link((reader, writer), (upstream_reader, upstream_writer), self._weather, self._rng, tap)
        link.instead = self.instead
        self._links.add(link)
        self.accepted += 1
        try:
            await link.run()
        finally:
            self._links.discard(link)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """A client's connection and the one to the server that belongs to it."""

    instead: tuple[bytes, bytes] = (b"", b"")

    def __init__(
        self, client: Ends, server: Ends, weather: Weather, rng: random.Random, tap: Tap | None
    ) -> None:
        self._client, self._server = client, server
        self._weather = weather
        self._rng = rng
        self._tap = tap
        self._lines = (Line(weather), Line(weather))
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Pass bytes until either side ends."""
        up, down = self._lines
        for reader, writer, line, tap in (
            (self._client[0], self._server[1], up, None),
            (self._server[0], self._client[1], down, self._tap),
        ):
            pieces: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue(_WAITING_PIECES)
            writing = asyncio.create_task(self._write(writer, pieces, tap))
            reading = asyncio.create_task(self._read(reader, pieces, line, tap, of_server=line is down))
            self._tasks += [writing, reading]
        try:
            await asyncio.wait(
                [self._tasks[0], self._tasks[2]],  # a writer ends after the last piece of its reader
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self.end(reset=False)
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._tap is not None:
                self._tap.closed()

    def deafen(self) -> None:
        """Swallow whatever comes from now on, and what waits."""
        for line in self._lines:
            line.is_deaf = True

    def end(self, *, reset: bool) -> None:
        """End both connections now; what waits is dropped."""
        for task in self._tasks:
            task.cancel()
        for _, writer in (self._client, self._server):
            if reset:
                _abort(writer)
            else:
                writer.close()

    async def _read(
        self,
        reader: asyncio.StreamReader,
        pieces: asyncio.Queue[tuple[float, bytes] | None],
        line: Line,
        tap: Tap | None,
        *,
        of_server: bool,
    ) -> None:
        try:
            while data := await reader.read(_READ_BYTES):
                if tap is not None:
                    tap.came(data)
                if self.instead[0]:
                    data = data.replace(*self.instead)
                if of_server and not line.is_deaf and self._weather.take_corruption():
                    data = corrupted(data, self._rng.randrange(len(data)))
                for piece in line.admit(data, time.monotonic()):
                    await pieces.put(piece)
        except ConnectionError:
            pass  # the side that is gone is told to the other by the end of the link
        await pieces.put(None)

    async def _write(
        self,
        writer: asyncio.StreamWriter,
        pieces: asyncio.Queue[tuple[float, bytes] | None],
        tap: Tap | None,
    ) -> None:
        written = 0
        try:
            while (piece := await pieces.get()) is not None:
                due, data = piece
                wait = due - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                if self._lines[0].is_deaf:
                    continue
                writer.write(data)
                written += len(data)
                if tap is not None:
                    tap.passed(written)
                await writer.drain()
        except ConnectionError:
            pass


def _abort(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
