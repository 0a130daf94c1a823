"""What a subscriber got of one connection, and whether its numbers add up. Pure."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

from virtufin_examples.audit._result import Finding, FindingKind
from virtufin_examples.frames import Gap


@dataclass(frozen=True, slots=True)
class PlacedGap:
    """A gap and its place among the items of its connection."""

    position: int
    gap: Gap


class HandedOut:
    """The items of one connection in the order in which they came."""

    def __init__(self, connection_id: str) -> None:
        self.connection_id = connection_id
        self.digests: list[tuple[int, bytes]] = []  # position, content
        self.gaps: list[PlacedGap] = []
        self._sequences: list[int] = []  # by position; 0 for a gap that the subscriber found

    def add_frame(self, digest: bytes, sequence: int) -> None:
        """Take a frame."""
        self.digests.append((len(self._sequences), digest))
        self._sequences.append(sequence)

    def add_gap(self, gap: Gap) -> None:
        """Take a gap."""
        self.gaps.append(PlacedGap(len(self._sequences), gap))
        self._sequences.append(gap.sequence)

    def add_other(self, sequence: int) -> None:
        """Take another marker."""
        self._sequences.append(sequence)

    def gaps_between(self, after: int, before: int) -> list[PlacedGap]:
        """Return the gaps at positions between two others."""
        low = bisect.bisect_right(self.gaps, after, key=lambda each: each.position)
        high = bisect.bisect_left(self.gaps, before, key=lambda each: each.position)
        return self.gaps[low:high]

    def number_findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the numbers: they rise by one but where a gap names those missing."""
        ranges = _merged(
            (placed.gap.first_sequence, placed.gap.last_sequence)
            for placed in self.gaps
            if placed.gap.first_sequence
        )
        last = 0
        for sequence in self._sequences:
            if not sequence:
                continue
            if last and sequence <= last:
                text = f"{self.connection_id}: number {sequence} came after {last}"
                yield Finding(FindingKind.ORDER, text, sequence=sequence)
            elif last and sequence > last + 1 and not _covers(ranges, last + 1, sequence - 1):
                text = f"{self.connection_id}: numbers {last + 1} to {sequence - 1} are in no gap"
                yield Finding(FindingKind.HOLE, text, sequence=last + 1)
            last = max(last, sequence)

    def numbers_are_missing(self, placed: PlacedGap) -> bool:
        """Tell whether the numbers that a gap names are really missing, and around its place."""
        gap = placed.gap
        if not gap.first_sequence:
            return False
        numbers, here = self._sequences, placed.position
        before = next((numbers[at] for at in range(here - 1, -1, -1) if numbers[at]), 0)
        later = (numbers[at] for at in range(here + 1, len(numbers)) if numbers[at])
        after = next(later, gap.last_sequence + 1)
        return before < gap.first_sequence <= gap.last_sequence < after and before + 1 >= gap.first_sequence


def _merged(ranges: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _covers(ranges: list[tuple[int, int]], first: int, last: int) -> bool:
    at = bisect.bisect_right(ranges, (first, 1 << 64)) - 1
    return at >= 0 and ranges[at][0] <= first and last <= ranges[at][1]
