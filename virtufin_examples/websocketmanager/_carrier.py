"""Carries what a topic has to the bus, in order, and announces what no bus will take."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
import structlog
from prometheus_client import Histogram

from virtufin_examples.bus import Bus
from virtufin_examples.connections import Clock, Loss, item_count
from virtufin_examples.errors import ConflictError, InvalidInputError
from virtufin_examples.frames import (
    BATCH_CONTENT_TYPE,
    BATCH_EVENT_TYPE,
    NOTE_CONTENT_TYPE,
    Cause,
    Encoding,
    Frame,
    FrameRun,
    Gap,
    Markers,
    Note,
    encode_frame_event,
    encode_note,
    encode_runs,
    events_topic,
    run_of,
)
from virtufin_examples.websocketmanager._guard import PauseGuard
from virtufin_examples.websocketmanager._partition import Partition
from virtufin_examples.websocketmanager._sender import MAX_EVENTS, FencedError, NotTakenError, Sender
from virtufin_examples.websocketmanager._source import PublishOptions, Source

EVENTS_BYTES = 128 * 1024
"""Payload taken at a time, and JSON sent at a time, where a frame is an event of its own."""

_CONFIRMS_AT_ONCE = 16
_log = structlog.get_logger(__name__)


class Carrier:
    """Of one topic, whose connections are `sources`. `latency` is already labelled."""

    def __init__(
        self,
        partition: Partition,
        options: PublishOptions,
        *,
        bus: Bus,
        clock: Clock,
        guard: PauseGuard,
        latency: Histogram,
        sources: Mapping[str, Source],
    ) -> None:
        self.refused_frames = 0
        """Frames that no bus would take, each inside a gap."""
        self.fenced: set[str] = set()
        """Connections that another process has taken: nothing more of them goes out."""
        self._confirmed: set[str] = set()
        self._confirmed_pauses = guard.pauses
        self._topic = partition.topic
        self._options = options
        self._notes_topic = (
            partition.topic if options.markers is Markers.INLINE else events_topic(partition.topic)
        )
        self._bus = bus
        self._sources = sources
        self._sender = Sender(
            bus, clock, guard, latency=latency, confirm=self._confirm, metadata=partition.metadata
        )

    def trying_seconds(self, now: float) -> float:
        """Return for how long the message in flight has been tried."""
        return self._sender.trying_seconds(now)

    async def frames(self, runs: list[FrameRun], instance: str) -> None:
        """Publish frames, as the topic's encoding is."""
        if self._options.encoding is Encoding.BATCH:
            await self._publish_together(runs, instance)
        else:
            await self._publish_singly(runs)

    async def note(self, note: Note) -> None:
        """Publish a marker or a heartbeat, where the topic has any."""
        if self._options.markers is Markers.NONE:
            return
        kind, data = encode_note(note)
        try:
            await self._sender.send(self._notes_topic, data, NOTE_CONTENT_TYPE, {"cloudevent.type": kind})
        except NotTakenError as error:  # its number stays a hole, which subscribers find
            _log.error("note cannot be published", topic=self._notes_topic, kind=kind, error=str(error))
        except FencedError:  # a heartbeat comes again, a marker is its new owner's to send
            _log.info("note dropped: another process has the connection", topic=self._notes_topic)

    # --- inside ---

    async def _publish_together(self, runs: list[FrameRun], instance: str) -> None:
        while runs:
            if self.fenced:
                runs = [run for run in runs if run.connection_id not in self.fenced]
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
            "cloudevent.subject": f"{self._topic}/{runs[0].first_sequence}",
        }
        await self._sender.send(
            self._topic, encode_runs(runs, instance=instance), BATCH_CONTENT_TYPE, metadata
        )

    async def _publish_singly(self, runs: Sequence[FrameRun]) -> None:
        """Publish each frame as an event; one that nobody takes is announced in its place."""
        frames = [frame for run in runs for frame in run.frames()]
        done = 0
        while done < len(frames):
            if frames[done].connection_id in self.fenced:
                done += 1
                continue
            try:
                done += await self._sender.send_events(self._topic, self._encoded(frames, done))
            except FencedError:
                continue
            except Exception as error:  # noqa: BLE001 - what cannot be encoded or taken must not end the publisher
                await self._give_up([run_of(frames[done : done + 1])], error)
                done += 1

    def _encoded(self, frames: Sequence[Frame], first: int) -> list[bytes]:
        """Return the events of frames that may go together; raises when the first cannot be encoded."""
        events = [encode_frame_event(frames[first])]
        size = len(events[0])
        if self._bus.keeps_bulk_order:
            for frame in frames[first + 1 : first + MAX_EVENTS]:
                if frame.connection_id in self.fenced:
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

    async def _give_up(self, runs: list[FrameRun], error: Exception) -> None:
        """Announce frames that no bus will take as lost, in their place: they must not hold up the rest."""
        _log.error("frames cannot be published", topic=self._topic, frames=item_count(runs), error=str(error))
        losses: dict[str, Loss] = {}
        for run in runs:
            losses.setdefault(run.connection_id, Loss()).add(run)
        self.refused_frames += item_count(runs)
        for connection_id, loss in losses.items():
            gap: Gap = loss.gap(connection_id, loss.last_sequence, Cause.BUS)
            await self.note(msgspec.structs.replace(gap, topic=self._topic))

    async def _confirm(self, pauses: int) -> bool:
        """Look whether all connections are still ours; False when one is not.

        Some at a time: each takes two calls of the state store, and thousands begun at once would all be
        given up for the time the last of them takes. After an error those that were confirmed stay so.
        """
        if pauses != self._confirmed_pauses:
            self._confirmed_pauses = pauses
            self._confirmed.clear()
        done = self.fenced | self._confirmed
        waiting = [each for each in self._sources.values() if each.id not in done]
        lost = False

        async def confirm() -> None:
            nonlocal lost
            while waiting:
                source = waiting.pop()
                try:
                    await source.confirm()
                except ConflictError:
                    _log.error("connection lost while the process stood still", connection_id=source.id)
                    self.fenced.add(source.id)
                    lost = True
                else:
                    self._confirmed.add(source.id)

        ended = await asyncio.gather(*(confirm() for _ in range(_CONFIRMS_AT_ONCE)), return_exceptions=True)
        for error in filter(None, ended):
            raise error
        return not lost
