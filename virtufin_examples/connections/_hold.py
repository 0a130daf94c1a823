"""Holds what comes in before a connection's first `publish` (architecture, section 6). Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from virtufin_examples.connections._loss import Loss, StreamItem, item_bytes
from virtufin_examples.frames import FrameRun, Gap

HOLD_BYTES = 4 * 1024 * 1024
HOLD_NS = 30 * 1_000_000_000


class HoldBuffer:
    """The newest items, at most `limit_bytes` and none older than `limit_ns`; the rest is a `Loss`.

    With both limits 0 it keeps nothing and only remembers what there was: a connection that stopped
    publishing.
    """

    def __init__(self, *, limit_bytes: int = HOLD_BYTES, limit_ns: int = HOLD_NS) -> None:
        self._limit_bytes = limit_bytes
        self._limit_ns = limit_ns
        self._items: deque[StreamItem] = deque()
        self._bytes = 0
        self._loss: Loss | None = None

    @property
    def held_bytes(self) -> int:
        """Bytes of what is held."""
        return self._bytes

    def add(self, items: Sequence[StreamItem], now_ns: int) -> None:
        """Hold items, dropping the oldest where they exceed a limit."""
        self._items.extend(items)
        self._bytes += sum(map(item_bytes, items))
        self._prune(now_ns)

    def drain(self, now_ns: int) -> tuple[list[StreamItem], Loss | None]:
        """Return what is held and what was lost, and be empty."""
        self._prune(now_ns)
        items, loss = list(self._items), self._loss
        self._items.clear()
        self._bytes = 0
        self._loss = None
        return items, loss

    def _prune(self, now_ns: int) -> None:
        oldest_ns = now_ns - self._limit_ns
        items = self._items
        while items and (self._bytes > self._limit_bytes or _time_ns(items[0]) < oldest_ns):
            item = items.popleft()
            self._bytes -= item_bytes(item)
            if self._loss is None:
                self._loss = Loss()
            self._loss.add(item)


def _time_ns(item: StreamItem) -> int:
    if isinstance(item, FrameRun):
        return item.last_received_ns
    return item.to_ns if isinstance(item, Gap) else item.since_ns
