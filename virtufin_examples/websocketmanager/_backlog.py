"""What waits for the bus on one topic: a queue in memory and, by policy, a spool on disk before it.

Items leave in the order in which they came: those on their way to the bus, those on disk, those in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from virtufin_examples.connections import Clock, StreamItem, item_count
from virtufin_examples.websocketmanager._queue import ItemQueue
from virtufin_examples.websocketmanager.spool import Appended, Batch, Mark, Position, TopicSpool

QUEUE_BYTES = 64 * 1024 * 1024
"""Memory a topic may take: some seconds of the busiest feed, so that a hiccup of the bus costs nothing."""

SPOOL_AT_BYTES = 16 * 1024 * 1024
"""So much in memory goes to disk even while the bus takes messages: three quarters are left for bursts."""

FAILING_SECONDS = 1.0
"""A message that the bus has not taken for so long is spooled with all behind it, so that little is lost when
the process is killed in an outage; shorter hiccups touch no disk."""

CHUNK_BYTES = 4 * 1024 * 1024
GATHER_SECONDS = 0.05
"""While items are spooled one by one, so many gather for one write."""

RETRY_SECONDS = 1.0
STUCK_SECONDS = 5.0
"""A disk that has taken nothing for so long holds no socket up any more: a venue ends a link not read."""
_ALWAYS_BYTES = -1


class Backlog:
    """The backlog of a topic whose queue is bounded by `limit_bytes`.

    `on_full` is called when items find no room, or the oldest are dropped where it is None and while the
    spool takes nothing; `on_room` while there is some. `on_problem` gets a text when the spool takes
    nothing more or drops, and an empty one when it is well again.
    """

    def __init__(
        self,
        clock: Clock,
        instance: str,
        *,
        limit_bytes: int,
        spool: TopicSpool | None,
        on_full: Callable[[], None] | None,
        on_room: Callable[[], None],
        on_problem: Callable[[str], None],
    ) -> None:
        self.problem = ""
        self._clock = clock
        self._instance = instance
        self._queue = ItemQueue(limit_bytes)
        self._spool = spool
        self._on_full = on_full
        self._on_room = on_room
        self._full_since: float | None = None  # without the disk having taken anything
        self._on_problem = on_problem
        self._spool_at = min(SPOOL_AT_BYTES, limit_bytes // 2) if spool is not None else limit_bytes
        self._notice_bytes = self._spool_at
        self._failing = False
        self._in_flight: Sequence[StreamItem] = ()  # what was taken from memory
        self._from_spool = 0  # frames and markers in flight that came from the spool
        self._adopted: Position | None = None  # where what is in flight ends, once it is in the spool as well
        self._moving = asyncio.Lock()
        self._wake = asyncio.Event()
        self._spooler: asyncio.Task[None] | None = None
        if spool is not None:
            self._spooler = asyncio.get_running_loop().create_task(self._run(spool), name="spooler")

    # --- figures ---

    @property
    def has_items(self) -> bool:
        """Whether anything waits."""
        return len(self._queue) > 0 or (self._spool is not None and self._spool.is_active)

    @property
    def memory_bytes(self) -> int:
        """Bytes waiting in memory."""
        return self._queue.bytes

    @property
    def disk_bytes(self) -> int:
        """Bytes of the spool's files."""
        return self._spool.bytes if self._spool is not None else 0

    @property
    def dropped_frames(self) -> int:
        """Frames dropped, each inside a gap."""
        spooled = self._spool.dropped_frames if self._spool is not None else 0
        return self._queue.dropped_frames + spooled

    @property
    def room_bytes(self) -> int:
        """What may come in before more than half of the bound is taken; 0 or less: nothing."""
        return self._queue.limit_bytes // 2 - self._queue.bytes

    def spooled(self, connection_id: str) -> Mark | None:
        """Return how far a connection's items are on disk or beyond."""
        return self._spool.marks.get(connection_id) if self._spool is not None else None

    # --- in ---

    def put(self, items: Sequence[StreamItem], size: int) -> None:
        """Take numbered items; the hot path."""
        queue = self._queue
        queue.push(items, size)
        if queue.bytes > self._notice_bytes:
            self._wake.set()
            if queue.is_over:
                self._overflow()

    # --- out ---

    async def take(self, max_bytes: int) -> Batch | None:
        """Return what goes to the bus next; None when there was nothing after all."""
        spool = self._spool
        if spool is not None and spool.is_active:
            batch = await spool.take(max_bytes)
            if batch is not None:
                self._from_spool = item_count(batch.items) if isinstance(batch.items, list) else 1
            return batch
        items = self._queue.take(max_bytes)
        self._in_flight = items if isinstance(items, list) else (items,)
        return Batch(items, self._instance)

    async def done(self) -> None:
        """Forget what was taken last: the bus has it."""
        spool = self._spool
        if spool is not None and (self._failing or self.problem or self._moving.locked() or spool.is_active):
            async with self._moving:  # it may be on its way into the spool
                pass
            if self._from_spool:
                await spool.done(self._from_spool)
            elif self._adopted is not None:
                await spool.release(self._adopted)
            self._failing = False
            self._notice_bytes = self._spool_at
            if self.problem and not spool.is_active:
                self._report("")
            self._from_spool, self._adopted = 0, None
        self._in_flight = ()

    def tick(self, trying_seconds: float) -> None:
        """Look whether the message in flight is tried for too long, and whether the disk stands still."""
        if self._spool is not None and not self._failing and trying_seconds >= FAILING_SECONDS:
            self._failing = True
            self._notice_bytes = _ALWAYS_BYTES
            self._wake.set()
        has_room = self.room_bytes > 0
        if has_room:
            self._on_room()  # those that read again may have nothing to bring while the bus hangs
        if self._spool is None or self.problem or has_room:
            self._full_since = None
        elif self._full_since is not None and self._clock.monotonic() - self._full_since >= STUCK_SECONDS:
            self._report(f"the disk has taken nothing for {STUCK_SECONDS:g} s")

    async def close(self) -> int:
        """Spool what waits, if there is a spool; return how many frames and markers are lost."""
        if self._spooler is not None and self._spool is not None:
            async with self._moving:  # what is being written must not get lost
                self._spooler.cancel()
            await asyncio.gather(self._spooler, return_exceptions=True)
            while self._unspooled(self._spool) and await self._spool_next(self._spool):
                pass
        in_flight = 0 if self._adopted is not None else item_count(self._in_flight)
        return in_flight + self._queue.count

    # --- inside ---

    def _overflow(self) -> None:
        if self._on_full is None or self.problem:
            self._queue.drop_oldest()
            return
        if self._full_since is None:
            self._full_since = self._clock.monotonic()
        self._on_full()

    async def _run(self, spool: TopicSpool) -> None:
        while True:
            self._wake.clear()
            await self._wake.wait()
            while (self._failing or self._queue.bytes > self._spool_at) and self._unspooled(spool):
                if not await self._spool_next(spool):
                    await self._clock.sleep(RETRY_SECONDS)
                elif self._failing and not len(self._queue):
                    await self._clock.sleep(GATHER_SECONDS)

    def _unspooled(self, spool: TopicSpool) -> bool:
        return len(self._queue) > 0 or self._must_adopt(spool)

    def _must_adopt(self, spool: TopicSpool) -> bool:
        """Tell whether what is in flight has to go to disk before anything else may."""
        return bool(self._in_flight) and self._adopted is None and not spool.is_active

    async def _spool_next(self, spool: TopicSpool) -> bool:
        """Move items to disk, what is in flight first; return whether that worked."""
        async with self._moving:
            if self._must_adopt(spool):
                appended = await self._append(spool, self._in_flight, protect=True)
                if appended.problem:
                    if appended.items:  # all of it or nothing: what follows must not come before the rest
                        await spool.release(appended.end)
                    return False
                self._adopted = appended.end
            items = self._queue.take_any(CHUNK_BYTES)
            if items:
                appended = await self._append(spool, items)
                if appended.items < len(items):
                    self._queue.push_front(items[appended.items :])
                    if self._queue.is_over:
                        self._queue.drop_oldest()
                    return False
        self._full_since = self._clock.monotonic()
        self._on_room()
        return True

    async def _append(
        self, spool: TopicSpool, items: Sequence[StreamItem], *, protect: bool = False
    ) -> Appended:
        appended = await spool.append(items, protect=protect)
        self._report(
            appended.problem or ("the spool is full: the oldest give way" if spool.is_dropping else "")
        )
        return appended

    def _report(self, problem: str) -> None:
        had, self.problem = self.problem, problem
        if bool(had) != bool(problem):
            self._on_problem(problem)
