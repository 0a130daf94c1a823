"""What a bounded buffer dropped, until it is announced as a gap. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from virtufin_examples.frames import Cause, FrameRun, Gap, Restored, Stale

StreamItem: TypeAlias = FrameRun | Gap | Stale | Restored
"""What a connection's stream carries, numbered: frames in runs, and markers, whose topic is empty here."""

MARKER_BYTES = 256
"""What a marker counts as in a bounded buffer."""


def item_bytes(item: StreamItem) -> int:
    """Return what an item counts as in a bounded buffer."""
    return item.memory_bytes if isinstance(item, FrameRun) else MARKER_BYTES


def frame_count(item: StreamItem) -> int:
    """Return how many frames an item is: none, where it is a marker."""
    return len(item) if isinstance(item, FrameRun) else 0


def item_count(items: Iterable[StreamItem]) -> int:
    """Return how many frames and markers items are."""
    return sum(len(item) if isinstance(item, FrameRun) else 1 for item in items)


class Loss:
    """A run of dropped items of one connection. A dropped gap stays announced: its bounds are taken in."""

    def __init__(self) -> None:
        self.frames = 0
        self.bytes = 0
        self._first_sequence = 0
        self._last_sequence = 0
        self._epoch_before = 0
        self._epoch_after = 0
        self._from_ns = 0
        self._to_ns = 0

    @property
    def last_sequence(self) -> int:
        """The number of the last item: its gap may take that, since nothing else will come out under it."""
        return self._last_sequence

    def add(self, item: StreamItem) -> None:
        """Take in an item that was dropped; items come in the order of their sequences."""
        if isinstance(item, FrameRun):
            self.frames += len(item)
            self.bytes += item.size
            first, last = item.first_sequence, item.last_sequence
            before = after = item.epoch
            start, end = item.received_ns, item.last_received_ns
        elif isinstance(item, Gap):
            first, last = min(item.sequence, item.first_sequence or item.sequence), item.sequence
            before, after = item.epoch_before, item.epoch_after
            start, end = item.from_ns, item.to_ns
        else:
            first = last = item.sequence
            before = after = item.epoch
            start = end = item.since_ns
        if self._last_sequence == 0:
            self._first_sequence, self._epoch_before, self._from_ns = first, before, start
        self._first_sequence = min(self._first_sequence, first)
        self._from_ns = min(self._from_ns, start)
        self._last_sequence = max(self._last_sequence, last)
        self._epoch_after = max(self._epoch_after, after)
        self._to_ns = max(self._to_ns, end)

    def gap(self, connection_id: str, sequence: int, cause: Cause) -> Gap:
        """Return the announcement, with a number of its own."""
        return Gap(
            topic="",
            connection_id=connection_id,
            epoch_before=self._epoch_before,
            epoch_after=self._epoch_after,
            cause=cause,
            from_ns=self._from_ns,
            to_ns=self._to_ns,
            sequence=sequence,
            first_sequence=self._first_sequence,
            last_sequence=self._last_sequence,
        )
