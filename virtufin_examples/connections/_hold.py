"""Holds what comes in before a connection's first `publish` (architecture, section 6). Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from virtufin_examples.connections._loss import Loss, StreamItem, item_bytes

HOLD_BYTES = 4 * 1024 * 1024
HOLD_SECONDS = 30.0


class HoldBuffer:
    """The newest items, at most `limit_bytes` and none held for over `limit_seconds`; the rest is a `Loss`.

    Times are those of a clock that nobody sets: seconds that never run backwards.
    With both limits 0 it keeps nothing and only remembers what there was: a connection that stopped
    publishing.
    """

    def __init__(self, *, limit_bytes: int = HOLD_BYTES, limit_seconds: float = HOLD_SECONDS) -> None:
        self._limit_bytes = limit_bytes
        self._limit_seconds = limit_seconds
        # Since when each is held; of thousands of connections few ever hold something.
        self._items: deque[tuple[float, StreamItem]] | None = None
        self._bytes = 0
        self._loss: Loss | None = None

    @property
    def held_bytes(self) -> int:
        """Bytes of what is held."""
        return self._bytes

    def add(self, items: Sequence[StreamItem], now: float) -> None:
        """Hold items, dropping the oldest where they exceed a limit."""
        if self._items is None:
            self._items = deque()
        self._items.extend((now, item) for item in items)
        self._bytes += sum(map(item_bytes, items))
        self._prune(now)

    def drain(self, now: float) -> tuple[list[StreamItem], Loss | None]:
        """Return what is held and what was lost, and be empty."""
        self._prune(now)
        items, loss = [item for _, item in self._items or ()], self._loss
        self._items = None
        self._bytes = 0
        self._loss = None
        return items, loss

    def _prune(self, now: float) -> None:
        oldest = now - self._limit_seconds
        items = self._items
        while items and (self._bytes > self._limit_bytes or items[0][0] < oldest):
            _, item = items.popleft()
            self._bytes -= item_bytes(item)
            if self._loss is None:
                self._loss = Loss()
            self._loss.add(item)
