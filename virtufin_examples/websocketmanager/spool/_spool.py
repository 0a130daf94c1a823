"""The spool for the event loop: every call to the disk runs on one thread of its own, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec
import structlog

from virtufin_examples.connections import StreamItem, item_bytes, item_count
from virtufin_examples.frames import FrameFlag, FrameRun, Marker
from virtufin_examples.websocketmanager._queue import ItemQueue
from virtufin_examples.websocketmanager.spool._accounts import Position
from virtufin_examples.websocketmanager.spool._format import Mark, SegmentHeader, mark_of
from virtufin_examples.websocketmanager.spool._holding import Holding, Recovered
from virtufin_examples.websocketmanager.spool._topic_files import Appended, Chunk, Entry, TopicFiles

_UNBOUNDED = 1 << 62
_P = ParamSpec("_P")
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class Batch(msgspec.Struct, frozen=True, gc=False):
    """What goes to the bus next, under the name of the process that took it in."""

    items: list[FrameRun] | Marker
    instance: str


@dataclass(slots=True)
class _Pending:
    """A record that was read: how many of its frames or markers are handed out, and are not yet released."""

    entry: Entry
    wanted: int
    left: int

    def position(self) -> Position:
        """Return where to go on; where items were left out, some may be read again, none is missed."""
        start = self.entry.start
        return Position(start.segment, start.offset, start.skip + self.wanted - self.left)


class Spool:
    """All topics' spools of one process, in one folder below `root`, with `max_bytes` on disk at most.

    `holder` names the process; no other may ever have that name. `executor` is for tests.
    """

    def __init__(
        self, root: Path, max_bytes: int, *, holder: str, instance: str, executor: Executor | None = None
    ) -> None:
        self.holder = holder
        self.problem = ""
        self._root = root
        self._instance = instance
        self._holding = Holding(root, max_bytes, holder)
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="spool")

    @property
    def is_dropping(self) -> bool:
        """Whether the bound was reached, so that the oldest give way."""
        return self._holding.dropping

    async def open(
        self, platform: str, holder_of: Callable[[str], Awaitable[str]]
    ) -> list[tuple[SegmentHeader, TopicSpool]]:
        """Open the spool of a platform; return what processes that are gone have left, topic by topic.

        `holder_of` tells the process that last held a connection's record, or nothing where there is no
        record. What was left by a process from which another one had taken the connection is deleted: it lies
        inside the gap that the other has announced. A folder that cannot be used is a `problem`, no error.
        """
        try:
            found = await self.run(self._holding.open, platform)
        except OSError as error:
            self.problem = f"the spool's folder {self._root} cannot be used: {error}"
            _log.error("no spool", problem=self.problem, hint="set VIRTUFIN_SPOOL_DIR to a folder that can")
            return []
        spools: list[tuple[SegmentHeader, TopicSpool]] = []
        for recovered in found:
            stale = await self._stale(recovered, holder_of)
            header = recovered.files.header
            if stale == set(recovered.marks):
                await self.run(self._holding.discard, header.name)
                continue
            recovered.files.header = msgspec.structs.replace(header, instance=self._instance)
            spools.append((header, TopicSpool(self, recovered.files, frozenset(stale))))
        return spools

    def topic(
        self, topic: str, *, encoding: str, markers: str, partition: int = 0, partitions: int = 1
    ) -> TopicSpool:
        """Return the spool of a topic, or of one of its partitions; nothing is written before an append."""
        header = SegmentHeader(topic, self._instance, encoding, markers, partition, partitions)
        return TopicSpool(self, lambda: self._holding.topic(header), frozenset())

    def mark(self, connection_id: str) -> Mark | None:
        """Return how far a process before this one published or spooled a connection, if it said so."""
        return self._holding.marks.get(connection_id)

    async def write_marks(self, marks: Mapping[str, Mark]) -> None:
        """Keep how far each connection is published, for the next process."""
        if self.problem:
            return
        try:
            await self.run(self._holding.write_marks, marks)
        except OSError as error:
            _log.warning("marks not written", error=str(error))

    async def close(self) -> None:
        """Give the folder up; what it holds is for the next process."""
        await self.run(self._holding.close)
        self._executor.shutdown(wait=False)

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a function on the spool's thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: function(*args, **kwargs)
        )

    async def _stale(self, recovered: Recovered, holder_of: Callable[[str], Awaitable[str]]) -> set[str]:
        holders = {name: await holder_of(name) for name in recovered.marks}
        return {name for name, holder in holders.items() if holder and holder not in recovered.holders}


class TopicSpool:
    """The spool of one topic: appended at one end, taken and released at the other.

    Used by one publisher. Items of connections in `stale`, if a process before this one wrote them, are not
    handed out.
    """

    def __init__(
        self, spool: Spool, files: TopicFiles | Callable[[], TopicFiles], stale: frozenset[str]
    ) -> None:
        self.marks: dict[str, Mark] = {}
        self._spool = spool
        self._make = files if callable(files) else None
        self._files = None if callable(files) else files
        self._stale = stale
        self._buffer = ItemQueue(_UNBOUNDED)
        self._instance = ""
        self._entries: deque[_Pending] = deque()
        self._writing = asyncio.Event()  # set: nothing is being written
        self._writing.set()
        self._unread = self._files is not None

    @property
    def is_active(self) -> bool:
        """Whether anything is in it or on its way there, so that the queue in memory has to wait."""
        return self._unread or bool(self._entries) or not self._writing.is_set()

    @property
    def bytes(self) -> int:
        """Bytes on disk."""
        return self._files.bytes if self._files is not None else 0

    @property
    def dropped_frames(self) -> int:
        """Frames dropped because the disk or the bound was full, each inside an announced gap."""
        return self._files.dropped_frames if self._files is not None else 0

    @property
    def is_dropping(self) -> bool:
        """Whether the spool's bound was reached."""
        return self._spool.is_dropping

    async def append(self, items: Sequence[StreamItem], *, protect: bool = False) -> Appended:
        """Write items; see `TopicFiles.append`. What is not written has a problem named beside it."""
        if self._spool.problem:
            return Appended(0, Position(0, 0), self._spool.problem)
        self._writing.clear()
        try:
            if self._files is None and self._make is not None:
                self._files = await self._spool.run(self._make)
            assert self._files is not None  # noqa: S101 - one of the two is given
            appended = await self._spool.run(self._files.append, items, protect=protect)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not lose what was to be kept
            _log.exception("spool failed by a fault of ours")
            return Appended(0, Position(0, 0), f"the spool failed: {error!r}")
        finally:
            self._writing.set()
        self._unread = self._unread or appended.items > 0
        for item in items[: appended.items]:
            self.marks[item.connection_id] = mark_of(item)
        return appended

    async def take(self, max_bytes: int) -> Batch | None:
        """Return what comes next, a marker or frames of `max_bytes` at most; None when all has been taken."""
        while not len(self._buffer):
            if self._entries:
                await self.done(0)  # records of which nothing was to be handed out
            elif self._unread:
                await self._fill()
            elif self._writing.is_set():
                return None
            else:
                await self._writing.wait()
        return Batch(self._buffer.take(max_bytes), self._instance)

    async def done(self, count: int) -> None:
        """Release `count` frames and markers that were taken: they are published."""
        end: Position | None = None
        while self._entries and (count or not self._entries[0].left):
            first = self._entries[0]
            if count < first.left:
                first.left -= count
                end = first.position()
                break
            count -= first.left
            end = first.entry.end
            self._entries.popleft()
        if end is not None:
            await self.release(end)

    async def release(self, end: Position) -> None:
        """Release everything before a position."""
        assert self._files is not None  # noqa: S101 - it has a position
        try:
            await self._spool.run(self._files.release, end)
        except OSError as error:
            _log.error("spool cannot be released: a restart would publish it again", error=str(error))
        self._unread = self._files.accounts.has_unread

    async def _fill(self) -> None:
        files = self._files
        assert files is not None  # noqa: S101 - it has unread items
        chunk = await self._spool.run(files.read)
        self._unread = files.accounts.has_unread
        self._instance = chunk.instance
        if not chunk.entries:  # the rest cannot be read
            await self.release(files.accounts.read)
        for entry in chunk.entries:
            items = self._wanted(chunk, entry)
            count = item_count(items)
            self._entries.append(_Pending(entry, count, count))
            self._buffer.push(items, sum(map(item_bytes, items)))

    def _wanted(self, chunk: Chunk, entry: Entry) -> list[StreamItem]:
        if not chunk.recovered:
            return entry.items
        return [_recovered(item) for item in entry.items if item.connection_id not in self._stale]


def _recovered(item: StreamItem) -> StreamItem:
    return item.flagged(FrameFlag.RECOVERED) if isinstance(item, FrameRun) else item
