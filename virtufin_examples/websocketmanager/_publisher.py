"""Takes the streams of one topic to the bus: in order, one message in flight, whatever gathered meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog
from prometheus_client import Histogram

from virtufin_examples.bus import Bus
from virtufin_examples.connections import Clock, Loss, StreamItem
from virtufin_examples.errors import InvalidInputError, ResourceLimitError, VirtufinError
from virtufin_examples.frames import (
    BATCH_CONTENT_TYPE,
    BATCH_EVENT_TYPE,
    NOTE_CONTENT_TYPE,
    Cause,
    ConnectionBeat,
    Encoding,
    Frame,
    Heartbeat,
    Markers,
    Note,
    Overflow,
    encode_batch,
    encode_frame_event,
    encode_note,
    events_topic,
)
from virtufin_examples.websocketmanager._queue import ItemQueue

QUEUE_BYTES = 64 * 1024 * 1024
BATCH_BYTES = 512 * 1024
HEARTBEAT_SECONDS = 2.0
MAX_PUBLISH_BYTES = 16 * 1024 * 1024 - 64 * 1024
"""Dapr's limit with room for the request around the data."""

MAX_REFUSALS = 10
"""So often may the bus call one message invalid or too large, over half a minute, before it is given up: a
broker with a lower limit must not stop the topic for good. A bus that is down is waited for without limit."""

BEHIND_BYTES = 1024 * 1024
BEHIND_LOG_SECONDS = 60.0
_RETRY_BASE_SECONDS = 0.1
_RETRY_CAP_SECONDS = 5.0
_STRUCTURED = "application/cloudevents+json"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """How a topic is published.

    `overflow`: `block` stops reading from the sockets, `drop_oldest` drops with an announced gap. `spool` is
    the default; until frames can be spooled to disk it keeps 64 MiB in memory and then does as `drop_oldest`.
    """

    encoding: Encoding = Encoding.FRAME
    overflow: Overflow = Overflow.SPOOL
    markers: Markers = Markers.COMPANION


class NotTakenError(ResourceLimitError):
    """A message that the bus will never take."""


class Source(Protocol):
    """A connection whose stream comes here."""

    @property
    def id(self) -> str: ...

    def beat(self, last_sequence: int) -> ConnectionBeat:
        """Return its part of a heartbeat, having published up to `last_sequence`."""

    def announce_loss(self, loss: Loss, cause: Cause) -> None:
        """Put a gap into its stream."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class TopicPublisher:
    """The publisher of one topic; an `Outlet`.

    One message is in flight at a time, which keeps the order; what comes in meanwhile goes with the next. A
    message that the bus does not take is tried again until it does. `latency` is already labelled.
    """

    def __init__(
        self,
        topic: str,
        options: PublishOptions,
        *,
        bus: Bus,
        clock: Clock,
        instance: str,
        latency: Histogram,
    ) -> None:
        self.topic = topic
        self.options = options
        self.queue = ItemQueue(QUEUE_BYTES)
        self._bus = bus
        self._clock = clock
        self._instance = instance
        self._latency = latency
        self._sources: dict[str, Source] = {}
        self._sent_sequences: dict[str, int] = {}
        self._leaving: Source | None = None
        self._paused: list[Source] = []
        self._blocks = options.overflow is Overflow.BLOCK
        self._batch = options.encoding is Encoding.BATCH
        self._notes_topic = topic if options.markers is Markers.INLINE else events_topic(topic)
        self._wake = asyncio.Event()
        self._beat = "start" if options.markers is not Markers.NONE else ""
        self._last_message_at = clock.monotonic()
        self._behind_logged_at = -BEHIND_LOG_SECONDS
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(), name=f"publish-{topic}")
        self._beats = loop.create_task(self._beat_when_quiet(), name=f"heartbeat-{topic}")

    @property
    def sources(self) -> tuple[str, ...]:
        """The ids of the connections that publish here."""
        return tuple(self._sources)

    @property
    def is_done(self) -> bool:
        """Whether all is published and the publisher has ended."""
        return self._task.done()

    def attach(self, source: Source) -> None:
        """Take a connection's stream from now on."""
        self._leaving = None
        self._sources[source.id] = source
        self._sent_sequences.setdefault(source.id, 0)
        self._wake.set()

    def detach(self, source: Source) -> None:
        """Take no more of a connection; without any, the publisher ends when all is published."""
        loss = self.queue.take_loss(source.id)
        if loss is not None:
            source.announce_loss(loss, Cause.OVERFLOW)
        self._sources.pop(source.id, None)
        if source in self._paused:
            self._paused.remove(source)
            source.resume_reading()
        if not self._sources:
            self._leaving = source
        self._wake.set()

    def put(self, items: Sequence[StreamItem], size: int) -> None:
        """Take numbered items; the hot path."""
        queue = self.queue
        queue.push(items, size)
        if queue.is_over:
            self._overflow(items[0].connection_id)
        self._wake.set()

    async def finished(self, seconds: float) -> bool:
        """Wait until a publisher without connections has published all; False when time is up.

        One with connections is not waited for.
        """
        if self._sources:
            return True
        done, _ = await asyncio.wait({self._task}, timeout=seconds)
        return bool(done)

    async def abort(self) -> int:
        """End at once; return how many items were not published."""
        for task in (self._task, self._beats):
            task.cancel()
        await asyncio.gather(self._task, self._beats, return_exceptions=True)
        return len(self.queue)

    # --- inside ---

    def _overflow(self, connection_id: str) -> None:
        if not self._blocks:
            self.queue.drop_oldest()
            return
        source = self._sources.get(connection_id)
        if source is not None and source not in self._paused:
            self._paused.append(source)
            source.pause_reading()

    async def _run(self) -> None:
        try:
            while True:
                if self._beat and (self._beat == "start" or not len(self.queue)):
                    kind, self._beat = self._beat, ""
                    if kind == "start" or self._quiet_seconds() >= HEARTBEAT_SECONDS:
                        await self._heartbeat(kind)
                elif len(self.queue):
                    await self._publish_next()
                    self._relieve()
                elif self._leaving is not None:
                    break
                else:
                    self._wake.clear()
                    await self._wake.wait()
            if self.options.markers is not Markers.NONE:
                await self._heartbeat("stop")
        finally:
            self._beats.cancel()

    async def _publish_next(self) -> None:
        item = self.queue.take(BATCH_BYTES if self._batch else 0)
        if not isinstance(item, list):
            if self.options.markers is not Markers.NONE:
                await self._publish_note(msgspec.structs.replace(item, topic=self.topic))
            self._sent_sequences[item.connection_id] = item.sequence
            return
        try:
            if self._batch:
                metadata = {
                    "cloudevent.type": BATCH_EVENT_TYPE,
                    "cloudevent.subject": f"{self.topic}/{item[0].sequence}",
                }
                data = encode_batch(item, instance=self._instance)
                await self._publish(self.topic, data, BATCH_CONTENT_TYPE, metadata)
            else:
                await self._publish(self.topic, encode_frame_event(item[0]), _STRUCTURED, None)
                self._say_when_behind()
        except Exception as error:  # noqa: BLE001 - what cannot be encoded or taken must not end the publisher
            self._give_up(item, error)
        for frame in item:
            self._sent_sequences[frame.connection_id] = frame.sequence

    async def _publish_note(self, note: Note) -> None:
        kind, data = encode_note(note)
        try:
            await self._publish(self._notes_topic, data, NOTE_CONTENT_TYPE, {"cloudevent.type": kind})
        except NotTakenError as error:  # its number stays a hole, which subscribers find
            _log.error("note cannot be published", topic=self._notes_topic, kind=kind, error=str(error))

    async def _publish(
        self, topic: str, data: bytes, content_type: str, metadata: dict[str, str] | None
    ) -> None:
        """Publish until the bus takes it; raises `NotTakenError` for what it never will."""
        if len(data) > MAX_PUBLISH_BYTES:
            raise NotTakenError(f"message of {len(data)} bytes, the bus takes {MAX_PUBLISH_BYTES}")
        refusals = 0
        pause_seconds = _RETRY_BASE_SECONDS
        while True:
            began = self._clock.monotonic()
            try:
                await self._bus.publish(topic, data, content_type=content_type, metadata=metadata)
            except VirtufinError as error:
                refusals += isinstance(error, (InvalidInputError, ResourceLimitError))
                if refusals >= MAX_REFUSALS:
                    raise NotTakenError(f"refused {refusals} times: {error}") from error
                _log.warning(
                    "publish failed, trying again", topic=topic, queued=self.queue.bytes, error=str(error)
                )
                await self._clock.sleep(pause_seconds)
                pause_seconds = min(_RETRY_CAP_SECONDS, pause_seconds * 2)
            else:
                self._last_message_at = self._clock.monotonic()
                self._latency.observe(self._last_message_at - began)
                return

    def _give_up(self, frames: list[Frame], error: Exception) -> None:
        """Announce frames that no bus will take as lost; they must not hold up what follows."""
        _log.error("frames cannot be published", topic=self.topic, frames=len(frames), error=str(error))
        losses: dict[str, Loss] = {}
        for frame in frames:
            losses.setdefault(frame.connection_id, Loss()).add(frame)
        for connection_id, loss in losses.items():
            source = self._sources.get(connection_id) or self._leaving
            self.queue.dropped_frames += loss.frames
            if source is not None:
                source.announce_loss(loss, Cause.BUS)

    def _relieve(self) -> None:
        """After a message is out: announce what had to be dropped, read again where there is room."""
        for connection_id, loss in self.queue.take_losses().items():
            source = self._sources.get(connection_id)
            if source is not None:
                source.announce_loss(loss, Cause.OVERFLOW)
        if self._paused and self.queue.bytes < self.queue.limit_bytes // 2:
            paused, self._paused = self._paused, []
            for source in paused:
                source.resume_reading()

    def _say_when_behind(self) -> None:
        now = self._clock.monotonic()
        if self.queue.bytes > BEHIND_BYTES and now - self._behind_logged_at >= BEHIND_LOG_SECONDS:
            self._behind_logged_at = now
            _log.warning(
                "topic falls behind: one message a frame is too slow for this feed",
                topic=self.topic,
                queued_bytes=self.queue.bytes,
                remedy='publish with "encoding": "batch"',
            )

    async def _heartbeat(self, kind: str) -> None:
        sources = tuple(self._sources.values()) or ((self._leaving,) if self._leaving is not None else ())
        beats = tuple(source.beat(self._sent_sequences.get(source.id, 0)) for source in sources)
        note = Heartbeat(topic=self.topic, kind=kind, sent_ns=self._clock.now_ns(), connections=beats)
        await self._publish_note(note)

    def _quiet_seconds(self) -> float:
        return self._clock.monotonic() - self._last_message_at

    async def _beat_when_quiet(self) -> None:
        if self.options.markers is Markers.NONE:
            return
        while True:
            quiet = self._quiet_seconds()
            if quiet >= HEARTBEAT_SECONDS:
                self._beat = self._beat or "beat"
                self._wake.set()
                quiet = 0.0
            await self._clock.sleep(HEARTBEAT_SECONDS - quiet)
