"""A set of whole numbers kept as ranges."""

from __future__ import annotations

from bisect import bisect_right


class RangeSet:
    """Disjoint inclusive ranges in ascending order, at most `limit`: the lowest are forgotten first."""

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def add(self, first: int, last: int) -> None:
        """Add a range, joining those that it touches; nothing when it is empty."""
        if first > last:
            return
        low = bisect_right(self._lasts, first - 2)  # the first range that ends at first - 1 or later
        high = bisect_right(self._firsts, last + 1)  # past the last range that starts at last + 1 or earlier
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]
        if len(self._firsts) > self._limit:
            del self._firsts[0], self._lasts[0]

    def last_of(self, number: int) -> int | None:
        """Return the end of the range that holds `number`, or None."""
        index = bisect_right(self._firsts, number) - 1
        return self._lasts[index] if index >= 0 and number <= self._lasts[index] else None

    def first_above(self, number: int) -> int | None:
        """Return where the first range that starts above `number` starts, or None."""
        index = bisect_right(self._firsts, number)
        return self._firsts[index] if index < len(self._firsts) else None

    def remove(self, number: int) -> bool:
        """Take one number out; return whether it was in."""
        index = bisect_right(self._firsts, number) - 1
        if index < 0 or number > self._lasts[index]:
            return False
        first, last = self._firsts[index], self._lasts[index]
        parts = [part for part in ((first, number - 1), (number + 1, last)) if part[0] <= part[1]]
        self._firsts[index : index + 1] = [part[0] for part in parts]
        self._lasts[index : index + 1] = [part[1] for part in parts]
        return True

    def discard_below(self, number: int) -> None:
        """Forget the ranges that end below `number`."""
        index = bisect_right(self._lasts, number - 1)
        del self._firsts[:index], self._lasts[:index]
