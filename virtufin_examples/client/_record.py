"""Recording a topic: what `subscribe` yields, into a file."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from virtufin_examples.client._api import ApiClient
from virtufin_examples.client._recording_file import RecordingFile
from virtufin_examples.client._subscribe import subscribe
from virtufin_examples.client._subscription import Subscription
from virtufin_examples.frames import Frame, Gap, Item, Late, RecordedItem

SYNC_SECONDS = 1.0
"""What a machine that loses its power costs at most; a process that is killed costs nothing written."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What one session of recording did. `replayed`: messages that were a replay's, not live."""

    topic: str
    path: str
    frames: int = 0
    gaps: int = 0
    markers: int = 0
    size_bytes: int = 0
    repaired_bytes: int = 0
    repaired_at: int = 0
    replayed: int = 0


OnProgress = Callable[[Recorded], None]


async def record(
    topic: str,
    path: Path,
    *,
    dapr: str | None = None,
    api: ApiClient | str | None = None,
    count: int = 0,
    seconds: float = 0.0,
    stop: asyncio.Event | None = None,
    on_progress: OnProgress | None = None,
) -> Recorded:
    """Record a topic until `stop` is set, `count` frames (0: any number) or `seconds` (0: any time).

    A file that is a recording of this topic is continued. `dapr` and `api` are `subscribe`'s. `on_progress`
    is called when the recording has begun and after each write. Raises what `subscribe` and the file raise.
    Cancelling it ends it as `stop` does.
    """
    file = await asyncio.to_thread(RecordingFile.open, path, topic)  # which reads what the file holds
    try:
        async with subscribe(topic, dapr=dapr, api=api) as subscription:
            recording = _Recording(file, subscription, count, on_progress)
            await recording.run(stop or asyncio.Event(), seconds)
    except asyncio.CancelledError:
        file.close(time.time_ns())
        raise
    except BaseException:
        file.abandon()
        raise
    file.close(time.time_ns())
    return recording.totals()


class _Recording:
    """One session: counts, and the loop from subscription to file."""

    def __init__(
        self, file: RecordingFile, subscription: Subscription, count: int, on_progress: OnProgress | None
    ) -> None:
        self._file = file
        self._subscription = subscription
        self._count = count
        self._on_progress = on_progress
        self._frames = self._gaps = self._markers = 0

    def totals(self) -> Recorded:
        """What was recorded so far."""
        return Recorded(
            topic=self._subscription.topic,
            path=str(self._file.path),
            frames=self._frames,
            gaps=self._gaps,
            markers=self._markers,
            size_bytes=self._file.size,
            repaired_bytes=self._file.repaired_bytes,
            repaired_at=self._file.repaired_at,
            replayed=self._subscription.replayed,
        )

    async def run(self, stop: asyncio.Event, seconds: float) -> None:
        """Record until one of the bounds is reached, or the subscription ends."""
        self._tell()
        stopping = asyncio.create_task(stop.wait(), name="stop-recording")
        writing = asyncio.create_task(self._write(), name="record")
        syncing = asyncio.create_task(self._sync(), name="sync-recording")
        tasks = (stopping, writing, syncing)
        try:
            await asyncio.wait(tasks, timeout=seconds or None, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                task.result()

    async def _write(self) -> None:
        async for batch in self._subscription.batches():
            items = self._wanted(batch)
            if not items:
                continue
            added = self._file.append(items, time.time_ns())
            frames = sum(isinstance(item, Frame) for item in items)
            self._frames += frames
            self._gaps += added + sum(isinstance(item, Gap) for item in items)
            self._markers += added + len(items) - frames
            self._tell()
            if self._frames == self._count > 0:
                return

    def _wanted(self, batch: list[Item]) -> list[RecordedItem]:
        """The items up to the last frame that is asked for."""
        left = self._count - self._frames
        items: list[RecordedItem] = []
        for item in batch:
            if isinstance(item, Late):  # never asked for
                continue
            items.append(item)
            left -= isinstance(item, Frame)
            if left == 0:
                break
        return items

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            await self._file.sync()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self.totals())
