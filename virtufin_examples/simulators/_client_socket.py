"""One client's WebSocket at a simulator: messages in, frames out, faults in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from virtufin_examples.audit import Entry
from virtufin_examples.simulators._account_keeper import AccountKeeper, SocketAccount
from virtufin_examples.simulators._faults import Fault, FaultKind, FaultLine, Faults

MAX_CLIENT_MESSAGE_BYTES = 1024 * 1024
_CLOSE_GRACE_SECONDS = 1.0
_GOING_AWAY, _PROTOCOL_ERROR, _TOO_BIG = 1001, 1002, 1009  # RFC 6455, section 7.4.1
_DATA_TYPES = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)
_GARBAGE = b'{"garbage'


class Sendable(Protocol):
    """One WebSocket message to send."""

    @property
    def payload(self) -> bytes: ...
    @property
    def binary(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class _DataFrame:
    """A data message with its entry in the account, where one is kept."""

    payload: bytes
    binary: bool
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class TextFrame:
    """A text message."""

    payload: bytes
    binary: bool = False


class ClientSocket(WSListener):
    """Puts messages together and keeps the socket; a simulator says what they mean by the hooks below."""

    def __init__(self, faults: Faults, keeper: AccountKeeper) -> None:
        super().__init__()
        self._account = SocketAccount(keeper)
        self.sent_frames = 0
        self._line: FaultLine[Sendable] = FaultLine(faults, lambda: TextFrame(_GARBAGE))
        self._transport: WSTransport | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._parts: list[bytes] = []
        self._binary = False

    # --- hooks ---

    def opened(self) -> None:
        """The socket is open."""
        raise NotImplementedError

    def message(self, payload: bytes, *, binary: bool) -> None:
        """A whole message came."""
        raise NotImplementedError

    def pinged(self) -> None:
        """A ping came; it is answered already."""

    def ponged(self, payload: bytes) -> None:
        """A pong came."""

    def gone(self) -> None:
        """The socket is gone."""
        raise NotImplementedError

    # --- the library's callbacks ---

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Note the transport."""
        self._transport = transport
        self._account.opened()
        self.opened()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Sort frames; a half-open socket hears nothing."""
        if self._line.deaf:
            return
        match frame.msg_type:
            case WSMsgType.CLOSE:
                if not transport.is_close_frame_sent:
                    transport.send_close(frame.get_close_code())
                transport.disconnect()
            case WSMsgType.PING:
                transport.send_pong(frame.get_payload_as_bytes())
                self.pinged()
            case WSMsgType.PONG:
                self.ponged(frame.get_payload_as_bytes())
            case _ if self._closing is None:
                self._data(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - the library's signature
        """Forget the transport."""
        if self._closing is not None:
            self._closing.cancel()
        self._transport = None
        self._account.closed()
        self.gone()

    # --- for the simulator ---

    @property
    def buffered_bytes(self) -> int:
        """What the client has not read yet."""
        return 0 if self._transport is None else self._transport.underlying_transport.get_write_buffer_size()

    def send_answers(self, frames: Iterable[Sendable]) -> None:
        """Send control messages."""
        self._write(self._line.control(frames, self._now()))

    def send_data(self, frames: Iterable[Sendable], *, lane: str, symbol: str = "") -> None:
        """Send data, or what the faults make of it; lane and symbol are the account's."""
        noted = [
            _DataFrame(each.payload, each.binary, self._account.offered(each.payload, lane, symbol))
            for each in frames
        ]
        self._write(self._line.data(noted, self._now()))

    def send_ping(self, payload: bytes) -> None:
        """Send a ping."""
        if self._transport is not None and not self._line.deaf:
            self._transport.send_ping(payload)

    def strike(self, fault: Fault) -> None:
        """Begin a fault of whole sockets."""
        if fault.kind is FaultKind.DROP:
            self.drop()
        self._line.strike(fault, self._now())

    def flush(self) -> None:
        """Send what was delayed until now; cut a socket that was half open for long enough."""
        now = self._now()
        self._write(self._line.late(now))
        if self._line.is_over(now):
            self.drop()

    def close(self, code: int) -> None:
        """Send a close frame and give the client a moment to answer it."""
        if self._transport is None or self._closing is not None or self._line.deaf:
            return
        self._transport.send_close(WSCloseCode(code))
        self._closing = asyncio.get_running_loop().call_later(_CLOSE_GRACE_SECONDS, self.drop)

    def drop(self) -> None:
        """Cut the socket without a word."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    async def leave(self) -> None:
        """Say goodbye: the simulator is going away. Ends when the socket has."""
        transport = self._transport
        if transport is None:
            return
        self.close(_GOING_AWAY)
        transport.disconnect()
        try:
            async with asyncio.timeout(_CLOSE_GRACE_SECONDS):
                await transport.wait_disconnected()
        except TimeoutError:
            self.drop()

    # --- inside ---

    def _data(self, frame: WSFrame) -> None:
        if frame.msg_type not in _DATA_TYPES:
            return
        if frame.rsv1:  # nothing was negotiated that would use it
            self.close(_PROTOCOL_ERROR)
            return
        if frame.msg_type is not WSMsgType.CONTINUATION:
            self._parts.clear()
            self._binary = frame.msg_type is WSMsgType.BINARY
        self._parts.append(frame.get_payload_as_bytes())
        if sum(len(part) for part in self._parts) > MAX_CLIENT_MESSAGE_BYTES:
            self.close(_TOO_BIG)
        elif frame.fin:
            payload = b"".join(self._parts)
            self._parts.clear()
            self.message(payload, binary=self._binary)

    def _write(self, frames: Iterable[Sendable]) -> None:
        if self._transport is None or self._closing is not None:
            return
        for frame in frames:
            self._transport.send(WSMsgType.BINARY if frame.binary else WSMsgType.TEXT, frame.payload)
            self._account.written(frame.payload, frame.entry if isinstance(frame, _DataFrame) else None)
            self.sent_frames += 1

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
