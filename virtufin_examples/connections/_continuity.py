"""Finds holes in the venue's own numbers, and counts symbols on the way. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from virtufin_examples.venues import Key, Seen, Session, leaves_hole

_MANY = 32
"""From so many frames on, asking for all of them at once is faster than asking for each."""

_AT_ONCE = 256
"""Frames that are asked for at once: a read may bring 20,000, whose parts would leave the processor's cache
and wake the garbage collector."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Numbers `first` to `last` of a symbol that never came.

    They should have come after `since_ns`, when the frame before them did, and before message `index`.
    """

    symbol: str
    first: int
    last: int
    since_ns: int
    index: int


class Continuity:
    """Follows the runs of numbers of one connection through every frame.

    A new socket starts anew: what it missed lies inside the gap that was announced for the break. A number
    that falls begins a run (the venue counts anew), unless the next goes on where it fell from (it was late).
    """

    def __init__(self) -> None:
        self._last: dict[Key, int] = {}
        self._came_ns: dict[Key, int] = {}
        self._fell_from: dict[Key, int] = {}
        self._symbols: set[str] = set()
        self.only_data = False
        """Whether the session has told that the last read held data alone: no frame of it is an answer."""

    def start_anew(self) -> None:
        """Forget the numbers."""
        self._last.clear()
        self._came_ns.clear()
        self._fell_from.clear()

    def follow(self, payloads: Sequence[bytes], session: Session, received_ns: int) -> list[Hole]:
        """Return the holes before or between messages of one read.

        Nearly every read goes on where the one before ended, run by run, which the session can tell at once.
        """
        holes: list[Hole] = []
        self.only_data = True
        for start in range(0, len(payloads), _AT_ONCE):
            part = payloads[start : start + _AT_ONCE]
            if not self._goes_straight_on(part, session, received_ns):
                self.only_data = False
                found = self.look(part, session.peek, received_ns)
                holes += [replace(hole, index=start + hole.index) for hole in found]
        return holes

    def _goes_straight_on(self, payloads: Sequence[bytes], session: Session, received_ns: int) -> bool:
        stretches = session.stretches(payloads) if len(payloads) >= _MANY else None
        if stretches is None or not all(map(self._is_next, stretches)):
            return False
        for seen in stretches:
            self._symbols.add(seen.symbol)
            key = (seen.channel, seen.symbol)
            self._last[key] = seen.last
            self._came_ns[key] = received_ns
        return True

    def _is_next(self, seen: Seen) -> bool:
        last = self._last.get((seen.channel, seen.symbol))
        return last is None or not seen.gapless or last == (seen.previous or seen.first - 1)

    def look(
        self, payloads: Sequence[bytes], peek: Callable[[bytes], Sequence[Seen]], received_ns: int
    ) -> list[Hole]:
        """Return the holes before or between messages of one read; `peek` finds what a frame says."""
        holes: list[Hole] = []
        symbols, runs, came_ns = self._symbols, self._last, self._came_ns
        for index, payload in enumerate(payloads):
            for seen in peek(payload):
                number, symbol = seen.last, seen.symbol
                symbols.add(symbol)
                if not number:
                    continue
                key = (seen.channel, symbol)
                last = runs.get(key)
                if (
                    last is not None and seen.first != last + 1
                ):  # what almost every frame is needs no closer look
                    if number < last:
                        self._fell_from[key] = last
                    elif leaves_hole(seen, last) and not self._goes_on(key, seen):
                        end = seen.previous or seen.first - 1
                        holes.append(Hole(symbol, last + 1, end, came_ns[key], index))
                runs[key] = number
                came_ns[key] = received_ns
        return holes

    def _goes_on(self, key: Key, seen: Seen) -> bool:
        """Return whether a number continues the run that the one before fell out of."""
        return key in self._fell_from and (seen.previous or seen.first - 1) == self._fell_from.pop(key)

    def take_symbols(self) -> set[str]:
        """Return the symbols seen since the last call."""
        symbols, self._symbols = self._symbols, set()
        return symbols
