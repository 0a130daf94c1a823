"""Notices that the process stood still: another one may have taken its connections meanwhile. Pure."""

from __future__ import annotations

PAUSE_SECONDS = 2.0
"""A successor needs longer than this to be started and to take a record; a busy loop rarely stalls so long.
A false alarm costs one look at each record."""

TICK_SECONDS = 0.5


class PauseGuard:
    """Counts the pauses of an event loop, by looking at its clock at least every `TICK_SECONDS`."""

    def __init__(self, now: float) -> None:
        self.pauses = 0
        self._last = now

    def look(self, now: float) -> int:
        """Take the time in seconds, of a clock that runs while the process is stopped; return `pauses`."""
        if now - self._last > PAUSE_SECONDS:
            self.pauses += 1
        self._last = now
        return self.pauses
