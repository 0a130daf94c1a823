"""The bounded queue of one topic: numbered items waiting for the bus. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from virtufin_examples.connections import Loss, StreamItem, item_bytes
from virtufin_examples.frames import Frame, Marker


class ItemQueue:
    """Items of one or more connections in arrival order, bounded by `limit_bytes` through `drop_oldest`."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self.dropped_frames = 0
        self._items: deque[StreamItem] = deque()
        self._losses: dict[str, Loss] = {}

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_over(self) -> bool:
        """Whether it holds more than its bound."""
        return self.bytes > self.limit_bytes

    def push(self, items: Sequence[StreamItem], size: int) -> None:
        """Append items of `size` bytes."""
        self._items.extend(items)
        self.bytes += size

    def drop_oldest(self) -> None:
        """Drop from the front until the bound is kept; what goes is remembered by connection."""
        while self.bytes > self.limit_bytes and self._items:
            item = self._items.popleft()
            self.bytes -= item_bytes(item)
            self.dropped_frames += isinstance(item, Frame)
            loss = self._losses.get(item.connection_id)
            if loss is None:
                loss = self._losses[item.connection_id] = Loss()
            loss.add(item)

    def take_losses(self) -> dict[str, Loss]:
        """Return and forget what was dropped, by connection."""
        losses, self._losses = self._losses, {}
        return losses

    def take_loss(self, connection_id: str) -> Loss | None:
        """Return and forget what was dropped of one connection."""
        return self._losses.pop(connection_id, None)

    def take(self, max_bytes: int) -> list[Frame] | Marker:
        """Remove and return what goes next: a marker, or the frames before the next marker.

        The frames have `max_bytes` at most, or are a single one. The queue must not be empty.
        """
        items = self._items
        first = items[0]
        if not isinstance(first, Frame):
            items.popleft()
            self.bytes -= item_bytes(first)
            return first
        frames: list[Frame] = []
        size = 0
        while items:
            item = items[0]
            if not isinstance(item, Frame):
                break
            item_size = item_bytes(item)
            if frames and size + item_size > max_bytes:
                break
            frames.append(item)
            size += item_size
            items.popleft()
        self.bytes -= size
        return frames
