"""The publishers of all topics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from prometheus_client import Histogram

from virtufin_examples.bus import Bus
from virtufin_examples.connections import Clock
from virtufin_examples.errors import PreconditionError
from virtufin_examples.frames import Encoding, Markers, Overflow
from virtufin_examples.websocketmanager._guard import TICK_SECONDS, PauseGuard
from virtufin_examples.websocketmanager._partition import Partition, partition_of
from virtufin_examples.websocketmanager._publisher import TopicPublisher
from virtufin_examples.websocketmanager._source import PublishOptions
from virtufin_examples.websocketmanager.spool import Mark, Spool, TopicSpool

MARKS_SECONDS = 1.0
"""How often it is written down how far each connection is published: the gap of a restart begins there."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TopicFigures:
    """Bytes that wait in memory and on disk, frames dropped so far."""

    memory_bytes: int
    disk_bytes: int
    dropped_frames: int


class PublisherHub:
    """One publisher a topic, made when the first connection publishes there or a spool holds something.

    With `partitions` a topic has up to so many, each published by itself: batches, one message in flight,
    spool. A connection stays in the partition that its id says. While anything of a topic is published with
    another number, as a process before this one spooled it, that one holds: what is newer must not overtake
    it.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        clock: Clock,
        instance: str,
        latency: Callable[[str], Histogram],
        spool: Spool,
        partitions: int = 1,
    ) -> None:
        self._partitions = partitions
        self._bus = bus
        self._clock = clock
        self._instance = instance
        self._latency = latency
        self._spool = spool
        self._guard = PauseGuard(clock.monotonic())
        self._publishers: dict[Partition, TopicPublisher] = {}
        self._dropped_before: dict[str, int] = {}
        self._marks: dict[str, Mark] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def holder(self) -> str:
        """The name of this process as the holder of its spool."""
        return self._spool.holder

    @property
    def publishers(self) -> tuple[TopicPublisher, ...]:
        """Those that have not ended."""
        return tuple(each for each in self._publishers.values() if not each.is_done)

    @property
    def problem(self) -> str:
        """What is wrong with the spool, or nothing."""
        return self._spool.problem or next(
            (
                f"topic {each.topic}: {each.backlog.problem}"
                for each in self.publishers
                if each.backlog.problem
            ),
            "",
        )

    def figures(self) -> dict[str, TopicFigures]:
        """Return what waits and what was dropped, by topic."""
        figures: dict[str, TopicFigures] = {}
        for partition, each in self._publishers.items():
            backlog, before = each.backlog, figures.get(partition.topic)
            dropped = before.dropped_frames if before else self._dropped_before.get(partition.topic, 0)
            figures[partition.topic] = TopicFigures(
                backlog.memory_bytes + (before.memory_bytes if before else 0),
                backlog.disk_bytes + (before.disk_bytes if before else 0),
                each.dropped_frames + dropped,
            )
        return figures

    def recovered(self, connection_id: str) -> Mark | None:
        """Return how far a process before this one published or spooled a connection, if it said so."""
        return self._spool.mark(connection_id)

    async def start(self, platform: str, holder_of: Callable[[str], Awaitable[str]]) -> None:
        """Open the spool and publish what it holds; see `Spool.open`."""
        for header, spool in await self._spool.open(platform, holder_of):
            options = PublishOptions(Encoding(header.encoding), Overflow.SPOOL, Markers(header.markers))
            partition = Partition(header.topic, header.partition, header.partitions)
            self._publishers[partition] = self._make(partition, options, spool)
            _log.info("publishing what the last process spooled", topic=header.topic, bytes=spool.bytes)

    def require_free(self, topic: str, options: PublishOptions, connection_id: str) -> None:
        """Raise `PreconditionError` when another connection publishes to the topic in another way."""
        for publisher in self.running(topic):
            others = [each for each in publisher.sources if each != connection_id]
            if others and publisher.options != options:
                raise PreconditionError(
                    f"topic {topic!r} is published by connection {others[0]} with encoding "
                    f"{publisher.options.encoding}, overflow {publisher.options.overflow}, "
                    f"markers {publisher.options.markers}",
                    hint="use the same options, or another topic",
                )

    def running(self, topic: str) -> tuple[TopicPublisher, ...]:
        """Return the publishers of a topic that have not ended: one, or one a partition."""
        return tuple(each for each in self.publishers if each.topic == topic)

    def publisher(self, topic: str, options: PublishOptions, connection_id: str) -> TopicPublisher | None:
        """Return a connection's publisher; None when one with other options has not finished yet."""
        running = self.running(topic)
        if any(each.options != options for each in running):
            return None
        partition = partition_of(
            topic, connection_id, running[0].partition.count if running else self._partitions
        )
        publisher = self._publishers.get(partition)
        if publisher is not None and not publisher.is_done:
            return publisher
        if publisher is not None:
            self._retire(publisher)
        spool = None
        if options.overflow is Overflow.SPOOL:
            spool = self._spool.topic(
                topic,
                encoding=options.encoding,
                markers=options.markers,
                partition=partition.number,
                partitions=partition.count,
            )
        publisher = self._publishers[partition] = self._make(partition, options, spool)
        return publisher

    async def stop(self, seconds: float) -> None:
        """Let all finish, at most `seconds`; what is left then is spooled, or lost, which is logged."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        running = self.publishers
        await asyncio.gather(*(publisher.finished(seconds) for publisher in running))
        for publisher in running:
            left = await publisher.abort()
            if left:
                _log.error("stopped with items unpublished", topic=publisher.topic, items=left)
        await self._write_marks()
        await self._spool.close()

    def _make(
        self, partition: Partition, options: PublishOptions, spool: TopicSpool | None
    ) -> TopicPublisher:
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [
                loop.create_task(self._tick(), name="publisher-ticker"),
                loop.create_task(self._mark(), name="publisher-marks"),
            ]
        return TopicPublisher(
            partition,
            options,
            bus=self._bus,
            clock=self._clock,
            instance=self._instance,
            name=self.holder,
            latency=self._latency(partition.topic),
            guard=self._guard,
            spool=spool,
        )

    async def _tick(self) -> None:
        while True:
            now = self._clock.monotonic()
            self._guard.look(now)
            for publisher in self.publishers:
                publisher.tick(now)
            await self._clock.sleep(TICK_SECONDS)

    async def _mark(self) -> None:
        """Write the marks; apart from the ticks, which a disk that stands still must not stop."""
        while True:
            await self._write_marks()
            await self._clock.sleep(MARKS_SECONDS)

    async def _write_marks(self) -> None:
        marks = {
            connection_id: publisher.published(connection_id)
            for publisher in self._publishers.values()
            for connection_id in publisher.sources
        }
        if marks != self._marks:
            self._marks = marks
            await self._spool.write_marks(marks)

    def _retire(self, publisher: TopicPublisher) -> None:
        before = self._dropped_before.get(publisher.topic, 0)
        self._dropped_before[publisher.topic] = before + publisher.dropped_frames
