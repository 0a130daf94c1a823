"""The subscription of a topic: messages from Dapr in, items in order out."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from types import TracebackType
from typing import Self

import msgspec

from virtufin_examples.bus import Ack, Delivery
from virtufin_examples.bus.dapr import DaprBus, DaprSubscription
from virtufin_examples.client._sidecar import SidecarFinder
from virtufin_examples.client._topic_reading import TopicReading
from virtufin_examples.frames import (
    Frame,
    Gap,
    Item,
    Merger,
    Restored,
    Silent,
    Stale,
    events_topic,
)

_log = logging.getLogger(__name__)

Handler = Callable[[Item], Awaitable[None] | None]

_NS_PER_SECOND = 1_000_000_000
_PAUSE_NS = 100_000_000
"""What a reader's pause between two pulls counts for at most. While it is away nothing is read, so what would
fill a hole may be there already. Well below the window."""
_MUTE = frozenset(("pubsub.kafka",))
"""Components of Dapr that can end a new subscription together with an earlier one of the topic, as when a
program was killed and is back within a second: it stays open and brings nothing for good. It is renewed."""
_HINT_SECONDS = 1.0


class Subscription:
    """An async iterator of `Frame`, `Gap`, `Stale`, `Restored`, `Silent` (and `Late`) of topics.

    Made by `subscribe`. It reads each topic and its `.events` companion, reconnects by itself, and
    acknowledges a message when iteration takes its items: what an ended program had not taken goes back to
    the broker. Iteration ends with `close`, after what had been taken already.
    """

    def __init__(
        self, mergers: Mapping[str, Merger], finder: SidecarFinder, app_id: str, after: Mapping[str, int]
    ) -> None:
        self.topics = {topic: TopicReading(topic, merger) for topic, merger in mergers.items()}
        """Each topic with its own numbers; those of the subscription are their sums."""
        self.app_id = app_id
        self._after = after
        self._readings = tuple(self.topics.values())
        self._finder = finder
        self._bus: DaprBus | None = None
        self._sources: list[DaprSubscription] = []
        self._renewable: dict[TopicReading, list[DaprSubscription]] = defaultdict(list)
        self._open: list[tuple[DaprSubscription, TopicReading]] = []
        self._wake: asyncio.Future[None] | None = None
        self._waiting: deque[tuple[Delivery, TopicReading]] = deque()  # read from Dapr, not taken yet
        self._ready: deque[Item] = deque()
        self._zero_ns = 0  # the merger's clock starts at 0 and stands still while the reader is away
        self._left_ns = 0
        self._closed = False
        self._lag_ns = 0
        self.on_dapr = False
        """Whether it reads from a real sidecar and not from the embedded runtime; known once started."""

    async def start(self) -> Self:
        """Subscribe; returns when all subscriptions are in force."""
        sidecar = await self._finder.find()
        self._bus = sidecar.bus(self.app_id)
        try:
            info = await self._bus.sidecar()
            info.require(sidecar.pubsub_name, "pubsub", setting="VIRTUFIN_PUBSUB_NAME")
            self.on_dapr = not info.is_embedded
            may_be_mute = info.components[sidecar.pubsub_name] in _MUTE
            for reading in self._readings:
                for topic in (events_topic(reading.topic), reading.topic):
                    source = await self._bus.subscribe(topic)
                    self._sources.append(source)
                    if may_be_mute:
                        self._renewable[reading].append(source)
                    self._open.append((source, reading))
                    source.on_change(self._wake_up)
        except BaseException:
            await self.close()
            raise
        self._zero_ns = self._left_ns = time.monotonic_ns()
        return self

    def __await__(self) -> Generator[object, None, Self]:
        """Start it without `async with`; then `close` is the caller's."""
        return self.start().__await__()

    async def __aenter__(self) -> Self:
        """Start."""
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def expect(self, connection_id: str) -> None:
        """Say that a connection is newer than this: what is missing before its first frame is a `Gap`."""
        for reading in self._readings:
            reading.merger.expect(connection_id)

    async def close(self) -> None:
        """End all subscriptions and the connection."""
        self._closed = True
        self._waiting.clear()
        if self._bus is not None:
            await self._bus.close()

    @property
    def topic(self) -> str:
        """The topic; several with commas between."""
        return ", ".join(self.topics)

    @property
    def lag(self) -> float:
        """Seconds from the socket's receipt of the latest frame to its hand-over."""
        return self._lag_ns / _NS_PER_SECOND

    @property
    def place(self) -> dict[str, int]:
        """The number of the last item of each connection that iteration has handed out.

        Kept with what the program made of the items, it is the `after` of the program's next run.
        """
        place = dict(self._after)
        for reading in self._readings:
            for connection_id, sequence in reading.merger.place().items():
                place[connection_id] = max(sequence, place.get(connection_id, 0))
        for item in reversed(self._ready):  # in order, but not taken yet
            if isinstance(item, (Frame, Gap, Stale, Restored)):
                place[item.connection_id] = _first_number(item) - 1
        return place

    @property
    def frames(self) -> int:
        """Frames in order so far."""
        return sum(reading.frames for reading in self._readings)

    @property
    def gaps(self) -> int:
        """Gaps, announced and found."""
        return sum(reading.gaps for reading in self._readings)

    @property
    def duplicates(self) -> int:
        """Repeats that were dropped."""
        return sum(reading.duplicates for reading in self._readings)

    @property
    def late(self) -> int:
        """Items that came after their gap had been told."""
        return sum(reading.late for reading in self._readings)

    @property
    def refused(self) -> int:
        """Frames of an instance that no longer holds the connection."""
        return sum(reading.refused for reading in self._readings)

    @property
    def foreign(self) -> int:
        """Messages that no WebSocketManager published; the first one of each topic is reported."""
        return sum(reading.foreign for reading in self._readings)

    @property
    def replayed(self) -> int:
        """Messages that a replay of a recording published: what they carry is not live."""
        return sum(reading.replayed for reading in self._readings)

    @property
    def breaks(self) -> int:
        """How often the connection to Dapr broke."""
        return sum(source.breaks for source in self._sources)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        """Return the next item; it may be cancelled without loss."""
        while not self._ready:
            if self._waiting:
                self._follow_clock()
                await self._take_next()
                if not self._waiting:
                    await self._pass_time()
                self._left_ns = time.monotonic_ns()
            elif not await self._pull():
                raise StopAsyncIteration
        item = self._ready.popleft()
        if isinstance(item, Frame):
            self._lag_ns = self.topics[item.topic].lag_ns = time.time_ns() - item.received_ns
        return item

    async def batches(self) -> AsyncIterator[list[Item]]:
        """Yield the items in lists, as they became ready together: less work per frame on a busy topic."""
        while (batch := await self.next_batch()) is not None:
            yield batch

    async def next_batch(self) -> list[Item] | None:
        """Return all items that are ready, at least one, or None at the end; cancelling it loses nothing."""
        while not self._ready:
            if not self._waiting and not await self._pull():
                return None
            self._follow_clock()
            while self._waiting:
                await self._take_next()
            await self._pass_time()
            self._left_ns = time.monotonic_ns()
        batch = list(self._ready)
        self._ready.clear()
        self._note_lag(batch)
        return batch

    async def run(self, handler: Handler) -> None:
        """Call `handler` (a function or a coroutine function) with each item until `close`.

        What it raises is reported in the log with its traceback, and the next item follows.
        """
        async for item in self:
            try:
                result = handler(item)
                if inspect.isawaitable(result):
                    await result
            except Exception:  # noqa: BLE001 - a handler may raise anything; reported with its traceback
                _log.exception("handler of topic %s failed on a %s", self.topic, type(item).__name__)

    def _note_lag(self, batch: list[Item]) -> None:
        """Note by the last frame of each topic how old it was when it was handed out."""
        now_ns = time.time_ns()
        seen: dict[str, Frame] = {}
        for item in reversed(batch):
            if isinstance(item, Frame) and item.topic not in seen:
                seen[item.topic] = item
                self.topics[item.topic].lag_ns = now_ns - item.received_ns
                if len(seen) == len(self._readings):
                    break
        if seen:
            self._lag_ns = now_ns - next(iter(seen.values())).received_ns

    def _collect(self) -> bool:
        """Take what each source has brought together; return whether there was something, or an end."""
        before = len(self._waiting), len(self._open)
        for source, reading in self._open:
            deliveries = source.take()
            if deliveries is not None and not self._closed:
                self._waiting.extend((delivery, reading) for delivery in deliveries)
        self._open = [(source, reading) for source, reading in self._open if not source.is_closed]
        return before != (len(self._waiting), len(self._open))

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _wait(self, seconds: float | None) -> None:
        """Wait until a source has changed, or for so long."""
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, self._wake_up)
        try:
            await self._wake
        finally:
            self._wake = None
            if timer is not None:
                timer.cancel()

    async def _take_next(self) -> None:
        delivery, reading = self._waiting.popleft()
        self._ready.extend(reading.read(delivery.event, self._now_ns()))
        await delivery.answer(Ack.SUCCESS)

    def _follow_clock(self) -> None:
        """Let the merger's clock stand still for what the reader was away."""
        self._zero_ns += max(0, time.monotonic_ns() - self._left_ns - _PAUSE_NS)

    async def _pull(self) -> bool:
        """Wait for messages or for the end of a window; return False at the end."""
        if not self._open:
            return False
        self._follow_clock()
        try:
            if self._collect():
                await asyncio.sleep(0)  # a reader that is behind still lets others run
            else:
                due_ns = self._deadline_ns()
                await self._wait(None if due_ns is None else max(0, due_ns - self._now_ns()) / _NS_PER_SECOND)
                self._collect()
            if not self._waiting:  # what is there may fill what is waited for
                await self._pass_time()
        finally:
            self._left_ns = time.monotonic_ns()
        return True

    def _now_ns(self) -> int:
        return time.monotonic_ns() - self._zero_ns

    def _deadline_ns(self) -> int | None:
        due = (reading.merger.deadline_ns() for reading in self._readings)
        return min((each for each in due if each is not None), default=None)

    async def _pass_time(self) -> None:
        due_ns = self._deadline_ns()
        if due_ns is not None and self._now_ns() >= due_ns and not self._closed:
            await self._let_time_pass()

    async def _let_time_pass(self) -> None:
        now_ns = self._now_ns()
        silent: list[Silent] = []
        for reading in self._readings:
            items = reading.advance(now_ns)
            for item in items:
                (silent if isinstance(item, Silent) else self._ready).append(item)  # type: ignore[arg-type]
            if any(isinstance(item, Gap | Silent) for item in items):
                mute = [source for source in self._renewable[reading] if not source.received]
                await asyncio.gather(*(source.renew() for source in mute))
        for each in silent:
            await self._tell_silence(each, now_ns)

    async def _tell_silence(self, silent: Silent, now_ns: int) -> None:
        """Hand it out in Unix time, and where no heartbeat ever came, with the topics that have one."""
        since_ns = time.time_ns() - (now_ns - silent.since_ns)
        hint = ""
        try:
            if not self.topics[silent.topic].merger.had_heartbeat:
                async with asyncio.timeout(_HINT_SECONDS):
                    hint = await self._finder.other_topics()
        except TimeoutError:
            _log.info("the gateway did not say in time which topics there are")
        finally:
            self._ready.append(msgspec.structs.replace(silent, since_ns=since_ns, hint=hint))


def _first_number(item: Frame | Gap | Stale | Restored) -> int:
    if isinstance(item, Gap) and item.first_sequence:
        return item.first_sequence
    return item.sequence
