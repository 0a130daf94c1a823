"""One client's socket at the simulator: frames to messages, outcomes to frames."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from virtufin_examples.simulators._exchange import Client, Exchange
from virtufin_examples.venues.alpaca import Answer
from virtufin_examples.venues.alpaca.server import AnyServer, Outcome

MAX_CLIENT_MESSAGE_BYTES = 1024 * 1024
_CLOSE_GRACE_SECONDS = 1.0
_DATA_TYPES = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)


class Owner(Protocol):
    """The simulator, as its connections see it."""

    max_buffered_bytes: int

    def now(self) -> float:
        """Seconds on a steady clock."""

    def connected(self, connection: Connection) -> None:
        """A client is there."""

    def disconnected(self, connection: Connection) -> None:
        """A client is gone."""

    def changed(self, connection: Connection, outcome: Outcome) -> None:
        """A client's message was answered; its subscription may have changed."""


class Connection(WSListener):
    """A client: its socket, its session, its endpoint's exchange."""

    def __init__(self, owner: Owner, exchange: Exchange, server: AnyServer) -> None:
        super().__init__()
        self.exchange = exchange
        self.client = Client(server)
        self.sent_frames = 0
        self._owner = owner
        self._transport: WSTransport | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._parts: list[bytes] = []
        self._binary = False

    @property
    def server(self) -> AnyServer:
        """The protocol session."""
        return self.client.server

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Greet."""
        self._transport = transport
        self._owner.connected(self)
        self.carry_out(self.server.opened(self._owner.now()))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Put messages together and have them answered; pings are answered by the library."""
        if frame.msg_type is WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        if frame.msg_type not in _DATA_TYPES or self._closing is not None:
            return
        if frame.rsv1:  # nothing was negotiated that would use it
            self._close(WSCloseCode.PROTOCOL_ERROR)
            return
        if frame.msg_type is not WSMsgType.CONTINUATION:
            self._parts.clear()
            self._binary = frame.msg_type is WSMsgType.BINARY
        self._parts.append(frame.get_payload_as_bytes())
        if sum(len(part) for part in self._parts) > MAX_CLIENT_MESSAGE_BYTES:
            self._close(WSCloseCode.MESSAGE_TOO_BIG)
        elif frame.fin:
            payload = b"".join(self._parts)
            self._parts.clear()
            outcome = self.server.received(payload, binary=self._binary)
            self.carry_out(outcome)
            self._owner.changed(self, outcome)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - the library's signature
        """Give everything back."""
        if self._closing is not None:
            self._closing.cancel()
        self._transport = None
        self.server.closed()
        self._owner.disconnected(self)

    def carry_out(self, outcome: Outcome) -> None:
        """Send a session's answers, then close if it says so."""
        self._write(outcome.answers)
        if outcome.close:
            self._close(WSCloseCode(outcome.close))

    def send(self, answers: Iterable[Answer]) -> None:
        """Send data; a client that does not keep up is cut."""
        self._write(answers)
        if self._transport is None:
            return
        if self._transport.underlying_transport.get_write_buffer_size() > self._owner.max_buffered_bytes:
            self.carry_out(self.server.overrun())

    def drop(self) -> None:
        """Cut the socket without a word."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    async def leave(self) -> None:
        """Say goodbye: the simulator is going away. Ends when the socket has."""
        transport = self._transport
        if transport is None:
            return
        self._close(WSCloseCode.GOING_AWAY)
        transport.disconnect()
        try:
            async with asyncio.timeout(_CLOSE_GRACE_SECONDS):
                await transport.wait_disconnected()
        except TimeoutError:
            self.drop()

    def _write(self, answers: Iterable[Answer]) -> None:
        if self._transport is None or self._closing is not None:
            return
        for answer in answers:
            kind = WSMsgType.BINARY if answer.binary else WSMsgType.TEXT
            self._transport.send(kind, answer.payload)
            self.sent_frames += 1

    def _close(self, code: WSCloseCode) -> None:
        """Send a close frame and give the client a moment to answer it."""
        if self._transport is None or self._closing is not None:
            return
        self._transport.send_close(code)
        self.exchange.leave(self.client)
        loop = asyncio.get_running_loop()
        self._closing = loop.call_later(_CLOSE_GRACE_SECONDS, self.drop)
