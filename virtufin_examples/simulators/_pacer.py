"""How many messages are due: a rate kept over time, without a timer a message."""

from __future__ import annotations

CATCH_UP_SECONDS = 0.25
"""A stall longer than this is not made good: a burst without end would only cause the next stall."""


class Pacer:
    """Counts what is due at `rate` messages a second; `now` is seconds on a steady clock."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._due_until = now

    def due(self, now: float) -> int:
        """Return how many messages to send now; they count as sent."""
        if self._rate <= 0:
            return 0
        self._due_until = max(self._due_until, now - CATCH_UP_SECONDS)
        count = int((now - self._due_until) * self._rate)
        self._due_until += count / self._rate
        return count

    def restart(self, now: float) -> None:
        """Forget what is due: after a pause."""
        self._due_until = now
