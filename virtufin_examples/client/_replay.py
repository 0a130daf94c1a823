"""Publishing a recording onto a topic, at a pace, marked as what it is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

import msgspec

from virtufin_examples.bus import CLOUDEVENT_JSON, Bus
from virtufin_examples.client._api import ApiClient
from virtufin_examples.client._pace import AtOnce, OnCredit, Pace
from virtufin_examples.client._shield import finish
from virtufin_examples.client._sidecar import SidecarFinder, own_app_id
from virtufin_examples.errors import PreconditionError, UnavailableError
from virtufin_examples.frames import (
    BATCH_CONTENT_TYPE,
    BATCH_EVENT_TYPE,
    NOTE_CONTENT_TYPE,
    REPLAY_SOURCE,
    ConnectionBeat,
    Encoding,
    Frame,
    Gap,
    Heartbeat,
    Note,
    RecordingReader,
    Restored,
    Silent,
    Stale,
    encode_batch,
    encode_frame_event,
    encode_note,
    events_topic,
)

MESSAGE_BYTES = 512 * 1024
"""Frames share a message up to here, as the WebSocketManager's do."""
HEARTBEAT_SECONDS = 2.0
_STOP_SECONDS = 5.0
_NS_PER_SECOND = 1_000_000_000

_Played: TypeAlias = Frame | Gap | Stale | Restored


class ReplayClock(Protocol):
    """Where a replay takes its time from."""

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds."""

    def monotonic_ns(self) -> int:
        """Return nanoseconds that never run backwards."""

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        """Wait so long, or until `wake` is set."""


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return nanoseconds that never run backwards."""
        return time.monotonic_ns()

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        """Wait so long, or until `wake` is set."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wake.wait()


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How far a replay is. `position_ns` is when the latest item was received (Unix time).

    `whole` says that the recording was read to a clean end; otherwise it was stopped, or the recorder had
    been cut off, leaving `torn_bytes` that are no whole record.
    """

    topic: str
    path: str
    recorded_topic: str
    frames: int = 0
    markers: int = 0
    messages: int = 0
    read_bytes: int = 0
    size_bytes: int = 0
    position_ns: int = 0
    torn_bytes: int = 0
    whole: bool = False


class Replay:
    """One replay; made by `open_replay`."""

    def __init__(
        self,
        stream: BinaryIO,
        path: Path,
        bus: Bus,
        *,
        topic: str,
        encoding: Encoding,
        pace: Pace,
        clock: ReplayClock,
        on_progress: Callable[[Replayed], None] | None,
    ) -> None:
        self._reader = RecordingReader(stream, str(path))
        self._path = path
        self._size_bytes = path.stat().st_size
        self._bus = bus
        self.topic = topic or default_topic(self._reader.head.topic)
        self._batch = encoding is Encoding.BATCH
        self._notes_topic = self.topic if self._batch else events_topic(self.topic)
        self._instance = f"replay-{self._reader.head.id}"
        self._pace = pace
        self._clock = clock
        self._on_progress = on_progress
        self._wake = asyncio.Event()
        self._stopped = False
        self._no_more_credit = False
        self._last_message_ns = 0
        self._position_ns = 0
        self._beats: dict[str, ConnectionBeat] = {}
        self._frames = self._markers = self._messages = 0

    def grant(self, items: int) -> None:
        """Let so many more items go; for a replay on credit."""
        if not isinstance(self._pace, OnCredit):
            raise PreconditionError("this replay is not on credit", hint="open it with pace=OnCredit()")
        self._pace.grant(items)
        self._wake.set()

    def finish(self) -> None:
        """Say that no more credit comes: it ends when what was granted is used up."""
        self._no_more_credit = True
        self._wake.set()

    def stop(self) -> None:
        """End it after the message that is on its way."""
        self._stopped = True
        self._wake.set()

    def progress(self) -> Replayed:
        """How far it is."""
        return Replayed(
            topic=self.topic,
            path=str(self._path),
            recorded_topic=self._reader.head.topic,
            frames=self._frames,
            markers=self._markers,
            messages=self._messages,
            read_bytes=self._reader.end,
            size_bytes=self._size_bytes,
            position_ns=self._position_ns,
            torn_bytes=self._reader.torn_bytes,
            whole=self._reader.ended and not self._reader.torn_bytes and not self._stopped,
        )

    async def run(self) -> Replayed:
        """Publish the recording from its beginning; returns at its end, or after `stop`.

        Raises the bus's errors, and `InvalidInputError` where the recording is damaged: what lies before the
        damage is published then.
        """
        await self._heartbeat("start")
        try:
            for record in self._reader:
                await self._play(deque(item for item in record.items if not isinstance(item, Silent)))
                if self._stopped:
                    break
        finally:
            await finish(self._heartbeat("stop"), limit_seconds=_STOP_SECONDS)
        return self.progress()

    async def _play(self, items: deque[_Played]) -> None:
        """Publish the items of one record as the pace allows."""
        going: list[Frame] = []  # in one message
        size = 0
        while items and not self._stopped:
            self._wake.clear()
            wait_ns = self._pace.take(_time(items[0]), self._clock.monotonic_ns())
            if wait_ns == 0:
                item = items.popleft()
                self._position_ns = max(self._position_ns, _time(item))
                if isinstance(item, Frame):
                    if not self._batch or size + len(item.data) > MESSAGE_BYTES:
                        await self._publish_frames(going)
                        size = 0
                    going.append(item)
                    size += len(item.data)
                else:
                    await self._publish_frames(going)
                    size = 0
                    await self._publish_marker(item)
            elif going:
                await self._publish_frames(going)
                size = 0
            elif wait_ns is None and self._no_more_credit:
                self._stopped = True
            else:
                await self._pause(wait_ns)
        await self._publish_frames(going)

    async def _pause(self, wait_ns: int | None) -> None:
        """Wait for time or credit; a heartbeat says meanwhile that this topic's publisher lives."""
        self._tell()
        quiet_ns = self._clock.monotonic_ns() - self._last_message_ns
        beat_ns = int(HEARTBEAT_SECONDS * _NS_PER_SECOND) - quiet_ns
        if beat_ns <= 0:
            await self._heartbeat("beat")
            return
        ns = beat_ns if wait_ns is None else min(wait_ns, beat_ns)
        await self._clock.wait(self._wake, ns / _NS_PER_SECOND)

    async def _publish_frames(self, frames: list[Frame]) -> None:
        """Publish frames, if any, as one message, and take them out of the list."""
        if not frames:
            return
        if self._batch:
            data = encode_batch(frames, instance=self._instance, replay=True)
            subject = {"cloudevent.subject": f"{self.topic}/{frames[0].sequence}"}
            await self._publish_plain(self.topic, data, BATCH_CONTENT_TYPE, BATCH_EVENT_TYPE, subject)
        else:
            event = encode_frame_event(frames[0], source=REPLAY_SOURCE)  # a message of its own
            await self._bus.publish(self.topic, event, content_type=CLOUDEVENT_JSON)
            self._published()
        for frame in frames:
            self._note_sent(frame.connection_id, frame.epoch, frame.sequence, frame.received_ns)
        self._frames += len(frames)
        frames.clear()
        self._tell()

    async def _publish_marker(self, marker: Gap | Stale | Restored) -> None:
        changes: dict[str, object] = {"topic": self.topic}
        if isinstance(marker, Gap) and not marker.sequence:
            # The recorder found this one itself. Here it is announced, under the first missing number.
            changes["sequence"] = marker.first_sequence
        marker = msgspec.structs.replace(marker, **changes)
        await self._publish_note(marker)
        epoch = marker.epoch_after if isinstance(marker, Gap) else marker.epoch
        self._note_sent(marker.connection_id, epoch, marker.sequence, 0)
        self._markers += 1

    def _note_sent(self, connection_id: str, epoch: int, sequence: int, received_ns: int) -> None:
        """Keep what the next heartbeat says of a connection; a marker (0 ns) leaves the time as it is."""
        before = self._beats.get(connection_id)
        self._beats[connection_id] = ConnectionBeat(
            connection_id=connection_id,
            state="replayed",
            epoch=epoch,
            last_received_ns=received_ns or (before.last_received_ns if before else 0),
            last_sequence=max(sequence, before.last_sequence if before else 0),
        )

    async def _heartbeat(self, kind: str) -> None:
        beats = tuple(self._beats.values())
        beat = Heartbeat(topic=self.topic, kind=kind, sent_ns=self._clock.now_ns(), connections=beats)
        await self._publish_note(beat)

    async def _publish_note(self, note: Note) -> None:
        event_type, data = encode_note(note)
        await self._publish_plain(self._notes_topic, data, NOTE_CONTENT_TYPE, event_type, {})

    async def _publish_plain(
        self, topic: str, data: bytes, content_type: str, event_type: str, more: dict[str, str]
    ) -> None:
        metadata = {"cloudevent.type": event_type, "cloudevent.source": REPLAY_SOURCE, **more}
        await self._bus.publish(topic, data, content_type=content_type, metadata=metadata)
        self._published()

    def _published(self) -> None:
        self._messages += 1
        self._last_message_ns = self._clock.monotonic_ns()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self.progress())


@contextlib.asynccontextmanager
async def open_replay(
    path: Path,
    *,
    topic: str = "",
    encoding: Encoding = Encoding.BATCH,
    pace: Pace | None = None,
    dapr: str | None = None,
    api: ApiClient | str | None = None,
    on_progress: Callable[[Replayed], None] | None = None,
) -> AsyncIterator[Replay]:
    """Open a recording to be published; `run` does it.

    `topic` is by default the recorded one with `-replay` behind it, so that live and replayed frames never
    meet. `pace` is `AtOnce()` (default), `Timed(speed)` or `OnCredit()`. `dapr` and `api` name the sidecar to
    publish to, as in `subscribe`. The file is not changed. `on_progress` is called after each message and in
    each pause. Raises `UnavailableError` where there is no file or no Dapr, `InvalidInputError` for what is
    no recording.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UnavailableError(f"{path}: {error.strerror}", hint="name a recording") from None
    with stream:
        RecordingReader(stream, str(path))  # before anything is connected
        stream.seek(0)
        sidecar = await SidecarFinder(dapr, api).find()
        bus = sidecar.bus(own_app_id())
        try:
            yield Replay(
                stream,
                path,
                bus,
                topic=topic,
                encoding=encoding,
                pace=pace or AtOnce(),
                clock=SystemClock(),
                on_progress=on_progress,
            )
        finally:
            await bus.close()


def default_topic(recorded: str) -> str:
    """Return the topic that a recording is replayed onto when none is named."""
    return f"{recorded}-replay"


def _time(item: _Played) -> int:
    """When an item was due: a gap when it was over."""
    if isinstance(item, Frame):
        return item.received_ns
    return item.to_ns if isinstance(item, Gap) else item.since_ns
