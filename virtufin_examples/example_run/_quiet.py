"""Noticing that no frame comes although the feed is open. Pure; times from one clock, in nanoseconds."""

from __future__ import annotations

_FIRST_NS = 5_000_000_000
"""Longer than a busy feed is ever quiet, and well before a connection counts as dead."""


class Quiet:
    """Says so after 5 s without a frame, and again whenever that has doubled."""

    def __init__(self, now_ns: int) -> None:
        self.frame(now_ns)

    def frame(self, now_ns: int) -> None:
        """Take note of a frame."""
        self._since_ns = now_ns
        self._next_ns = _FIRST_NS

    def line(self, now_ns: int) -> str:
        """Return what to print now; mostly nothing."""
        quiet_ns = now_ns - self._since_ns
        if quiet_ns < self._next_ns:
            return ""
        while self._next_ns <= quiet_ns:
            self._next_ns *= 2
        return f"quiet: no frame for {quiet_ns / 1e9:.0f} s"
