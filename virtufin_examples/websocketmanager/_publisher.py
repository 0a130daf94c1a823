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
from virtufin_examples.connections import Clock, Loss, StreamItem, item_count
from virtufin_examples.errors import ConflictError, InvalidInputError
from virtufin_examples.frames import (
    BATCH_CONTENT_TYPE,
    BATCH_EVENT_TYPE,
    NOTE_CONTENT_TYPE,
    Cause,
    ConnectionBeat,
    Encoding,
    Frame,
    FrameRun,
    Gap,
    Heartbeat,
    Markers,
    Note,
    Overflow,
    encode_frame_event,
    encode_note,
    encode_runs,
    events_topic,
    run_of,
)
from virtufin_examples.websocketmanager import _backlog
from virtufin_examples.websocketmanager._backlog import Backlog
from virtufin_examples.websocketmanager._guard import PauseGuard
from virtufin_examples.websocketmanager._partition import Partition
from virtufin_examples.websocketmanager._sender import MAX_EVENTS, FencedError, NotTakenError, Sender
from virtufin_examples.websocketmanager.spool import Batch, Mark, TopicSpool, mark_of

BATCH_BYTES = 512 * 1024
"""Brokers take messages of 1 MB, unless they are told otherwise."""
EMBEDDED_BATCH_BYTES = 1024 * 1024
"""On the embedded runtime, where half as many messages cost 5 % less processor time a frame."""

EVENTS_BYTES = 128 * 1024
"""Payload taken at a time, and JSON sent at a time, where a frame is an event of its own."""

BATCH_SPACING_SECONDS = 0.002
"""How far apart batches that are not full begin, in the long run. A message costs a subscriber behind a
sidecar up to 1 ms whatever its size, twice what it costs us: of 1,000 small batches a second a broker gathers
what nobody here sees (measured on a busy machine: 17 ms on Redis, 195 ms on JetStream, instead of 2.5)."""

BATCH_BURST = 8
"""So many may begin at once after a pause: frames of a slow feed, or of a short burst, do not wait."""


HEARTBEAT_SECONDS = 2.0
BUSY_BEAT_PAUSES = 9
"""While frames wait, a heartbeat keeps so many times its own duration away from the next: on a bus that takes
seconds for a message, heartbeats take a tenth of it at most."""

READ_BYTES = 64 * 1024
"""What a connection that reads again is expected to bring at once. Thousands that all read again would fill
the queue many times over, only to be stopped again."""

BEHIND_BYTES = 1024 * 1024
BEHIND_LOG_SECONDS = 60.0
_NOTHING = Mark(0, 0)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """How a topic is published.

    `overflow` is what happens to what the bus does not take: `spool` (the default) keeps it on disk, `block`
    stops reading from the sockets, `drop_oldest` drops with an announced gap.
    """

    encoding: Encoding = Encoding.FRAME
    overflow: Overflow = Overflow.SPOOL
    markers: Markers = Markers.COMPANION


class Source(Protocol):
    """A connection whose stream comes here."""

    @property
    def id(self) -> str: ...

    @property
    def settled(self) -> Mark:
        """How far its stream was published before it came here."""

    def beat(self, last_sequence: int) -> ConnectionBeat:
        """Return its part of a heartbeat, having published up to `last_sequence`."""

    async def confirm(self) -> None:
        """Make sure that it is still this process's; `ConflictError` when it is not."""

    def note(self, error_type: str, reason: str) -> None:
        """Tell the user that something is wrong with what becomes of its frames."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


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
            on_full=self._block if options.overflow is Overflow.BLOCK else None,
            on_problem=self._on_problem,
        )
        self._bus = bus
        self._clock = clock
        self._name = partition.part(name)
        self._sender = Sender(
            bus, clock, guard, latency=latency, confirm=self._confirm, metadata=partition.metadata
        )
        self._sources: dict[str, Source] = {}
        self._sent: dict[str, Mark | StreamItem] = {}
        self._fenced: set[str] = set()
        self._leaving: Source | None = None
        self._ends_when_empty = spool is not None and spool.is_active
        self._paused: dict[str, Source] = {}
        self._batch = options.encoding is Encoding.BATCH
        self._next_batch_at = clock.monotonic() - BATCH_BURST * BATCH_SPACING_SECONDS
        self._notes_topic = topic if options.markers is Markers.INLINE else events_topic(topic)
        self._wake = asyncio.Event()
        self._is_over = False
        self._busy_beat_at = 0.0
        self._frames_at = clock.monotonic()
        self._beat = "start" if options.markers is not Markers.NONE else ""
        self._behind_logged_at = -BEHIND_LOG_SECONDS
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(), name=f"publish-{topic}")
        self._beats = loop.create_task(self._beat_steadily(), name=f"heartbeat-{topic}")

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
        self.backlog.tick(self._sender.trying_seconds(now))

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
        for task in (self._task, self._beats):
            task.cancel()
        await asyncio.gather(self._task, self._beats, return_exceptions=True)
        return await self.backlog.close()

    # --- inside ---

    def _block(self, connection_id: str) -> None:
        source = self._sources.get(connection_id)
        if source is not None and connection_id not in self._paused:
            self._paused[connection_id] = source
            source.pause_reading()

    def _on_problem(self, problem: str) -> None:
        if not problem:
            _log.info("topic is spooled again", topic=self.topic)
            return
        _log.error("topic cannot be spooled", topic=self.topic, problem=problem)
        for source in self._sources.values():
            source.note("SpoolFailed", f"topic {self.topic}: {problem}")

    async def _run(self) -> None:
        backlog = self.backlog
        try:
            while True:
                if self._beat and self._may_beat():
                    kind, self._beat = self._beat, ""
                    await self._heartbeat("busy" if kind == "beat" and self._is_busy() else kind)
                elif backlog.has_items:
                    if self._batch:
                        await self._keep_apart()
                    batch = await backlog.take(self._take_bytes)
                    if batch is not None:
                        await self._publish_batch(batch)
                        await backlog.done()
                        self._relieve()
                elif self._paused:  # those that read again had nothing to bring
                    self._relieve()
                    await asyncio.sleep(0)
                elif self._ends_when_empty:
                    if self.options.markers is not Markers.NONE and not self._fenced:
                        await self._heartbeat("stop")
                    if self._ends_when_empty and not backlog.has_items:  # nobody came meanwhile
                        self._is_over = True
                        break
                else:
                    self._wake.clear()
                    await self._wake.wait()
            await backlog.close()
        finally:
            self._beats.cancel()

    @property
    def _take_bytes(self) -> int:
        if self._batch:
            return BATCH_BYTES if self._bus.hides_backlog else EMBEDDED_BATCH_BYTES
        return EVENTS_BYTES if self._bus.keeps_bulk_order else 0

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
                await self._publish_note(msgspec.structs.replace(items, topic=self.topic))
                self._sent[items.connection_id] = items
            return
        if self._batch:
            await self._publish_together(items, batch.instance)
        else:
            await self._publish_singly(items)
        self._frames_at = self._clock.monotonic()
        for run in items:
            if run.connection_id not in self._fenced:
                self._sent[run.connection_id] = run

    async def _publish_together(self, runs: list[FrameRun], instance: str) -> None:
        while runs:
            if self._fenced:
                runs = [run for run in runs if run.connection_id not in self._fenced]
            try:
                await self._publish_runs(runs, instance)
            except FencedError:
                continue
            except Exception as error:  # noqa: BLE001 - what cannot be encoded or taken must not end the publisher
                await self._give_up(runs, error)
            break

    async def _publish_runs(self, runs: list[FrameRun], instance: str) -> None:
        if not runs:
            return
        metadata = {
            "cloudevent.type": BATCH_EVENT_TYPE,
            "cloudevent.subject": f"{self.topic}/{runs[0].first_sequence}",
        }
        await self._sender.send(
            self.topic, encode_runs(runs, instance=instance), BATCH_CONTENT_TYPE, metadata
        )

    async def _publish_singly(self, runs: Sequence[FrameRun]) -> None:
        """Publish each frame as an event; one that nobody takes is announced in its place."""
        frames = [frame for run in runs for frame in run.frames()]
        done = 0
        while done < len(frames):
            if frames[done].connection_id in self._fenced:
                done += 1
                continue
            try:
                done += await self._sender.send_events(self.topic, self._encoded(frames, done))
            except FencedError:
                continue
            except Exception as error:  # noqa: BLE001 - what cannot be encoded or taken must not end the publisher
                await self._give_up([run_of(frames[done : done + 1])], error)
                done += 1
            self._say_when_behind()

    def _encoded(self, frames: Sequence[Frame], first: int) -> list[bytes]:
        """Return the events of frames that may go together; raises when the first cannot be encoded."""
        events = [encode_frame_event(frames[first])]
        size = len(events[0])
        if self._bus.keeps_bulk_order:
            for frame in frames[first + 1 : first + MAX_EVENTS]:
                if frame.connection_id in self._fenced:
                    break
                try:
                    event = encode_frame_event(frame)
                except InvalidInputError:  # its turn comes
                    break
                size += len(event)
                if size > EVENTS_BYTES:
                    break
                events.append(event)
        return events

    async def _publish_note(self, note: Note) -> None:
        if self.options.markers is Markers.NONE:
            return
        kind, data = encode_note(note)
        try:
            await self._sender.send(self._notes_topic, data, NOTE_CONTENT_TYPE, {"cloudevent.type": kind})
        except NotTakenError as error:  # its number stays a hole, which subscribers find
            _log.error("note cannot be published", topic=self._notes_topic, kind=kind, error=str(error))
        except FencedError:  # a heartbeat comes again, a marker is its new owner's to send
            _log.info("note dropped: another process has the connection", topic=self._notes_topic)

    async def _give_up(self, runs: list[FrameRun], error: Exception) -> None:
        """Announce frames that no bus will take as lost, in their place: they must not hold up the rest."""
        _log.error("frames cannot be published", topic=self.topic, frames=item_count(runs), error=str(error))
        losses: dict[str, Loss] = {}
        for run in runs:
            losses.setdefault(run.connection_id, Loss()).add(run)
        self.backlog.refused_frames += item_count(runs)
        for connection_id, loss in losses.items():
            gap: Gap = loss.gap(connection_id, loss.last_sequence, Cause.BUS)
            await self._publish_note(msgspec.structs.replace(gap, topic=self.topic))

    async def _confirm(self) -> bool:
        """Look whether all connections are still ours; False when one is not."""
        sources = [each for each in self._sources.values() if each.id not in self._fenced]
        answers = await asyncio.gather(*(each.confirm() for each in sources), return_exceptions=True)
        lost = False
        for source, answer in zip(sources, answers, strict=True):
            if isinstance(answer, ConflictError):
                _log.error("connection lost while the process stood still", connection_id=source.id)
                self.fence(source.id)
                lost = True
            elif isinstance(answer, BaseException):
                raise answer
        return not lost

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

    async def _heartbeat(self, kind: str) -> None:
        sources = tuple(self._sources.values()) or ((self._leaving,) if self._leaving is not None else ())
        beats = tuple(
            source.beat(_last_sequence(self._sent.get(source.id, _NOTHING)))
            for source in sources
            if source.id not in self._fenced
        )
        note = Heartbeat(
            topic=self.topic,
            kind=kind,
            sent_ns=self._clock.now_ns(),
            connections=beats,
            publisher=self._name,
        )
        began = self._clock.monotonic()
        await self._publish_note(note)
        ended = self._clock.monotonic()
        self._busy_beat_at = ended + BUSY_BEAT_PAUSES * (ended - began)

    def _may_beat(self) -> bool:
        return (
            self._beat == "start"
            or not self.backlog.has_items
            or self._clock.monotonic() >= self._busy_beat_at
        )

    def _is_busy(self) -> bool:
        """Whether frames may still be on their way, which a heartbeat by a topic of its own overtakes."""
        return self._clock.monotonic() - self._frames_at < HEARTBEAT_SECONDS

    async def _beat_steadily(self) -> None:
        """Beat on a busy topic too: a reader learns by it that a quiet connection's process lives."""
        if self.options.markers is Markers.NONE:
            return
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            self._beat = self._beat or "beat"
            self._wake.set()


def _last_sequence(sent: Mark | StreamItem) -> int:
    return sent.last_sequence if isinstance(sent, FrameRun) else sent.sequence


def _mark(sent: Mark | StreamItem) -> Mark:
    return sent if isinstance(sent, Mark) else mark_of(sent)
