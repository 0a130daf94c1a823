"""Numbers the items of one connection's stream (architecture, invariants 1 and 10). Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import msgspec

from virtufin_examples.errors import ResourceLimitError
from virtufin_examples.frames import FrameFlag, FrameRun

BLOCK_SIZE = 1_000_000
"""Sequences reserved at a time: one write to the state store for a million frames, and what a crash skips."""

LOW_WATER = BLOCK_SIZE // 2
"""With so few left the next block is asked for: half a million frames to come by it."""

MARKER_RESERVE = 1000
"""Sequences of a block that only markers may take: when frames find none left, that can still be said."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a connection's record was made to promise: an epoch and the sequences up to `last_sequence`.

    `first_sequence` is the first that no other process can have used. `lost_since_ns` is not 0 for the first
    epoch of a restarted process: the Unix time since which frames may be missing; the numbers from
    `lost_first_sequence` to `first_sequence - 1` may have been given before.
    """

    epoch: int
    first_sequence: int
    last_sequence: int
    lost_since_ns: int = 0
    lost_first_sequence: int = 0
    lost_epoch: int = 0


class Ledger(Protocol):
    """The connection's record, changed only by compare-and-swap.

    `ConflictError` means that another instance holds the record: this one must stop.
    """

    async def begin_epoch(self) -> Grant:
        """Take the next epoch, and sequences when fewer than `LOW_WATER` may be left."""

    async def confirm(self) -> None:
        """Make sure that the record is still this instance's, as it was when the epoch was taken."""

    async def extend(self) -> int:
        """Reserve the block after the last; return the new last sequence."""


class SequencesExhaustedError(ResourceLimitError):
    """No sequence is reserved any more: the state store did not answer for half a block."""


RUN_BYTES = 256 * 1024
RUN_FRAMES = 1024
"""The payloads of one run, unless it is a single frame, and its frames: what a queue drops, holds or hands on
at a time."""

_BINARY = int(FrameFlag.BINARY)
_SIMULATED = int(FrameFlag.SIMULATED)
_BACKFILL = int(FrameFlag.BACKFILL)


class Sequencer:
    """Gives every item its number, once, rising by one but for the jump after a restart."""

    def __init__(self, connection_id: str, connection_url: str) -> None:
        self._connection_id = connection_id
        self._url = connection_url
        self._next = 1
        self._last = 0

    @property
    def last_sequence(self) -> int:
        """The last number given, 0 before the first."""
        return self._next - 1

    @property
    def is_low(self) -> bool:
        """Whether the next block should be reserved."""
        return self._last - self._next + 1 < LOW_WATER

    def grant(self, first: int, last: int) -> None:
        """Allow the numbers from `first` to `last`; what was allowed and given stays as it is."""
        self._next = max(self._next, first)
        self._last = max(self._last, last)

    def take(self) -> int:
        """Return the number of one marker."""
        self._require(1)
        number = self._next
        self._next += 1
        return number

    def runs(
        self,
        payloads: Sequence[bytes],
        received_ns: int,
        *,
        epoch: int,
        binary: bool = False,
        simulated: bool = False,
        backfill: bool = False,
    ) -> list[FrameRun]:
        """Return the messages of one read numbered, as runs of `RUN_BYTES` and `RUN_FRAMES` at most.

        Raises `SequencesExhaustedError` when the numbers do not suffice for all, and then gives none.
        """
        count = len(payloads)
        self._require(count, reserve=MARKER_RESERVE)
        first = self._next
        self._next = first + count
        flag = (_BINARY if binary else 0) | (_SIMULATED if simulated else 0) | (_BACKFILL if backfill else 0)
        size = sum(map(len, payloads))
        whole = FrameRun(
            self._connection_id,
            epoch,
            first,
            received_ns,
            payloads,
            size,
            (),
            (flag,) * count if flag else (),
            (),
            self._url,
        )
        # with thousands of connections a read brings a few frames, and its own costs count
        return [whole] if count <= RUN_FRAMES and size <= RUN_BYTES else _parts(whole)

    def _require(self, count: int, *, reserve: int = 0) -> None:
        left = self._last - self._next + 1 - reserve
        if count > left:
            raise SequencesExhaustedError(
                f"connection {self._connection_id}: {count} sequences wanted, {max(0, left)} are reserved",
                hint="the state store does not answer",
            )


def _parts(whole: FrameRun) -> list[FrameRun]:
    """Cut what one read brought so that each part is within the bounds of a run."""
    ends = list(accumulate(map(len, whole.payloads)))
    parts: list[FrameRun] = []
    start = 0
    while start < len(ends):
        before = ends[start - 1] if start else 0
        end = min(bisect_right(ends, before + RUN_BYTES, start), start + RUN_FRAMES)
        end = max(end, start + 1)  # a single frame may be larger
        parts.append(
            msgspec.structs.replace(
                whole,
                first_sequence=whole.first_sequence + start,
                payloads=whole.payloads[start:end],
                size=ends[end - 1] - before,
                flags=whole.flags[start:end],
            )
        )
        start = end
    return parts
