"""The publishers of all topics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from prometheus_client import Histogram

from virtufin_examples.bus import Bus
from virtufin_examples.connections import Clock
from virtufin_examples.errors import PreconditionError
from virtufin_examples.websocketmanager._publisher import PublishOptions, Source, TopicPublisher

_log = structlog.get_logger(__name__)


class PublisherHub:
    """One publisher a topic, made when the first connection publishes there."""

    def __init__(self, *, bus: Bus, clock: Clock, instance: str, latency: Callable[[str], Histogram]) -> None:
        self._bus = bus
        self._clock = clock
        self._instance = instance
        self._latency = latency
        self._publishers: dict[str, TopicPublisher] = {}
        self._dropped_before: dict[str, int] = {}

    @property
    def publishers(self) -> tuple[TopicPublisher, ...]:
        """Those that have not ended."""
        return tuple(each for each in self._publishers.values() if not each.is_done)

    def figures(self) -> dict[str, tuple[int, int]]:
        """Return the queued bytes and the frames dropped so far, by topic."""
        return {
            topic: (each.queue.bytes, each.queue.dropped_frames + self._dropped_before.get(topic, 0))
            for topic, each in self._publishers.items()
        }

    def require_free(self, topic: str, options: PublishOptions, connection_id: str) -> None:
        """Raise `PreconditionError` when another connection publishes to the topic in another way."""
        publisher = self._publishers.get(topic)
        if publisher is None or publisher.is_done or publisher.options == options:
            return
        others = [each for each in publisher.sources if each != connection_id]
        if others:
            raise PreconditionError(
                f"topic {topic!r} is published by connection {others[0]} with encoding "
                f"{publisher.options.encoding}, overflow {publisher.options.overflow}, "
                f"markers {publisher.options.markers}",
                hint="use the same options, or another topic",
            )

    def current(self, topic: str) -> TopicPublisher:
        """Return the publisher that the topic has or had last."""
        return self._publishers[topic]

    def publisher(self, topic: str, options: PublishOptions) -> TopicPublisher | None:
        """Return the topic's publisher; None when one with other options has not finished yet."""
        publisher = self._publishers.get(topic)
        if publisher is not None and not publisher.is_done:
            return publisher if publisher.options == options else None
        if publisher is not None:
            self._retire(publisher)
        publisher = TopicPublisher(
            topic,
            options,
            bus=self._bus,
            clock=self._clock,
            instance=self._instance,
            latency=self._latency(topic),
        )
        self._publishers[topic] = publisher
        return publisher

    def detach(self, topic: str, source: Source) -> TopicPublisher:
        """Take a connection off its topic; what it handed over is still published."""
        publisher = self._publishers[topic]
        publisher.detach(source)
        return publisher

    async def stop(self, seconds: float) -> None:
        """Let all finish, at most `seconds`; what is left then is lost, which is logged."""
        running = self.publishers
        await asyncio.gather(*(publisher.finished(seconds) for publisher in running))
        for publisher in running:
            left = await publisher.abort()
            if left:
                _log.error("stopped with items unpublished", topic=publisher.topic, items=left)

    def _retire(self, publisher: TopicPublisher) -> None:
        before = self._dropped_before.get(publisher.topic, 0)
        self._dropped_before[publisher.topic] = before + publisher.queue.dropped_frames
