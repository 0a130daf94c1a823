"""When the items of a replay may go. Pure: the clock is the caller's."""

from __future__ import annotations

import math
from typing import Protocol

from virtufin_examples.errors import InvalidInputError


class Pace(Protocol):
    """Says of each item in turn when it may go."""

    def take(self, time_ns: int, now_ns: int) -> int | None:
        """Return 0 when an item of `time_ns` goes now, else how many nanoseconds it waits; None: for credit.

        `time_ns` is when the item was received (Unix time), `now_ns` a clock that never goes back.
        """


class AtOnce:
    """As fast as the bus takes it."""

    def take(self, time_ns: int, now_ns: int) -> int | None:  # noqa: ARG002 - the port's signature
        """Let everything go."""
        return 0


class Timed:
    """With the pauses of the recording, `speed` times as fast; 1 is real time.

    Times that go back (of several connections, or a clock that was set) do not: such an item goes at once.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise InvalidInputError(f"speed is {speed!r}", hint="give a number above 0; 1 is real time")
        self._speed = speed
        self._first_ns: int | None = None
        self._began_ns = 0

    def take(self, time_ns: int, now_ns: int) -> int | None:
        """Let an item go when as much time has passed since the first as in the recording."""
        if self._first_ns is None:
            self._first_ns, self._began_ns = time_ns, now_ns
        due_ns = self._began_ns + int((time_ns - self._first_ns) / self._speed)
        return max(0, due_ns - now_ns)


class OnCredit:
    """So many items as were granted, and then no more until there is credit again."""

    def __init__(self, granted: int = 0) -> None:
        self.left = 0
        self.grant(granted)

    def grant(self, items: int) -> None:
        """Let so many more go; raises `InvalidInputError` for a number below 0."""
        if items < 0:
            raise InvalidInputError(f"credit is {items}", hint="give a whole number of items")
        self.left += items

    def take(self, time_ns: int, now_ns: int) -> int | None:  # noqa: ARG002 - the port's signature
        """Let an item go when there is credit, and take it off."""
        if not self.left:
            return None
        self.left -= 1
        return 0
