"""A subscription of one topic that opens its stream again when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import grpc.aio
from dapr.proto.runtime.v1 import pubsub_pb2
from google.protobuf.message import DecodeError

from virtufin_examples.bus._dapr_errors import bus_error
from virtufin_examples.bus._dapr_stream import SubscriptionStream
from virtufin_examples.bus._inbox import ENTRY_OVERHEAD_BYTES, Inbox
from virtufin_examples.bus._port import Ack, Event
from virtufin_examples.errors import DeadlineError, UnavailableError, VirtufinError

_log = logging.getLogger(__name__)

SUBSCRIBE_TIMEOUT_SECONDS = 30.0
"""For the sidecar's word that the subscription is in force; a Kafka consumer group may take its time."""
INBOX_BYTES = 32 * 1024 * 1024
"""Read from the stream and not yet taken: two messages of the largest size."""
BACKOFF_FIRST_SECONDS = 0.1
BACKOFF_LIMIT_SECONDS = 5.0
STABLE_SECONDS = 10.0
"""A stream that held this long starts the back-off anew."""

_STATUS_LOST = "Internal error from Core"
"""grpc's details (`_cygrpc/aio/call.pyx.pxi`) when a call is refused in the moment that it is written to:
this status takes the place of the server's."""


def backoff_seconds(attempt: int, chance: float) -> float:
    """Return the wait before try `attempt` (0, 1, ...): doubled up to a limit, half left to `chance`."""
    whole = min(BACKOFF_LIMIT_SECONDS, BACKOFF_FIRST_SECONDS * 2.0 ** min(attempt, 16))
    return whole * (0.5 + chance / 2)


class DaprDelivery:
    """An event that waits for its answer."""

    __slots__ = ("_answered", "_stream", "event")

    def __init__(self, event: Event, stream: SubscriptionStream) -> None:
        self.event: Event = event
        self._stream = stream
        self._answered = False

    async def answer(self, ack: Ack) -> None:
        """Answer; only the first answer counts."""
        if not self._answered:
            self._answered = True
            self._stream.answer(self.event.id, ack)


class DaprSubscription:
    """The subscription of one topic. Made by `DaprBus.subscribe`.

    When its stream breaks it subscribes again for as long as it takes, with a capped, jittered back-off.
    Deliveries read before a break are still handed out: the broker may send them again, so a reader can see
    an event twice, but none is lost here.
    """

    def __init__(
        self,
        new_stream: Callable[[], Awaitable[SubscriptionStream]],
        *,
        endpoint: str,
        pubsub_name: str,
        topic: str,
        dead_letter_topic: str,
        metadata: Mapping[str, str] | None,
        on_close: Callable[[DaprSubscription], None],
    ) -> None:
        self._new_stream = new_stream
        self._on_close = on_close
        self._endpoint = endpoint
        self._topic = topic
        self._initial = pubsub_pb2.SubscribeTopicEventsRequestAlpha1(
            initial_request=pubsub_pb2.SubscribeTopicEventsRequestInitialAlpha1(
                pubsub_name=pubsub_name,
                topic=topic,
                metadata=dict(metadata or {}),
                dead_letter_topic=dead_letter_topic or None,
            )
        )
        self._inbox: Inbox[list[DaprDelivery]] = Inbox(INBOX_BYTES)
        self._breaks = 0
        self._received = 0
        self._renewing = False
        self._closing = False
        self._stream: SubscriptionStream | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def breaks(self) -> int:
        """How often the stream broke."""
        return self._breaks

    @property
    def received(self) -> int:
        """How many events the present stream has brought."""
        return self._received

    async def renew(self) -> None:
        """End the stream and open another one; `breaks` counts it."""
        if self._stream is not None:
            self._renewing = True
            await self._stream.close()

    async def start(self) -> None:
        """Return once the subscription is in force; raises a `VirtufinError` when it cannot be."""
        stream = await self._open()
        self._task = asyncio.create_task(self._run(stream), name=f"subscription-{self._topic}")

    async def __aiter__(self) -> AsyncIterator[DaprDelivery]:
        async for deliveries in self.together():
            for delivery in deliveries:
                if self._closing:
                    return
                yield delivery

    async def together(self) -> AsyncIterator[list[DaprDelivery]]:
        """Yield the same in lists, as they came together."""
        while (deliveries := await self._inbox.get()) is not None:
            yield deliveries

    def take(self) -> list[DaprDelivery] | None:
        """Return what came together, None when there is nothing now; instead of iterating."""
        return self._inbox.take()

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._inbox.is_closed

    def on_change(self, call: Callable[[], None]) -> None:
        """Have a function called whenever there is something to take, and at the end."""
        self._inbox.on_change = call

    async def close(self) -> None:
        """End it; answers given before are still written."""
        self._closing = True
        self._inbox.close()
        if self._stream is not None:
            await self._stream.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._on_close(self)

    async def _open(self) -> SubscriptionStream:
        what = f"subscribe to {self._topic}"
        try:
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_SECONDS):
                while (stream := await self._try_open()) is None:
                    pass
        except grpc.aio.AioRpcError as error:
            raise bus_error(error, what, self._endpoint) from error
        except TimeoutError as error:
            message = f"Dapr at {self._endpoint}: {what}: no answer in {SUBSCRIBE_TIMEOUT_SECONDS:g} s"
            raise DeadlineError(message) from error
        self._stream = stream
        return stream

    async def _try_open(self) -> SubscriptionStream | None:
        """Return the stream, or None when it was refused and gRPC does not say why: the next try tells."""
        stream = await self._new_stream()
        try:
            await stream.open(self._initial)
        except BaseException as error:
            stream.cancel()
            if isinstance(error, grpc.aio.AioRpcError) and error.details() == _STATUS_LOST:
                return None
            raise
        return stream

    async def _run(self, stream: SubscriptionStream) -> None:
        clock = asyncio.get_running_loop().time
        attempt = 0
        while True:
            opened = clock()
            reason = await self._read(stream)
            if self._closing:
                return
            stream.cancel()
            self._breaks += 1
            attempt = 0 if clock() - opened >= STABLE_SECONDS else attempt
            _log.warning("subscription of %s broke, subscribing again: %s", self._topic, reason)
            stream, attempt = await self._reopen(attempt)
            _log.info("subscription of %s is in force again", self._topic)

    async def _read(self, stream: SubscriptionStream) -> VirtufinError:
        """Read until the stream breaks; return why it did."""
        self._received, self._renewing = 0, False
        try:
            while (events := await stream.next_events()) is not None:
                self._received += len(events)
                size = sum(len(event.data) + ENTRY_OVERHEAD_BYTES for event in events)
                await self._inbox.put([DaprDelivery(event, stream) for event in events], size)
        except grpc.aio.AioRpcError as error:
            return bus_error(error, f"subscription of {self._topic}", self._endpoint)
        except DecodeError as error:
            return UnavailableError(f"Dapr at {self._endpoint} sent what is no event: {error}")
        except VirtufinError as error:
            return error
        except asyncio.CancelledError:  # gRPC's word for a call that we ended
            if not self._renewing or self._closing:
                raise
        return UnavailableError(f"Dapr at {self._endpoint} ended the stream")

    async def _reopen(self, attempt: int) -> tuple[SubscriptionStream, int]:
        while True:
            await asyncio.sleep(backoff_seconds(attempt, random.random()))  # noqa: S311 - jitter, no secret
            attempt += 1
            try:
                return await self._open(), attempt
            except VirtufinError as error:
                _log.debug("subscription of %s: try %d failed: %s", self._topic, attempt, error)
