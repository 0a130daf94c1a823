"""Takes the streams of one topic to the bus: in order, one message in flight, whatever gathered meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import msgspec
import structlog
from prometheus_client import Histogram

from virtufin_examples.bus import Bus
from virtufin_examples.connections import Clock, StreamItem
from virtufin_examples.frames import ConnectionBeat, Encoding, FrameRun, Markers, Overflow
from virtufin_examples.websocketmanager import _backlog, _carrier
from virtufin_examples.websocketmanager._backlog import Backlog
from virtufin_examples.websocketmanager._carrier import Carrier
from virtufin_examples.websocketmanager._guard import PauseGuard
from virtufin_examples.websocketmanager._heartbeats import Heartbeats
from virtufin_examples.websocketmanager._partition import Partition
from virtufin_examples.websocketmanager._source import PublishOptions, Source
from virtufin_examples.websocketmanager.spool import Batch, Mark, TopicSpool, mark_of

BATCH_BYTES = 512 * 1024
"""Brokers take messages of 1 MB, unless they are told otherwise."""
EMBEDDED_BATCH_BYTES = 1024 * 1024
"""On the embedded runtime, where half as many messages cost 5 % less processor time a frame."""

BATCH_SPACING_SECONDS = 0.002
"""How far apart batches that are not full begin, in the long run. A message costs a subscriber behind a
sidecar up to 1 ms whatever its size, twice what it costs us: of 1,000 small batches a second a broker gathers
what nobody here sees (measured on a busy machine: 17 ms on Redis, 195 ms on JetStream, instead of 2.5)."""

BATCH_BURST = 8
"""So many may begin at once after a pause: frames of a slow feed, or of a short burst, do not wait."""

READ_BYTES = 64 * 1024
"""What a connection that reads again is expected to bring at once. Thousands that all read again would fill
the queue many times over, only to be stopped again."""

BEHIND_BYTES = 1024 * 1024
BEHIND_LOG_SECONDS = 60.0
_NOTHING = Mark(0, 0)
_log = structlog.get_logger(__name__)


class TopicPublisher:
    """The publisher of one topic, or of one of its partitions; an `Outlet`.

    One message is in flight at a time, which keeps the order; what comes in meanwhile goes with the next. A
    message that the bus does not take is tried again until it does. `latency` is already labelled. `spool` is
    for the policy of that name; one that holds something is published first, with or without connections.
    `name` is the process's in its heartbeats.
    """

    def __init__(
        self,
        partition: Partition,
        options: PublishOptions,
        *,
        bus: Bus,
        clock: Clock,
        instance: str,
        name: str,
        latency: Histogram,
        guard: PauseGuard,
        spool: TopicSpool | None,
    ) -> None:
        self.partition = partition
        self.topic = topic = partition.topic
        self.options = options
        self.backlog = Backlog(
            clock,
            instance,
            limit_bytes=_backlog.QUEUE_BYTES,
            spool=spool,
            on_full=None if options.overflow is Overflow.DROP_OLDEST else self._block,
            on_room=self._relieve,
            on_problem=self._on_problem,
        )
        self._bus = bus
        self._clock = clock
        self._sources: dict[str, Source] = {}
        self._carrier = Carrier(
            partition, options, bus=bus, clock=clock, guard=guard, latency=latency, sources=self._sources
        )
        self._fenced = self._carrier.fenced
        self._sent: dict[str, Mark | StreamItem] = {}
        self._leaving: Source | None = None
        self._ends_when_empty = spool is not None and spool.is_active
        self._paused: dict[str, Source] = {}
        self._batch = options.encoding is Encoding.BATCH
        self._next_batch_at = clock.monotonic() - BATCH_BURST * BATCH_SPACING_SECONDS
        self._wake = asyncio.Event()
        self._is_over = False
        self._behind_logged_at = -BEHIND_LOG_SECONDS
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"publish-{topic}")
        self._heartbeats: Heartbeats | None = None
        if options.markers is not Markers.NONE:
            self._heartbeats = Heartbeats(
                topic,
                clock,
                name=partition.part(name),
                beats=self._beats,
                publish=self._carrier.note,
                wake=self._wake.set,
            )

    @property
    def sources(self) -> tuple[str, ...]:
        """The ids of the connections that publish here."""
        return tuple(self._sources)

    @property
    def is_done(self) -> bool:
        """Whether all is published and the publisher has ended."""
        return self._is_over or self._task.done()

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait for the bus, in memory and on disk."""
        return self.backlog.memory_bytes + self.backlog.disk_bytes

    @property
    def spooled_bytes(self) -> int:
        """What waits on disk."""
        return self.backlog.disk_bytes

    @property
    def dropped_frames(self) -> int:
        """Frames dropped, or refused by the bus, each inside a gap."""
        return self.backlog.dropped_frames + self._carrier.refused_frames

    def attach(self, source: Source) -> None:
        """Take a connection's stream from now on."""
        self._leaving, self._ends_when_empty = None, False
        self._sources[source.id] = source
        self._sent.setdefault(source.id, source.settled)
        self._wake.set()

    def detach(self, source: Source) -> None:
        """Take no more of a connection; without any, the publisher ends when all is published."""
        self._sources.pop(source.id, None)
        if self._paused.pop(source.id, None) is not None:
            source.resume_reading()
        if not self._sources:
            self._leaving, self._ends_when_empty = source, True
        self._wake.set()

    def fence(self, connection_id: str) -> None:
        """Publish nothing more of a connection that another process has taken: it is announced there."""
        self._fenced.add(connection_id)

    def put(self, items: Sequence[StreamItem], size: int) -> None:
        """Take numbered items; the hot path."""
        self.backlog.put(items, size)
        self._wake.set()

    def published(self, connection_id: str) -> Mark:
        """Return how far a connection's stream is published."""
        return _mark(self._sent.get(connection_id, _NOTHING))

    def settled(self, connection_id: str) -> Mark:
        """Return how far a connection's stream is published or on disk."""
        published, spooled = self.published(connection_id), self.backlog.spooled(connection_id)
        return spooled if spooled is not None and spooled.sequence > published.sequence else published

    def tick(self, now: float) -> None:
        """Look, every half second or so, how long the bus has been refusing."""
        self.backlog.tick(self._carrier.trying_seconds(now))

    async def finished(self, seconds: float) -> bool:
        """Wait until a publisher without connections has published all; False when time is up.

        One with connections is not waited for.
        """
        if self._sources:
            return True
        done, _ = await asyncio.wait({self._task}, timeout=seconds)
        return bool(done)

    async def abort(self) -> int:
        """End at once; what is spooled stays for the next process. Return how many items are lost."""
        tasks = [self._task] if self._heartbeats is None else [self._task, self._heartbeats.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return await self.backlog.close()

    # --- inside ---

    def _block(self) -> None:
        """Stop reading, all connections at once: one read more of each of thousands is too much."""
        if len(self._paused) == len(self._sources):
            return
        for connection_id, source in self._sources.items():
            if connection_id not in self._paused:
                self._paused[connection_id] = source
                source.pause_reading()

    def _on_problem(self, problem: str) -> None:
        if not problem:
            _log.info("topic is spooled again", topic=self.topic)
            return
        _log.error("topic cannot be spooled", topic=self.topic, problem=problem)
        while self._paused:  # memory has to do, and the oldest in it give way
            self._paused.popitem()[1].resume_reading()
        for source in self._sources.values():
            source.note("SpoolFailed", f"topic {self.topic}: {problem}")

    async def _run(self) -> None:
        backlog, heartbeats = self.backlog, self._heartbeats
        try:
            while True:
                if heartbeats is not None and heartbeats.is_due(frames_wait=backlog.has_items):
                    await heartbeats.beat()
                elif backlog.has_items:
                    await self._publish_next()
                elif self._paused:  # those that read again had nothing to bring
                    self._relieve()
                    await asyncio.sleep(0)
                elif self._ends_when_empty:
                    if heartbeats is not None and not self._fenced:
                        await heartbeats.stop()
                    if self._ends_when_empty and not backlog.has_items:  # nobody came meanwhile
                        self._is_over = True
                        break
                else:
                    self._wake.clear()
                    await self._wake.wait()
            await backlog.close()
        finally:
            if heartbeats is not None:
                heartbeats.task.cancel()

    async def _publish_next(self) -> None:
        if self._batch:
            await self._keep_apart()
        batch = await self.backlog.take(self._take_bytes)
        if batch is not None:
            await self._publish_batch(batch)
            await self.backlog.done()
            self._relieve()

    @property
    def _take_bytes(self) -> int:
        if self._batch:
            return BATCH_BYTES if self._bus.hides_backlog else EMBEDDED_BATCH_BYTES
        return _carrier.EVENTS_BYTES if self._bus.keeps_bulk_order else 0

    async def _keep_apart(self) -> None:
        """Behind a broker, let frames gather until the next batch may begin, unless they fill one already."""
        if not self._bus.hides_backlog or self.queued_bytes >= BATCH_BYTES:
            return
        now = self._clock.monotonic()
        self._next_batch_at = max(self._next_batch_at, now - BATCH_BURST * BATCH_SPACING_SECONDS)
        if self._next_batch_at > now:
            await self._clock.sleep(self._next_batch_at - now)
        self._next_batch_at += BATCH_SPACING_SECONDS

    async def _publish_batch(self, batch: Batch) -> None:
        items = batch.items
        if not isinstance(items, list):
            if items.connection_id not in self._fenced:
                await self._carrier.note(msgspec.structs.replace(items, topic=self.topic))
                self._sent[items.connection_id] = items
            return
        await self._carrier.frames(items, batch.instance)
        if not self._batch:
            self._say_when_behind()
        if self._heartbeats is not None:
            self._heartbeats.frames_went()
        for run in items:
            if run.connection_id not in self._fenced:
                self._sent[run.connection_id] = run

    def _relieve(self) -> None:
        """Let as many connections read again as there is room for, those first that have waited longest."""
        room_bytes = self.backlog.room_bytes
        while self._paused and room_bytes > 0:
            self._paused.pop(next(iter(self._paused))).resume_reading()
            room_bytes -= READ_BYTES

    def _say_when_behind(self) -> None:
        now = self._clock.monotonic()
        if self.queued_bytes > BEHIND_BYTES and now - self._behind_logged_at >= BEHIND_LOG_SECONDS:
            self._behind_logged_at = now
            _log.warning(
                "topic falls behind: one message a frame is too slow for this feed",
                topic=self.topic,
                queued_bytes=self.queued_bytes,
                remedy='publish with "encoding": "batch"',
            )

    def _beats(self) -> Iterator[ConnectionBeat]:
        """Yield the connections' parts of a heartbeat; without any, the part of the one that left."""
        sources = tuple(self._sources.values()) or ((self._leaving,) if self._leaving is not None else ())
        for source in sources:
            if source.id not in self._fenced:
                yield source.beat(_last_sequence(self._sent.get(source.id, _NOTHING)))


def _last_sequence(sent: Mark | StreamItem) -> int:
    return sent.last_sequence if isinstance(sent, FrameRun) else sent.sequence


def _mark(sent: Mark | StreamItem) -> Mark:
    return sent if isinstance(sent, Mark) else mark_of(sent)
