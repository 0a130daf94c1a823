"""What a bounded buffer dropped, until it is announced as a gap. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from virtufin_examples.frames import Cause, Frame, Gap, Restored, Stale

StreamItem: TypeAlias = Frame | Gap | Stale | Restored
"""An item of a connection's stream, numbered. Its topic is known only to its publisher and is empty here."""

MARKER_BYTES = 256
"""What a marker counts as in a bounded buffer."""

FRAME_OVERHEAD_BYTES = 160
"""What a frame takes besides its payload, so that tiny frames are bounded as well."""


def item_bytes(item: StreamItem) -> int:
    """Return what an item counts as in a bounded buffer."""
    return len(item.data) + FRAME_OVERHEAD_BYTES if isinstance(item, Frame) else MARKER_BYTES


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
        first, last = item.sequence, item.sequence
        if isinstance(item, Frame):
            self.frames += 1
            self.bytes += len(item.data)
            before = after = item.epoch
            start = end = item.received_ns
        elif isinstance(item, Gap):
            first = min(first, item.first_sequence or first)
            before, after = item.epoch_before, item.epoch_after
            start, end = item.from_ns, item.to_ns
        else:
            before = after = item.epoch
            start = end = item.since_ns
        if self._last_sequence == 0:
            self._first_sequence, self._epoch_before, self._from_ns = first, before, start
        self._first_sequence = min(self._first_sequence, first)
        self._from_ns = min(self._from_ns, start)
        self._last_sequence = max(self._last_sequence, last)
        self._epoch_after = max(self._epoch_after, after)
        self._to_ns = max(self._to_ns, end)

    def add_all(self, items: Sequence[StreamItem]) -> None:
        """Take in items that were dropped."""
        for item in items:
            self.add(item)

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
