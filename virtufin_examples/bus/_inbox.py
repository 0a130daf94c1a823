"""Deliveries that wait for their reader, bounded in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

ENTRY_OVERHEAD_BYTES = 1024  # what a delivery costs beside its data, roughly


class Inbox(Generic[T]):
    """A queue of one event loop: `put` waits while it is full, `get` returns None once it is closed.

    The bound is passed by at most one entry, so that one larger than the bound still gets through.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._entries: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = asyncio.Condition()

    async def put(self, entry: T, size_bytes: int) -> None:
        """Add an entry; after `close` it is let go."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._bytes < self._limit_bytes or self._closed)
            if self._closed:
                return
            self._entries.append((entry, size_bytes + ENTRY_OVERHEAD_BYTES))
            self._bytes += size_bytes + ENTRY_OVERHEAD_BYTES
            self._changed.notify_all()

    async def get(self) -> T | None:
        """Return the oldest entry, or None once closed."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._entries or self._closed)
            if self._closed:
                return None
            entry, size_bytes = self._entries.popleft()
            self._bytes -= size_bytes
            self._changed.notify_all()
            return entry

    async def close(self) -> None:
        """Let everything go and wake all who wait."""
        async with self._changed:
            self._closed = True
            self._entries.clear()
            self._bytes = 0
            self._changed.notify_all()
