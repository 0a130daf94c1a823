"""The socket port without a network: both ends in memory, in step with the event loop.

The peer's side (`MemoryServer`, `MemoryPeer`) is driven by the test, frame by frame, valid or not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import TypeAlias

from virtufin_examples.connections import _assembly as rules
from virtufin_examples.connections._clock import Clock
from virtufin_examples.connections._socket import (
    MAX_MESSAGE_BYTES,
    Message,
    Socket,
    SocketConnectError,
    SocketEnd,
    SocketSink,
    UpgradeRefusedError,
)
from virtufin_examples.errors import UnavailableError

Refusal: TypeAlias = UpgradeRefusedError | SocketConnectError

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_LINK_BROKE = SocketEnd(1006, "the link broke without a close")


def _let_in() -> None:
    """Let everybody in."""


class MemoryServer:
    """A listening peer. `answers` decides the next upgrades, in order; when it is empty, `gate` does."""

    def __init__(self, response_headers: Mapping[str, str] = _NO_HEADERS) -> None:
        self.response_headers = dict(response_headers)
        self.answers: deque[Refusal | None] = deque()
        self.gate: Callable[[], Refusal | None] = _let_in
        self.attempts: list[int] = []
        self._arrived: asyncio.Queue[MemoryPeer] = asyncio.Queue()

    async def accept(self) -> MemoryPeer:
        """Wait for the next socket."""
        return await self._arrived.get()

    def admit(self, peer: MemoryPeer) -> None:
        """Hand a new socket to `accept` (the network's)."""
        self._arrived.put_nowait(peer)


class MemoryNetwork:
    """Connects URLs to servers made with `serve`; the clock gives the receive times."""

    def __init__(self, clock: Clock, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_message_bytes
        self._servers: dict[str, MemoryServer] = {}

    def serve(self, url: str, response_headers: Mapping[str, str] = _NO_HEADERS) -> MemoryServer:
        """Return a server that answers connections to exactly this URL."""
        self._servers[url] = MemoryServer(response_headers)
        return self._servers[url]

    async def connect(self, url: str, headers: Mapping[str, str], sink: SocketSink) -> Socket:
        """Open a WebSocket; see `SocketNetwork.connect`."""
        await asyncio.sleep(0)
        server = self._servers.get(url)
        if server is None:
            raise SocketConnectError("connection refused")
        server.attempts.append(self._clock.now_ns())
        refusal = server.answers.popleft() if server.answers else server.gate()
        if refusal is not None:
            raise refusal
        socket = _MemorySocket(sink, self._clock, self._max_bytes)
        peer = MemoryPeer(socket, headers)
        socket.peer = peer
        sink.opened(socket, server.response_headers)
        server.admit(peer)
        return socket


class MemoryPeer:
    """The server's end of one socket."""

    def __init__(self, socket: _MemorySocket, request_headers: Mapping[str, str]) -> None:
        self.request_headers = dict(request_headers)
        self.closed: tuple[int, str] | None = None
        """The close frame that came, or None."""
        self.pings = 0
        self.answers_pings = True
        self.is_half_open = False
        """When set, nothing passes any more, and neither side is told."""
        self._socket = socket
        self._received: asyncio.Queue[Message] = asyncio.Queue()

    async def receive(self) -> Message:
        """Wait for the next message: its bytes and whether it is binary."""
        return await self._received.get()

    def waiting(self) -> int:
        """Return how many messages came that were not received."""
        return self._received.qsize()

    def send_text(self, text: str) -> None:
        """Send a text message."""
        self.send_frame(rules.TEXT, text.encode())

    def send_binary(self, payload: bytes) -> None:
        """Send a binary message."""
        self.send_frame(rules.BINARY, payload)

    def send_frame(self, opcode: int, payload: bytes, *, final: bool = True, reserved: bool = False) -> None:
        """Send one frame, valid or not. Frames sent in one turn of the event loop come in one batch."""
        if self.is_half_open:
            return
        self._socket.deliver(opcode, payload, final=final, reserved=reserved)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close in order."""
        self._socket.end(SocketEnd(code, reason))

    def cut(self) -> None:
        """Break the link."""
        self._socket.end(_LINK_BROKE)

    def take(self, message: Message) -> None:
        """Receive a message (the socket's)."""
        if self.is_half_open:
            return
        self._received.put_nowait(message)


class _MemorySocket:
    """The client's end of one socket."""

    def __init__(self, sink: SocketSink, clock: Clock, max_bytes: int) -> None:
        self.peer: MemoryPeer | None = None
        self._sink = sink
        self._clock = clock
        self._assembler = rules.MessageAssembler(max_bytes)
        self._waiting: deque[tuple[int, bytes, bool, bool] | SocketEnd] = deque()
        self._scheduled = False
        self._paused = False
        self._deaf = False
        self._gone = asyncio.Event()
        self.pongs = 0

    def ping(self) -> None:
        peer = self._open_peer()
        peer.pings += 1
        if peer.answers_pings and not peer.is_half_open:
            self.deliver(rules.PONG, b"", final=True, reserved=False)

    def send_text(self, payload: bytes) -> None:
        self._open_peer().take((payload, False))

    def send_binary(self, payload: bytes) -> None:
        self._open_peer().take((payload, True))

    def close(self, code: int, reason: str) -> None:
        if not self._deaf and self.peer is not None:
            self._shut(SocketEnd(code, reason))

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._schedule()

    async def wait_closed(self) -> None:
        await self._gone.wait()

    def deliver(self, opcode: int, payload: bytes, *, final: bool, reserved: bool) -> None:
        self._waiting.append((opcode, payload, final, reserved))
        self._schedule()

    def end(self, end: SocketEnd) -> None:
        self._waiting.append(end)
        self._schedule()

    def _open_peer(self) -> MemoryPeer:
        if self._deaf or self.peer is None:
            raise UnavailableError("the socket is closed")
        return self.peer

    def _schedule(self) -> None:
        if not self._scheduled and not self._paused:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._read)

    def _read(self) -> None:
        self._scheduled = False
        batch: list[Message] = []
        end: SocketEnd | None = None
        while self._waiting and end is None and not self._deaf:
            item = self._waiting.popleft()
            if isinstance(item, SocketEnd):
                end = item
                continue
            try:
                message = self._accept(*item)
            except rules.ProtocolViolationError as error:
                end = SocketEnd(error.close_code, error.reason, violation=True)
            else:
                if message is not None:
                    batch.append(message)
        for binary, group in groupby(batch, itemgetter(1)):
            self._sink.received([payload for payload, _ in group], self._clock.now_ns(), binary=binary)
        if end is not None:
            self._shut(end)

    def _accept(self, opcode: int, payload: bytes, final: bool, reserved: bool) -> Message | None:  # noqa: FBT001 - the stored call
        if opcode in {rules.TEXT, rules.BINARY, rules.CONTINUATION}:
            return self._assembler.accept(opcode, payload, final=final, reserved=reserved)
        if opcode in {rules.PING, rules.PONG} and not reserved:
            self.pongs += opcode == rules.PONG
            return None
        raise rules.ProtocolViolationError(rules.PROTOCOL_ERROR, f"frame with opcode {opcode:#x}")

    def _shut(self, end: SocketEnd) -> None:
        if self._deaf:
            return
        self._deaf = True
        if self.peer is not None and end is not _LINK_BROKE:
            self.peer.closed = (end.code, end.reason)
        self._gone.set()
        asyncio.get_running_loop().call_soon(self._sink.closed, end)
