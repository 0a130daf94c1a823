"""Broadcast: one subscription on the bus a topic, its events to every caller.

A caller's queue is bounded; one that is full ends that caller alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import uuid
from collections import deque

import structlog

from virtufin_examples._generated.virtufin.v1 import pubsub_pb2
from virtufin_examples.bus import Ack, Bus, BusSubscription
from virtufin_examples.errors import NotFoundError, ResourceLimitError, UnavailableError, VirtufinError
from virtufin_examples.gateway._cloudevents import from_event
from virtufin_examples.gateway._metrics import GatewayMetrics

_log = structlog.get_logger(__name__)

QUEUE_BYTES = 8 * 1024 * 1024
"""What may wait for one caller; a single larger event passes when nothing else waits."""
ENTRY_OVERHEAD_BYTES = 512
"""What an event costs besides its data."""


class Caller:
    """One caller of Subscribe: an async iterator of messages that ends or raises as the gateway decides."""

    def __init__(self, topic: str, queue_bytes: int) -> None:
        self.topic = topic
        self.subscription_id = str(uuid.uuid4())
        self._limit = queue_bytes
        self._waiting: deque[tuple[pubsub_pb2.SubscribeResponse, int]] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._ended = False
        self._error: VirtufinError | None = None

    def offer(self, message: pubsub_pb2.SubscribeResponse, size: int) -> bool:
        """Queue a message; False when there is no room for it."""
        if self._waiting and self._bytes + size > self._limit:
            return False
        self._waiting.append((message, size))
        self._bytes += size
        self._wake.set()
        return True

    def end(self, error: VirtufinError | None = None) -> None:
        """End the iteration, with an error at once, without one after what waits."""
        if self._ended:
            return
        self._ended = True
        self._error = error
        if error is not None:
            self._waiting.clear()
        self._wake.set()

    def __aiter__(self) -> Caller:
        return self

    async def __anext__(self) -> pubsub_pb2.SubscribeResponse:
        """Return the next message; the first says that the subscription is in force."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        message, size = self._waiting.popleft()
        self._bytes -= size
        return message


class _Topic:
    """The subscription of one topic and those who listen to it."""

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = {}
        self.users = 0  # callers, and those who wait for the lock
        self.lock = asyncio.Lock()
        self.subscription: BusSubscription | None = None
        self.pump: asyncio.Task[None] | None = None


class Fanout:
    """Hands the events of each topic to all of its callers."""

    def __init__(self, bus: Bus, metrics: GatewayMetrics, *, queue_bytes: int = QUEUE_BYTES) -> None:
        self._bus = bus
        self._metrics = metrics
        self._queue_bytes = queue_bytes
        self._topics: dict[str, _Topic] = {}
        self._callers: dict[str, Caller] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    async def join(self, name: str) -> Caller:
        """Return a caller that gets every event of the topic from now on; raises the bus's errors."""
        if self._closed:
            raise UnavailableError("the gateway is stopping", hint="subscribe again")
        topic = self._topics.setdefault(name, _Topic())
        topic.users += 1
        try:
            async with topic.lock:
                if topic.pump is not None and topic.pump.done():
                    await self._drop(topic)
                if topic.subscription is None:
                    topic.subscription = await self._bus.subscribe(name)
                    topic.pump = asyncio.create_task(
                        self._pump(name, topic, topic.subscription), name=f"fanout-{name}"
                    )
                    self._metrics.topics.inc()
                caller = Caller(name, self._queue_bytes)
                caller.offer(
                    pubsub_pb2.SubscribeResponse(
                        topic=name, timestamp=_now(), subscription_id=caller.subscription_id
                    ),
                    ENTRY_OVERHEAD_BYTES,
                )
                topic.callers[caller.subscription_id] = caller
        except BaseException:
            self._release(name, topic)
            raise
        self._callers[caller.subscription_id] = caller
        self._metrics.subscribers.inc()
        return caller

    def leave(self, caller: Caller) -> None:
        """Take a caller out; the last one of a topic closes its subscription. Twice is once."""
        if self._callers.pop(caller.subscription_id, None) is None:
            return
        self._metrics.subscribers.dec()
        topic = self._topics[caller.topic]
        topic.callers.pop(caller.subscription_id, None)
        self._release(caller.topic, topic)

    def end(self, subscription_id: str) -> None:
        """End a caller's stream from outside; raises `NotFoundError` for an unknown id."""
        caller = self._callers.get(subscription_id)
        if caller is None:
            raise NotFoundError(
                f"subscription_id is {subscription_id!r}: there is no such subscription",
                hint="the first message of Subscribe carries it",
            )
        caller.end()
        self.leave(caller)

    async def close(self) -> None:
        """End all callers and all subscriptions."""
        self._closed = True
        for caller in tuple(self._callers.values()):
            caller.end(UnavailableError("the gateway is stopping", hint="subscribe again"))
            self.leave(caller)
        while self._leaving:
            await asyncio.gather(*self._leaving)

    def _release(self, name: str, topic: _Topic) -> None:
        topic.users -= 1
        if topic.users == 0:
            task = asyncio.create_task(self._close_unused(name, topic), name=f"fanout-close-{name}")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _close_unused(self, name: str, topic: _Topic) -> None:
        # Under the lock, so that a caller who comes now waits and subscribes anew.
        async with topic.lock:
            if topic.users:
                return
            if topic.subscription is not None:
                await self._drop(topic)
            if not topic.users and self._topics.get(name) is topic:
                del self._topics[name]

    async def _drop(self, topic: _Topic) -> None:
        subscription, pump = topic.subscription, topic.pump
        topic.subscription = topic.pump = None
        self._metrics.topics.dec()
        if pump is not None and pump is not asyncio.current_task():
            pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pump
        if subscription is not None:
            try:
                await subscription.close()
            except VirtufinError as error:
                _log.warning("closing a subscription failed", error=str(error))

    async def _pump(self, name: str, topic: _Topic, subscription: BusSubscription) -> None:
        reason = "the bus ended the subscription"
        try:
            async for delivery in subscription:
                event = delivery.event
                message = pubsub_pb2.SubscribeResponse(
                    topic=name, cloudevent=from_event(event), message_id=event.id, timestamp=_now()
                )
                size = len(event.data) + ENTRY_OVERHEAD_BYTES
                for caller in tuple(topic.callers.values()):
                    if not caller.offer(message, size):
                        self._cut(caller)
                await delivery.answer(Ack.SUCCESS)
        except VirtufinError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - logged, and told to every caller
            _log.exception("reading a topic failed", topic=name)
            reason = f"reading it failed ({type(error).__name__})"
        self._end_all(name, topic, reason)

    def _end_all(self, name: str, topic: _Topic, reason: str) -> None:
        for caller in tuple(topic.callers.values()):
            caller.end(UnavailableError(f"topic {name}: {reason}", hint="subscribe again"))
            self.leave(caller)

    def _cut(self, caller: Caller) -> None:
        self._metrics.cut.inc()
        _log.warning("caller too slow", topic=caller.topic, subscription_id=caller.subscription_id)
        caller.end(
            ResourceLimitError(
                f"topic {caller.topic}: {self._queue_bytes} bytes wait for this caller, who reads too slowly",
                hint="events are missing: subscribe again and read faster, or at a sidecar of your own",
            )
        )
        self.leave(caller)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
