"""The client's end of the lane (`bus/_lane.py`): one connection to publish, one for each subscription."""

from __future__ import annotations

import asyncio

import msgspec
from dapr.proto.runtime.v1 import pubsub_pb2

from virtufin_examples.bus import _lane as wire
from virtufin_examples.bus._dapr_channel import MAX_MESSAGE_BYTES
from virtufin_examples.bus._dapr_errors import status_error
from virtufin_examples.bus._dapr_stream import CLOSE_GRACE_SECONDS, event_of
from virtufin_examples.bus._joined import MOST_MESSAGES
from virtufin_examples.bus._port import Ack, Event
from virtufin_examples.errors import DeadlineError, UnavailableError, VirtufinError

CONNECT_SECONDS = 1.0
"""For the connection and the answer to the greeting, on one machine."""

AHEAD_BYTES = 1024 * 1024
"""Received and not yet taken; with more, nothing is read."""


class _Link(asyncio.Protocol):
    """What both have in common: the greeting, frames in, the end."""

    def __init__(self, endpoint: str) -> None:
        self.ended = asyncio.Event()
        """Set when the connection is gone."""
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._reader = wire.FrameReader()
        self._transport: asyncio.Transport | None = None
        self._welcome: asyncio.Future[None] = self._loop.create_future()
        self._welcome.add_done_callback(_retrieved)

    @property
    def is_up(self) -> bool:
        """Whether the connection is there."""
        return self._transport is not None and not self._transport.is_closing()

    async def connect(self, address: wire.LaneAddress, app_id: str, token: str) -> None:
        """Connect and say who comes; raises a `VirtufinError`."""
        hello = msgspec.json.encode(wire.Hello(address.key, app_id, token))
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._loop.create_connection(lambda: self, wire.LANE_HOST, address.port)
                self.write(wire.lane_frame(wire.HELLO, 0, hello))
                await self._welcome
        except (OSError, TimeoutError) as error:
            self.cancel()
            raise UnavailableError(f"no lane of the runtime at port {address.port}: {error}") from error
        except BaseException:
            self.cancel()
            raise

    def write(self, data: bytes) -> None:
        """Write, or raise `UnavailableError`."""
        if self._transport is None:
            raise self._lost()
        self._transport.write(data)

    def cancel(self) -> None:
        """End the connection at once; `ended` tells when it is gone."""
        if self._transport is not None:
            self._transport.abort()

    # --- called by the event loop ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a TCP connection
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        try:
            for kind, number, body in self._reader.feed(data):
                if kind == wire.WELCOME:
                    self._welcomed()
                elif kind == wire.PROBLEM and number == 0:
                    self._end(body)
                else:
                    self._take(kind, number, body)
        except (wire.LaneError, msgspec.DecodeError):  # it is no lane: another program has the port
            self.cancel()

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell whoever waits."""
        self._transport = None
        if not self._welcome.done():
            self._welcome.set_exception(self._lost())
        self.ended.set()

    # --- inside ---

    def _take(self, kind: int, number: int, body: bytes) -> None:
        raise wire.LaneError(f"frame {number} of kind {kind} and {len(body)} bytes is not expected")

    def _welcomed(self) -> None:
        if not self._welcome.done():
            self._welcome.set_result(None)

    def _end(self, body: bytes) -> None:
        """The runtime says why it ends the connection."""
        if not self._welcome.done():
            self._welcome.set_exception(self._problem(body, "greet it"))
        self.cancel()

    def _problem(self, body: bytes, what: str) -> VirtufinError:
        problem = msgspec.json.decode(body, type=wire.Problem)
        return status_error(problem.code, problem.details, what, self._endpoint)

    def _lost(self) -> UnavailableError:
        return UnavailableError(f"Dapr at {self._endpoint}: the connection to the runtime is lost")


class LanePublisher(_Link):
    """Publishes: any number of messages at a time, those of one topic in their order."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self._calls: dict[int, tuple[asyncio.Future[bytes], str]] = {}
        self._last = 0

    async def publish(
        self, request: pubsub_pb2.PublishEventRequest, what: str, timeout_seconds: float
    ) -> None:
        """Return when the runtime has taken it."""
        await self._call(wire.PUBLISH, request.SerializeToString(), what, timeout_seconds)

    async def publish_bulk(
        self, request: pubsub_pb2.BulkPublishRequest, what: str, timeout_seconds: float
    ) -> pubsub_pb2.BulkPublishResponse:
        """Return what the runtime says of each entry."""
        answer = await self._call(wire.PUBLISH_BULK, request.SerializeToString(), what, timeout_seconds)
        return pubsub_pb2.BulkPublishResponse.FromString(answer)

    async def _call(self, kind: int, body: bytes, what: str, timeout_seconds: float) -> bytes:
        if len(body) > MAX_MESSAGE_BYTES:
            details = f"Sent message larger than max ({len(body)} vs. {MAX_MESSAGE_BYTES})"
            raise status_error("RESOURCE_EXHAUSTED", details, what, self._endpoint)
        self._last = number = self._last % 0xFFFFFFFF + 1
        call: asyncio.Future[bytes] = self._loop.create_future()
        self._calls[number] = call, what
        timer = self._loop.call_later(timeout_seconds, self._expire, number, timeout_seconds)
        try:
            self.write(wire.lane_frame(kind, number, body))
            return await call
        finally:
            timer.cancel()
            self._calls.pop(number, None)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits; whether the runtime has taken it nobody knows."""
        super().connection_lost(error)
        for call, _ in self._calls.values():
            if not call.done():
                call.set_exception(self._lost())

    def _take(self, kind: int, number: int, body: bytes) -> None:
        call, what = self._calls.get(number, (None, ""))
        if call is None or call.done():  # it was given up
            return
        if kind == wire.DONE:
            call.set_result(body)
        elif kind == wire.PROBLEM:
            call.set_exception(self._problem(body, what))
        else:
            super()._take(kind, number, body)

    def _expire(self, number: int, seconds: float) -> None:
        call, what = self._calls[number]
        if not call.done():
            call.set_exception(DeadlineError(f"Dapr at {self._endpoint}: {what}: no answer in {seconds:g} s"))


class LaneStream(_Link):
    """A subscription's connection; a `SubscriptionStream`."""

    def __init__(self, endpoint: str, topic: str) -> None:
        super().__init__(endpoint)
        self._what = f"subscription of {topic}"
        self._events: list[bytes] = []
        self._ahead_bytes = 0
        self._reading_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._error: VirtufinError | None = None
        self._answers: list[bytes] = []
        self._closing = False

    async def open(self, initial: pubsub_pb2.SubscribeTopicEventsRequestAlpha1) -> None:
        """Return when the subscription is in force; raises why it is not."""
        self._welcome = self._loop.create_future()
        self._welcome.add_done_callback(_retrieved)
        self.write(wire.lane_frame(wire.SUBSCRIBE, 0, initial.SerializeToString()))
        await self._welcome

    async def next_events(self) -> list[Event] | None:
        """Return what has come, or None when the runtime ended the connection; raises why it did."""
        while not self._events:
            if self._error is not None:
                raise self._error
            if self.ended.is_set():
                return None
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        events, self._events = self._events[:MOST_MESSAGES], self._events[MOST_MESSAGES:]
        self._ahead_bytes -= sum(map(len, events))
        if self._reading_paused and self._ahead_bytes < AHEAD_BYTES and self._transport is not None:
            self._reading_paused = False
            self._transport.resume_reading()
        parse = pubsub_pb2.SubscribeTopicEventsResponseAlpha1.FromString
        return [event_of(parse(body).event_message) for body in events]

    def answer(self, event_id: str, ack: Ack) -> None:
        """Give an answer; those of one turn of the loop go out together."""
        if not self._answers:
            self._loop.call_soon(self._write_answers)
        self._answers.append(wire.lane_frame(wire.ACK, int(ack), event_id.encode()))

    async def close(self) -> None:
        """Write the answers given so far, then end: the runtime has taken them when this returns."""
        self._closing = True
        self._write_answers()
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
            if self._reading_paused:
                self._transport.resume_reading()
            try:
                async with asyncio.timeout(CLOSE_GRACE_SECONDS):
                    await self.ended.wait()
            except TimeoutError:
                self.cancel()

    def connection_lost(self, error: Exception | None) -> None:
        """Wake the reader."""
        super().connection_lost(error)
        self._wake()

    def _write_answers(self) -> None:
        answers, self._answers = self._answers, []
        if answers and self._transport is not None:  # after the end the broker has taken the events back
            self._transport.write(b"".join(answers))

    def _take(self, kind: int, number: int, body: bytes) -> None:
        if kind != wire.EVENT:
            super()._take(kind, number, body)
        if self._closing:  # it goes back to the broker
            return
        self._events.append(body)
        self._ahead_bytes += len(body)
        if self._ahead_bytes >= AHEAD_BYTES and not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake()

    def _end(self, body: bytes) -> None:
        self._error = self._problem(body, self._what)
        if not self._welcome.done():
            self._welcome.set_exception(self._error)
        self.cancel()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _retrieved(welcome: asyncio.Future[None]) -> None:
    """Look at the outcome, which nobody else does when the caller has gone."""
    if not welcome.cancelled():
        welcome.exception()
