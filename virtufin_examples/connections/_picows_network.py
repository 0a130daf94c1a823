"""The socket port on picows.

picows parses and masks; it checks neither UTF-8 nor reserved bits nor the order of fragments, so every frame
goes through a `MessageAssembler` before it counts. It never inflates, and permessage-deflate is not offered.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSInvalidStatusError,
    WSInvalidURL,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    ws_connect,
)

from virtufin_examples.connections import _assembly as rules
from virtufin_examples.connections._signal import Signal
from virtufin_examples.connections._socket import (
    CLOSE_TIMEOUT_SECONDS,
    CONNECT_TIMEOUT_SECONDS,
    MAX_MESSAGE_BYTES,
    Socket,
    SocketConnectError,
    SocketEnd,
    SocketSink,
    UpgradeRefusedError,
)
from virtufin_examples.errors import UnavailableError

GOING_AWAY = 1001
NO_STATUS = 1005
ABNORMAL_CLOSURE = 1006
INTERNAL_ERROR = 1011
_IDLE_BUFFER_BYTES = 2048
"""A socket's read buffer before anything has come; picows doubles it whenever a read fills it."""
HANDED_ON_FRAMES = 512
"""Text messages that are handed on together at most: a read may bring 20,000 (3 MB), of which the first have
left the processor's cache before the last is parsed. It saves a sixth of the receive path's time."""
_PING = b"virtufin"
_TEXT = WSMsgType.TEXT  # looking an enum's member up costs as much as the rest of a frame
_DATA = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)
_VIOLATION_GRACE_SECONDS = 0.01  # for the close frame to leave before the link is cut

# All that picows logs is reported through the sink as well, and at debug level it would log upgrade headers.
_silent = logging.getLogger("virtufin_examples.picows")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False
_silent.setLevel(logging.CRITICAL)


class _Errors(logging.LoggerAdapter[logging.Logger]):
    """picows's log, of one socket: nothing is written, but that it has found an error is passed on.

    It says so nowhere else at once, and until it cuts the link it goes on with what comes behind.
    """

    def __init__(self, found: Callable[[], None]) -> None:
        super().__init__(_silent)
        self._found = found

    def error(self, msg: object, *args: object, **kwargs: object) -> None:  # noqa: ARG002 - a logger's
        """Pass it on."""
        self._found()

    def exception(self, msg: object, *args: object, **kwargs: object) -> None:  # noqa: ARG002 - a logger's
        """Pass it on."""
        self._found()


class PicowsNetwork:
    """Opens sockets by picows. `now_ns` gives the receive times: one for all that one read brought."""

    def __init__(
        self,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
    ) -> None:
        self._now_ns = now_ns
        self._max_bytes = max_message_bytes
        self._timeout_seconds = connect_timeout_seconds

    async def connect(self, url: str, headers: Mapping[str, str], sink: SocketSink) -> Socket:
        """Open a WebSocket; see `SocketNetwork.connect`."""
        attempt = _Attempt(sink, self._now_ns, self._max_bytes)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                _, listener = await ws_connect(
                    attempt.listener,
                    url,
                    websocket_handshake_timeout=self._timeout_seconds,
                    logger_name=_Errors(attempt.failed),
                    # A ping may be the last frame of a read, and with it the batch is handed on: see it.
                    enable_auto_pong=False,
                    max_frame_size=self._max_bytes,
                    extra_headers=headers,
                    read_buffer_init_size=_IDLE_BUFFER_BYTES,
                    max_redirects=0,  # a redirect could carry secrets to another host
                )
        except WSInvalidStatusError as error:
            if error.response is None:
                raise SocketConnectError(str(error)) from error
            raise UpgradeRefusedError(int(error.response.status), _lower(error.response)) from error
        except TimeoutError as error:
            attempt.abandon()
            raise SocketConnectError(f"no WebSocket within {self._timeout_seconds:g} s") from error
        except (OSError, WSError, WSInvalidURL) as error:
            raise SocketConnectError(str(error) or type(error).__name__) from error
        except asyncio.CancelledError:
            attempt.abandon()
            raise
        if not isinstance(listener, _Listener):  # picows returns then as if all were well
            raise SocketConnectError("the link ended before the WebSocket upgrade was answered")
        return listener


class _Attempt:
    """One try to connect. When nobody waits for it any more, a socket that opens all the same is dropped."""

    def __init__(self, sink: SocketSink, now_ns: Callable[[], int], max_bytes: int) -> None:
        self._sink = sink
        self._now_ns = now_ns
        self._max_bytes = max_bytes
        self._listener: _Listener | None = None
        self._abandoned = False

    def listener(self, _request: WSUpgradeRequest, response: WSUpgradeResponse) -> WSListener:
        if self._abandoned:
            return _Dropper()
        _refuse_what_was_not_offered(response)
        self._listener = _Listener(self._sink, response, self._now_ns, self._max_bytes)
        return self._listener

    def failed(self) -> None:
        """Picows has found an error: what it had parsed comes now, what lies behind in a later read."""
        if self._listener is not None:
            asyncio.get_running_loop().call_soon(self._listener.deafen)

    def abandon(self) -> None:
        self._abandoned = True
        if self._listener is not None:
            self._listener.close(GOING_AWAY, "")


class _Dropper(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.disconnect(graceful=False)


def _refuse_what_was_not_offered(response: WSUpgradeResponse) -> None:
    """RFC 6455, section 4.1: what the server agrees to must have been asked for, and nothing was."""
    for header in ("Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"):
        value = response.headers.get(header)
        if value is not None:
            raise SocketConnectError(f"the server agreed to {header}: {value[:100]}, which was not offered")


def _lower(response: WSUpgradeResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


class _Listener(WSListener):
    """One socket: `Socket` to its user, listener to picows."""

    def __init__(
        self, sink: SocketSink, response: WSUpgradeResponse, now_ns: Callable[[], int], max_bytes: int
    ) -> None:
        self._sink = sink
        self._headers = _lower(response)
        self._now_ns = now_ns
        self._assembler = rules.MessageAssembler(max_bytes)
        self._batch: list[bytes] = []
        self._batch_is_binary = False
        self._received_ns = 0
        self._transport: WSTransport | None = None
        self._end: SocketEnd | None = None
        self._deaf = False
        self._takes_text = True  # not deaf, no fragmented message begun, and the batch is one of text
        self._gone = Signal()
        self._watcher: asyncio.Task[None] | None = None
        self.pongs = 0

    # --- called by picows ---

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Tell the sink."""
        self._transport = transport
        self._sink.opened(self, self._headers)
        self._headers = {}

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Find out why: a task that waits for it from the beginning would cost every idle socket 2 kB."""
        self._watcher = asyncio.get_running_loop().create_task(self._find_end(transport), name="socket-end")

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Check a frame and hand the messages of one read on together."""
        # Nearly every frame is a whole text message in ASCII, which needs no more than this.
        if (
            self._takes_text
            and frame.msg_type is _TEXT
            and frame.fin
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):
            payload = frame.get_payload_as_bytes()
            if payload.isascii():
                batch = self._batch
                if not batch:
                    self._received_ns = self._now_ns()
                batch.append(payload)
                if frame.last_in_buffer or len(batch) >= HANDED_ON_FRAMES:
                    self._flush()
                return
        if self._deaf:
            return
        if not self._batch:
            self._received_ns = self._now_ns()
        try:
            self._examine(transport, frame)
        except rules.ProtocolViolationError as error:
            self._flush()
            self._fail(transport, error)
            return
        if frame.last_in_buffer:
            self._flush()

    def deafen(self) -> None:
        """Take nothing more; picows ends the link and says why."""
        self._deaf, self._takes_text = True, False

    def pause_writing(self) -> None:
        """Do nothing: what is sent are handshakes, a few kilobytes."""

    def resume_writing(self) -> None:
        """Do nothing: writing was not paused."""

    # --- the socket ---

    def send_text(self, payload: bytes) -> None:
        """Send a text message."""
        self._open_transport().send(WSMsgType.TEXT, payload)

    def send_binary(self, payload: bytes) -> None:
        """Send a binary message."""
        self._open_transport().send(WSMsgType.BINARY, payload)

    def ping(self) -> None:
        """Send a ping."""
        self._open_transport().send_ping(_PING)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame; cut the link when the peer does not answer within a second."""
        transport = self._transport
        if self._deaf or transport is None:
            return
        self._flush()
        self._stop(SocketEnd(code, reason))
        transport.send_close(WSCloseCode(code), reason)
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_SECONDS, transport.underlying_transport.abort)

    def pause_reading(self) -> None:
        """Take nothing more from the network."""
        if self._transport is not None:
            self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._transport is not None:
            self._transport.underlying_transport.resume_reading()

    async def wait_closed(self) -> None:
        """Wait until the link is gone."""
        await self._gone.wait()

    # --- inside ---

    def _open_transport(self) -> WSTransport:
        transport = self._transport
        if self._deaf or transport is None or transport.is_disconnected:
            raise UnavailableError("the socket is closed")
        return transport

    def _flush(self) -> None:
        if self._batch:
            batch, self._batch = self._batch, []
            binary, self._batch_is_binary = self._batch_is_binary, False
            self._takes_text = self._assembler.is_idle and not self._deaf
            self._sink.received(batch, self._received_ns, binary=binary)

    def _examine(self, transport: WSTransport, frame: WSFrame) -> None:
        opcode = frame.msg_type
        if opcode not in _DATA:
            self._control(transport, frame)
            return
        message = self._assembler.accept(
            opcode,  # type: ignore[arg-type]  # an integer at run time; the stub says Enum
            frame.get_payload_as_bytes(),
            final=bool(frame.fin),
            reserved=bool(frame.rsv1 or frame.rsv2 or frame.rsv3),
        )
        if message is not None:
            payload, binary = message
            if binary != self._batch_is_binary:
                self._flush()
            self._batch_is_binary = binary
            self._batch.append(payload)
        self._takes_text = self._assembler.is_idle and not self._batch_is_binary

    def _control(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise rules.ProtocolViolationError(rules.PROTOCOL_ERROR, "reserved bit set in a control frame")
        opcode = frame.msg_type
        if opcode == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif opcode == WSMsgType.PONG:
            self.pongs += 1
        elif opcode == WSMsgType.CLOSE:
            self._flush()
            payload = frame.get_payload_as_bytes()
            code = int.from_bytes(payload[:2], "big") if payload else NO_STATUS
            if payload:
                rules.check_close_code(code)
            self._stop(SocketEnd(code, frame.get_close_reason() or ""))
            transport.send(WSMsgType.CLOSE, payload[:2])  # what came, without its reason
            transport.disconnect()

    def _fail(self, transport: WSTransport, error: rules.ProtocolViolationError) -> None:
        self._stop(SocketEnd(error.close_code, error.reason, violation=True))
        transport.send_close(WSCloseCode(error.close_code), error.reason)
        asyncio.get_running_loop().call_later(_VIOLATION_GRACE_SECONDS, transport.disconnect)

    def _stop(self, end: SocketEnd) -> None:
        self.deafen()
        self._end = end

    async def _find_end(self, transport: WSTransport) -> None:
        end = SocketEnd(ABNORMAL_CLOSURE, "the link broke without a close")
        try:
            await transport.wait_disconnected()
        except WSProtocolError as error:
            end = SocketEnd(int(error.code), str(error), violation=True)
        except Exception as error:  # noqa: BLE001 - what picows met, or a sink that failed: the end says it
            end = SocketEnd(INTERNAL_ERROR, repr(error))
        self._deaf, self._takes_text = True, False
        self._gone.set()
        self._sink.closed(self._end or end)
