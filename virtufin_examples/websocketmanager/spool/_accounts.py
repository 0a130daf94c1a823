"""Which bytes of a topic's spool are where: segments, what is read, what may be dropped. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a topic's spool: a segment, a byte where a record begins or ends, frames of it to skip."""

    segment: int
    offset: int
    skip: int = 0


@dataclass(slots=True)
class Segment:
    """One file: its number, the end of its intact records, and where these begin.

    `recovered`: a process before this one wrote it. `collapsed`: its items were dropped, it holds the gaps.
    """

    index: int
    end: int
    begin: int
    recovered: bool = False
    collapsed: bool = False


class SegmentAccounts:
    """The segments of one topic, oldest first; the newest is written unless it is `sealed`.

    `read` is where reading goes on. `protected` is a segment whose items are on their way to the bus though
    they were not read from it.
    """

    def __init__(self) -> None:
        self.read = Position(0, 0)
        self.sealed = True
        self.protected = 0
        self._segments: deque[Segment] = deque()
        self._next_index = 1

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def bytes(self) -> int:
        """Bytes of all segments."""
        return sum(segment.end for segment in self._segments)

    @property
    def end(self) -> Position:
        """Where the newest record ends."""
        return (
            Position(self._segments[-1].index, self._segments[-1].end) if self._segments else Position(0, 0)
        )

    @property
    def writing(self) -> Segment | None:
        """The segment that takes what is written next, if one is open."""
        return None if self.sealed or not self._segments else self._segments[-1]

    @property
    def has_unread(self) -> bool:
        """Whether anything is left to be read."""
        return bool(self._segments) and self.read < self.end

    def add(self, begin: int) -> Segment:
        """Open a segment whose records begin at `begin`."""
        segment = Segment(self._next_index, begin, begin)
        self._next_index += 1
        self._segments.append(segment)
        self.sealed = False
        if len(self._segments) == 1:
            self.read = Position(segment.index, begin)
        return segment

    def adopt(self, segment: Segment) -> None:
        """Take in a segment that was there before, in the order of the numbers."""
        segment.recovered = True
        self._segments.append(segment)
        self._next_index = segment.index + 1

    def start_at(self, position: Position | None) -> None:
        """Begin to read at a position, or at the first segment when it says nothing about what is there."""
        if not self._segments:
            return
        first = self._segments[0]
        beginning = Position(first.index, first.begin)
        if position is None or position < beginning or position.segment > self.end.segment:
            self.read = beginning
        else:
            self.read = min(position, self.end)  # where it lay may have been torn off

    def reading(self) -> Segment | None:
        """Return the segment to read from, going on to the next where one has been read."""
        for segment in self._segments:
            if segment.index < self.read.segment:
                continue
            if segment.index > self.read.segment:
                self.read = Position(segment.index, segment.begin)
            if self.read.offset < segment.end:
                return segment
        return None

    def droppable(self) -> Segment | None:
        """Return the oldest segment that may be dropped: unread, whole, and not written any more."""
        writing = self.writing
        for segment in self._segments:
            if segment.index <= max(self.read.segment, self.protected) or segment.collapsed:
                continue
            return None if segment is writing else segment
        return None

    def collapsed_before(self, segment: Segment) -> Segment | None:
        """Return the segment before, when it may be merged with this one: unread, holding gaps only."""
        before = None
        for each in self._segments:
            if each is segment:
                break
            before = each
        if before is None or not before.collapsed or before.index <= max(self.read.segment, self.protected):
            return None
        return before

    def remove(self, segment: Segment) -> None:
        """Forget a segment."""
        self._segments.remove(segment)

    def release(self, position: Position) -> list[Segment]:
        """Return and forget the segments before a position, or all where it is the end of everything."""
        released: list[Segment] = []
        while self._segments:
            segment = self._segments[0]
            is_last = len(self._segments) == 1
            done = segment.index < position.segment or (is_last and position.offset >= segment.end)
            if not done:
                break
            released.append(self._segments.popleft())
        if not self._segments:
            self.sealed = True
        return released
