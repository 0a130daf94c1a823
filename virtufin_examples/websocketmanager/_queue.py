"""The bounded queue of one topic: numbered items waiting for the bus. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from virtufin_examples.connections import Loss, StreamItem, frame_count, item_bytes, item_count
from virtufin_examples.frames import Cause, FrameRun, Marker


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
    def count(self) -> int:
        """How many frames and markers it holds."""
        return item_count(self._items) + len(self._losses)

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
            self.dropped_frames += frame_count(item)
            loss = self._losses.get(item.connection_id)
            if loss is None:
                loss = self._losses[item.connection_id] = Loss()
            loss.add(item)

    def take(self, max_bytes: int) -> list[FrameRun] | Marker:
        """Remove and return what goes next: a marker, or the frames before the next marker.

        The frames have `max_bytes` at most, or are a single run; with 0, a single frame. The queue may not
        be empty.
        """
        if self._losses:
            self._place_losses()
        items = self._items
        first = items[0]
        if not isinstance(first, FrameRun):
            items.popleft()
            self.bytes -= item_bytes(first)
            return first
        if not max_bytes and len(first) > 1:
            first, items[0] = first.split(1)
            self.bytes -= first.memory_bytes
            return [first]
        runs: list[FrameRun] = []
        size = 0
        while items:
            item = items[0]
            if not isinstance(item, FrameRun) or (runs and size + item.size > max_bytes):
                break
            runs.append(item)
            size += item.size
            self.bytes -= item.memory_bytes
            items.popleft()
        return runs

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
