"""The account of a connection, from what a subscriber wrote down: was every number seen once, or named?"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line that a subscriber wrote, as soon as it had the item.

    `kind` is frame, gap, marker (stale, restored), late, silent, or start: a run of the subscriber begins.
    `venue` is the venue's own number of a frame, rising by one, 0 where there is none; `at_ns` is Unix time.
    """

    kind: str
    connection: str = ""
    number: int = 0
    first: int = 0
    last: int = 0
    cause: str = ""
    epoch: int = 0
    venue: int = 0
    at_ns: int = 0


@dataclass(frozen=True)
class Account:
    """One connection's account. `faults` is empty when it closes."""

    frames: int
    late: int
    gaps: tuple[Entry, ...]
    faults: tuple[str, ...]

    @property
    def causes(self) -> list[str]:
        """Why something is missing, gap by gap."""
        return [gap.cause for gap in self.gaps]

    @property
    def named(self) -> int:
        """How many numbers the gaps of cause bus name."""
        return sum(gap.last + 1 - gap.first for gap in self.gaps if gap.cause == "bus")


def account(entries: Sequence[Entry], *, last: int) -> Account:
    """Return the account of one connection whose publisher has given the numbers 1 to `last`.

    Found are: a number neither seen nor named (loss), one seen twice (repeat), frames out of order, a gap
    that names a number which was seen or never given (false gap), a late frame that no gap had named, and a
    jump in the venue's numbers between two frames where no gap says so (untold).
    """
    frames = [entry for entry in entries if entry.kind == "frame"]
    gaps = [entry for entry in entries if entry.kind == "gap"]
    late = [entry.number for entry in entries if entry.kind == "late"]
    seen = Counter(entry.number for entry in entries if entry.kind in {"frame", "marker"})
    seen.update(gap.number for gap in gaps if gap.number)
    named = [(gap.first, gap.last) for gap in gaps if gap.first]
    covered = [*((number, number) for number in seen), *named]
    faults = [
        *_listed(
            "loss", (f"{first}-{end}" if end > first else f"{first}" for first, end in _holes(covered, last))
        ),
        *_listed("repeat", (number for number, count in seen.items() if count > 1)),
        *_listed("late twice", (number for number, count in Counter(late).items() if count > 1)),
        *_listed("out of order", _falling(frames)),
        *_listed("false gap", (each.number for each in frames if _holds(named, each.number))),
        *_listed("false gap", (first for first, end in named if end > last)),
        *_listed("never given", (number for number in seen if number > last)),
        *_listed("late without a gap", (number for number in late if not _holds(named, number))),
        *_listed("untold", _untold(entries)),
    ]
    return Account(len(frames), len(late), tuple(gaps), tuple(faults))


def _holds(ranges: Sequence[tuple[int, int]], number: int) -> bool:
    return any(first <= number <= last for first, last in ranges)


def _holes(ranges: Iterable[tuple[int, int]], last: int) -> Iterable[tuple[int, int]]:
    """Yield the ranges of 1 to `last` that no range covers."""
    wanted = 1
    for first, end in sorted(ranges):
        if first > wanted:
            yield wanted, first - 1
        wanted = max(wanted, end + 1)
    if wanted <= last:
        yield wanted, last


def _falling(frames: Sequence[Entry]) -> Iterable[int]:
    return (later.number for earlier, later in itertools.pairwise(frames) if later.number < earlier.number)


def _untold(entries: Sequence[Entry]) -> Iterable[int]:
    """Yield the frames before which the venue's numbers jump although no gap was told since the last one."""
    venue, told = 0, True
    for entry in entries:
        if entry.kind == "gap":
            told = True
        elif entry.kind == "frame" and entry.venue:
            if not told and entry.venue != venue + 1:
                yield entry.number
            venue, told = entry.venue, False


def _listed(what: str, found: Iterable[int | str]) -> list[str]:
    listed = [str(each) for each in found]
    if not listed:
        return []
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return [f"{what}: {', '.join(listed[:5])}{more}"]
