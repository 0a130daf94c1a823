"""One socket of a connection: hands frames to the stream and lets the connector read the control messages."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Protocol

from virtufin_examples.connections._clock import Clock, completed_within
from virtufin_examples.connections._continuity import Continuity, Hole
from virtufin_examples.connections._sequencer import SequencesExhaustedError
from virtufin_examples.connections._signal import Signal
from virtufin_examples.connections._socket import Socket, SocketEnd
from virtufin_examples.connections._stream import Stream
from virtufin_examples.errors import DeadlineError, UnavailableError
from virtufin_examples.simulated import SIMULATED_HEADER
from virtufin_examples.venues import Arbiter, Arrival, Outgoing, Session, Verdict

REQUEST_ID_BYTES = 16
TRY_AGAIN_LATER = 1013

SAMPLE_FRAMES = 128
SAMPLE_BYTES = 256 * 1024
"""Frames that are kept, of at most so many bytes, for the watchdog's next look, about a second apart."""

_FRAMES_A_READ = 4


class LinkOwner(Protocol):
    """Who hears of what a link finds."""

    def judged(self, verdict: Verdict) -> None:
        """The venue said something."""

    def noted(self, error_type: str, reason: str) -> None:
        """Something went wrong that does not end the socket."""

    def low(self) -> None:
        """More sequences are to be reserved."""

    def flows(self, received_ns: int) -> None:
        """The first data since a break are about to be handed on."""


class Link:
    """The socket of one epoch; a `SocketSink`.

    `arbiter` is set while another socket carries the same. `continuity` looks at every frame's numbers.
    """

    def __init__(
        self,
        stream: Stream,
        session: Session,
        owner: LinkOwner,
        *,
        epoch: int,
        clock: Clock,
        continuity: Continuity | None = None,
        samples: bool = False,
    ) -> None:
        self.epoch = epoch
        self.simulated = False
        self.frames = 0
        self.controls = 0
        self.last_ns = 0
        self.arbiter: Arbiter | None = None
        self.ended: asyncio.Future[SocketEnd] = asyncio.get_running_loop().create_future()
        self.session = session
        self._socket: Socket | None = None
        self._stream = stream
        self._reads_answers = session.reads_answers
        self._observes = session.observes
        self._owner = owner
        self._clock = clock
        self._continuity = continuity
        self._samples = samples
        self._sampling = samples
        self._sample: list[bytes] = []
        self._sample_bytes = 0
        self._progress = Signal()
        self._requests: dict[bytes, asyncio.Future[bytes]] = {}

    # --- called by the socket ---

    def opened(self, socket: Socket, headers: Mapping[str, str]) -> None:
        """Keep the socket, and learn whether a simulator answers."""
        self._socket = socket
        self.simulated = headers.get(SIMULATED_HEADER) == "1"

    def received(self, payloads: Sequence[bytes], received_ns: int, *, binary: bool) -> None:
        """Number first; only then may anything fail."""
        self.frames += len(payloads)
        self.last_ns = received_ns
        if self._stream.is_broken and self._reads_answers:
            payloads = self._begin_again(payloads, received_ns, binary=binary)
        self._take(payloads, received_ns, binary=binary)

    def _begin_again(self, payloads: Sequence[bytes], received_ns: int, *, binary: bool) -> Sequence[bytes]:
        """Take the answers that come first; have the gap announced before the data behind them."""
        try:
            is_control = self.session.is_control
            first = next((n for n, each in enumerate(payloads) if not is_control(each)), None)
        except Exception as error:  # noqa: BLE001 - a plugin: its fault must not stop the frames
            self._reads_no_more(error)
            return payloads
        if first is None:
            return payloads
        if first:
            self._take(payloads[:first], received_ns, binary=binary)
        self._owner.flows(received_ns)
        return payloads[first:]

    def _take(self, payloads: Sequence[bytes], received_ns: int, *, binary: bool) -> None:
        only_data = False
        try:
            if self.arbiter is not None:
                self._arbitrate(self.arbiter, payloads, received_ns, binary=binary)
            else:
                self._deliver(payloads, received_ns, self.epoch, binary=binary)
                only_data = self._continuity is not None and self._continuity.only_data
        except SequencesExhaustedError as error:
            self._owner.noted("SequencesExhausted", str(error))
            self.close(TRY_AGAIN_LATER, "no sequences reserved")
            return
        if self._stream.is_low:
            self._owner.low()
        if self._sampling:
            self._keep(payloads)
        if self._observes:
            self._observe(payloads)
        if self._requests:
            self._answer(payloads)
        if self._reads_answers:
            self._read_control(payloads, binary=binary, only_data=only_data)

    def closed(self, end: SocketEnd) -> None:
        """Wake everybody who waits for this socket."""
        if not self.ended.done():
            self.ended.set_result(end)
        self._progress.set()
        for request in self._requests.values():
            if not request.done():
                request.set_exception(UnavailableError(f"the socket closed before the answer: {end.reason}"))

    # --- called by the epoch ---

    @property
    def signs_of_life(self) -> int:
        """Frames and pongs so far."""
        return self.frames + (self._socket.pongs if self._socket is not None else 0)

    def take_sample(self) -> list[bytes]:
        """Return the frames that were kept since the last call."""
        sample, self._sample, self._sample_bytes = self._sample, [], 0
        self._sampling = self._samples
        return sample

    def send(self, payload: bytes, *, binary: bool, noted: bytes | None = None, lasting: bool = True) -> None:
        """Send a message; the connector notes `noted`, where secrets are still references."""
        socket = self._require_socket()
        out = self.session.outgoing(payload, binary=binary)
        self.session.sent(payload if noted is None else noted, binary=binary, lasting=lasting)
        _send(socket, out)

    def send_plain(self, out: Outgoing) -> None:
        """Send a message of the session's own, which it has noted itself."""
        _send(self._require_socket(), out)

    def ping(self) -> None:
        """Send a ping of the protocol."""
        self._require_socket().ping()

    async def answered(self, seconds: float) -> bool:
        """Wait until the venue has answered all that was sent; False when it has not within the time."""
        until = self._clock.monotonic() + seconds
        while self.session.expects() and not self.ended.done():
            self._progress.clear()
            if not await completed_within(self._clock, until - self._clock.monotonic(), self._progress):
                return False
        return True

    async def request(self, payload: bytes, *, binary: bool, seconds: float) -> bytes:
        """Send a 16-byte id and the payload; return what follows that id in the first message with it.

        The id is made of hex digits, so that it may travel in a text message.
        """
        key = secrets.token_hex(REQUEST_ID_BYTES // 2).encode()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._requests[key] = answer
        done = Signal()
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

    def release(self, arrivals: Sequence[Arrival]) -> None:
        """Hand on what an arbiter had held back."""
        for (epoch, received_ns, binary), group in groupby(
            arrivals, lambda each: (each.epoch, each.received_ns, each.message[1])
        ):
            self._deliver([each.message[0] for each in group], received_ns, epoch, binary=binary)

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

    def _deliver(self, payloads: Sequence[bytes], received_ns: int, epoch: int, *, binary: bool) -> None:
        """Hand messages to the stream, each hole of the venue's numbers announced in its place."""
        start = 0
        for hole in self._holes(payloads, received_ns):
            if hole.index > start:
                self._receive(payloads[start : hole.index], received_ns, epoch, binary=binary)
                start = hole.index
            self._stream.announce_hole(
                hole.symbol,
                hole.first,
                hole.last,
                since_ns=hole.since_ns,
                epoch=epoch,
                now_ns=received_ns,
            )
        self._receive(payloads[start:] if start else payloads, received_ns, epoch, binary=binary)

    def _receive(self, payloads: Sequence[bytes], received_ns: int, epoch: int, *, binary: bool) -> None:
        self._stream.receive(
            payloads,
            received_ns,
            binary=binary,
            epoch=epoch,
            simulated=self.simulated,
            mends=not self._reads_answers,
        )

    def _holes(self, payloads: Sequence[bytes], received_ns: int) -> Sequence[Hole]:
        if self._continuity is None:
            return ()
        try:
            return self._continuity.follow(payloads, self.session, received_ns)
        except Exception as error:  # noqa: BLE001 - a plugin: its fault must not stop the frames
            self._continuity = None
            self._owner.noted("ConnectorFailed", f"numbers are followed no more on this socket: {error!r}")
            return ()

    def _arbitrate(
        self, arbiter: Arbiter, payloads: Sequence[bytes], received_ns: int, *, binary: bool
    ) -> None:
        is_control = self.session.is_control
        for payload in payloads:
            if is_control(payload):
                self._deliver([payload], received_ns, self.epoch, binary=binary)
            else:
                self.release(arbiter.offer(Arrival(self.epoch, (payload, binary), received_ns)))

    def _observe(self, payloads: Sequence[bytes]) -> None:
        try:
            for payload in payloads:
                self.session.observe(payload)
        except Exception as error:  # noqa: BLE001 - a plugin: its fault must not stop the frames
            self._observes = False
            self._owner.noted("ConnectorFailed", f"observe: {error!r}")

    def _keep(self, payloads: Sequence[bytes]) -> None:
        for payload in payloads[:_FRAMES_A_READ]:
            self._sample.append(payload)
            self._sample_bytes += len(payload)
        self._sampling = len(self._sample) < SAMPLE_FRAMES and self._sample_bytes < SAMPLE_BYTES

    def _answer(self, payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            request = self._requests.get(payload[:REQUEST_ID_BYTES])
            if request is not None and not request.done():
                request.set_result(payload[REQUEST_ID_BYTES:])

    def _read_control(self, payloads: Sequence[bytes], *, binary: bool, only_data: bool) -> None:
        session = self.session
        try:
            controls = () if only_data else session.controls(payloads)
            if session.expects() > 0:  # any frame may be an answer
                claimed = set(controls)
                for place, payload in enumerate(payloads):
                    self._read(payload, binary=binary, claimed=place in claimed)
                return
            for place in controls:
                self._read(payloads[place], binary=binary, claimed=True)
        except Exception as error:  # noqa: BLE001 - a plugin: its fault must not stop the frames
            self._reads_no_more(error)

    def _read(self, payload: bytes, *, binary: bool, claimed: bool) -> None:
        if claimed:
            self._count_control()
        self._judge(self.session.received(payload, binary=binary), counted=claimed)

    def _reads_no_more(self, error: Exception) -> None:
        self._reads_answers = False
        self._owner.noted("ConnectorFailed", f"the connector reads no more on this socket: {error!r}")

    def _count_control(self) -> None:
        self.controls += 1
        self._stream.controls += 1

    def _judge(self, verdict: Verdict | None, *, counted: bool) -> None:
        if verdict is None:
            return
        if not counted:
            self._count_control()
        self._progress.set()
        self._owner.judged(verdict)


def _send(socket: Socket, out: Outgoing) -> None:
    if out.binary:
        socket.send_binary(out.payload)
    else:
        socket.send_text(out.payload)
