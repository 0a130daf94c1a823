"""One socket of a connection: hands frames to the stream and lets the connector read the control messages."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence

from virtufin_examples.connections._clock import Clock, completed_within
from virtufin_examples.connections._sequencer import SequencesExhaustedError
from virtufin_examples.connections._socket import Message, Socket, SocketEnd
from virtufin_examples.connections._stream import Stream
from virtufin_examples.errors import DeadlineError, UnavailableError
from virtufin_examples.venues import Acknowledged, Refused, Session, Verdict

SIMULATED_HEADER = "x-virtufin-simulated"
REQUEST_ID_BYTES = 16
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013


class Link:
    """The socket of one epoch; a `SocketSink`.

    `on_refused` gets what the venue refused, `on_note` a text for the user (an acknowledgement that left
    symbols out, a connector that failed), `on_low` is called when more sequences are to be reserved.
    """

    def __init__(
        self,
        stream: Stream,
        session: Session,
        *,
        epoch: int,
        clock: Clock,
        on_refused: Callable[[Link, Refused], None],
        on_note: Callable[[str, str], None],
        on_low: Callable[[], None],
    ) -> None:
        self.epoch = epoch
        self.simulated = False
        self.ended: asyncio.Future[SocketEnd] = asyncio.get_running_loop().create_future()
        self._socket: Socket | None = None
        self._stream = stream
        self._session = session
        self._reads_control = session.reads_answers
        self._clock = clock
        self._on_refused = on_refused
        self._on_note = on_note
        self._on_low = on_low
        self._progress = asyncio.Event()
        self._requests: dict[bytes, asyncio.Future[bytes]] = {}

    # --- called by the socket ---

    def opened(self, socket: Socket, headers: Mapping[str, str]) -> None:
        """Keep the socket, and learn whether a simulator answers."""
        self._socket = socket
        self.simulated = headers.get(SIMULATED_HEADER) == "1"

    def received(self, messages: Sequence[Message], received_ns: int) -> None:
        """Number first; only then may anything fail."""
        try:
            self._stream.receive(messages, received_ns, epoch=self.epoch, simulated=self.simulated)
        except SequencesExhaustedError as error:
            self._on_note("SequencesExhausted", str(error))
            self.close(TRY_AGAIN_LATER, "no sequences reserved")
            return
        if self._stream.is_low:
            self._on_low()
        if self._requests:
            self._answer(messages)
        if self._reads_control:
            self._read_control(messages)

    def closed(self, end: SocketEnd) -> None:
        """Wake everybody who waits for this socket."""
        if not self.ended.done():
            self.ended.set_result(end)
        self._progress.set()
        for request in self._requests.values():
            if not request.done():
                request.set_exception(UnavailableError(f"the socket closed before the answer: {end.reason}"))

    # --- called by the connection ---

    def send(self, payload: bytes, *, binary: bool, noted: bytes | None = None) -> None:
        """Send a message; the connector notes `noted`, where secrets are still references."""
        socket = self._require_socket()
        out = self._session.outgoing(payload, binary=binary)
        self._session.sent(payload if noted is None else noted, binary=binary)
        if out.binary:
            socket.send_binary(out.payload)
        else:
            socket.send_text(out.payload)

    async def answered(self, seconds: float) -> bool:
        """Wait until the venue has answered all that was sent; False when it has not within the time."""
        while self._session.expects() and not self.ended.done():
            self._progress.clear()
            if not await completed_within(self._clock, seconds, self._progress):
                return False
        return True

    async def request(self, payload: bytes, *, binary: bool, seconds: float) -> bytes:
        """Send a 16-byte id and the payload; return what follows that id in the first message with it.

        The id is made of hex digits, so that it may travel in a text message.
        """
        key = secrets.token_hex(REQUEST_ID_BYTES // 2).encode()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._requests[key] = answer
        done = asyncio.Event()
        answer.add_done_callback(lambda _: done.set())
        try:
            self.send(key + payload, binary=binary)
            if not await completed_within(self._clock, seconds, done):
                raise DeadlineError(
                    f"no message that starts with the 16-byte id within {seconds:g} s",
                    hint="only a peer that echoes the id can be asked; use SendRaw for an exchange",
                )
            return answer.result()
        finally:
            del self._requests[key]
            answer.cancel()

    def close(self, code: int, reason: str) -> None:
        """Begin to close."""
        if self._socket is not None:
            self._socket.close(code, reason)

    async def wait_closed(self) -> None:
        """Wait until the link is gone; at once when it never was there."""
        if self._socket is not None:
            await self._socket.wait_closed()

    def pause_reading(self) -> None:
        """Take nothing more from the network."""
        if self._socket is not None:
            self._socket.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._socket is not None:
            self._socket.resume_reading()

    # --- inside ---

    def _require_socket(self) -> Socket:
        if self._socket is None:
            raise UnavailableError("the socket is not open")
        return self._socket

    def _answer(self, messages: Sequence[Message]) -> None:
        for payload, _ in messages:
            request = self._requests.get(payload[:REQUEST_ID_BYTES])
            if request is not None and not request.done():
                request.set_result(payload[REQUEST_ID_BYTES:])

    def _read_control(self, messages: Sequence[Message]) -> None:
        session = self._session
        try:
            expecting = session.expects() > 0
            is_control = session.is_control
            for payload, binary in messages:
                if expecting or is_control(payload):
                    self._judge(session.received(payload, binary=binary))
        except Exception as error:  # noqa: BLE001 - a plugin: its fault must not stop the frames
            self._reads_control = False
            self._on_note("ConnectorFailed", f"the connector reads no more on this socket: {error!r}")

    def _judge(self, verdict: Verdict | None) -> None:
        if verdict is None:
            return
        self._progress.set()
        if isinstance(verdict, Refused):
            self._on_refused(self, verdict)
        elif isinstance(verdict, Acknowledged) and verdict.missing:
            self._on_note("SymbolsMissing", f"the venue left out {', '.join(verdict.missing)}")
