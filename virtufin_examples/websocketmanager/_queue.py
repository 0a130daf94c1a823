"""The bounded queue of one topic: numbered items waiting for the bus. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from virtufin_examples.connections import Loss, StreamItem, item_bytes
from virtufin_examples.frames import Cause, Frame, Marker


class ItemQueue:
    """Items of one or more connections in arrival order, bounded by `limit_bytes` through `drop_oldest`.

    What is dropped becomes a gap a connection, in the place of the dropped items and under the number of the
    last of them: nothing else will come out under that number.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self.dropped_frames = 0
        self._items: deque[StreamItem] = deque()
        self._losses: dict[str, Loss] = {}  # dropped from the front, so they come first

    def __len__(self) -> int:
        return len(self._items) + len(self._losses)

    @property
    def is_over(self) -> bool:
        """Whether it holds more than its bound."""
        return self.bytes > self.limit_bytes

    def push(self, items: Sequence[StreamItem], size: int) -> None:
        """Append items of `size` bytes."""
        self._items.extend(items)
        self.bytes += size

    def push_front(self, items: Sequence[StreamItem]) -> None:
        """Put back what was taken last, before everything else."""
        self._place_losses()
        self._items.extendleft(reversed(items))
        self.bytes += sum(map(item_bytes, items))

    def drop_oldest(self) -> None:
        """Drop from the front until the bound is kept."""
        while self.bytes > self.limit_bytes and self._items:
            item = self._items.popleft()
            self.bytes -= item_bytes(item)
            self.dropped_frames += isinstance(item, Frame)
            loss = self._losses.get(item.connection_id)
            if loss is None:
                loss = self._losses[item.connection_id] = Loss()
            loss.add(item)

    def take(self, max_bytes: int) -> list[Frame] | Marker:
        """Remove and return what goes next: a marker, or the frames before the next marker.

        The frames have `max_bytes` at most, or are a single one. The queue must not be empty.
        """
        if self._losses:
            self._place_losses()
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

    def take_any(self, max_bytes: int) -> list[StreamItem]:
        """Remove and return items as they come, of `max_bytes` at most or a single one."""
        self._place_losses()
        taken: list[StreamItem] = []
        size = 0
        while self._items:
            item_size = item_bytes(self._items[0])
            if taken and size + item_size > max_bytes:
                break
            taken.append(self._items.popleft())
            size += item_size
        self.bytes -= size
        return taken

    def _place_losses(self) -> None:
        """Put the gaps for what was dropped in its place, at the front."""
        losses, self._losses = self._losses, {}
        for connection_id, loss in losses.items():
            gap = loss.gap(connection_id, loss.last_sequence, Cause.OVERFLOW)
            self._items.appendleft(gap)
            self.bytes += item_bytes(gap)
