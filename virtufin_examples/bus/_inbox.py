"""Deliveries that wait for their reader, bounded in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

ENTRY_OVERHEAD_BYTES = 1024  # what a delivery costs beside its data, roughly


class Inbox(Generic[T]):
    """A queue of one event loop: `put` waits while it is full, `get` returns None once it is closed.

    The bound is passed by at most one entry, so that one larger than the bound still gets through.
    `on_change` is called when there is something to take, and at the end.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.on_change: Callable[[], None] | None = None
        self._limit_bytes = limit_bytes
        self._entries: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._closed = False
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._closed

    async def put(self, entry: T, size_bytes: int) -> None:
        """Add an entry; after `close` it is let go."""
        while self._bytes >= self._limit_bytes and not self._closed:
            await self._change()
        if self._closed:
            return
        self._entries.append((entry, size_bytes + ENTRY_OVERHEAD_BYTES))
        self._bytes += size_bytes + ENTRY_OVERHEAD_BYTES
        self._changed()
        if self.on_change is not None:
            self.on_change()

    async def get(self) -> T | None:
        """Return the oldest entry, or None once closed."""
        while (entry := self.take()) is None and not self._closed:
            await self._change()
        return entry

    def take(self) -> T | None:
        """Return the oldest entry, or None when there is none now."""
        if not self._entries:
            return None
        entry, size_bytes = self._entries.popleft()
        self._bytes -= size_bytes
        self._changed()
        return entry

    def close(self) -> None:
        """Let everything go and wake all who wait."""
        self._closed = True
        self._entries.clear()
        self._bytes = 0
        self._changed()
        if self.on_change is not None:
            self.on_change()

    async def _change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _changed(self) -> None:
        waiters = self._waiters
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
