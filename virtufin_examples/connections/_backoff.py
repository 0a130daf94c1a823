"""When to try again: capped exponential back-off with full jitter. Pure: randomness is an argument."""

from __future__ import annotations

from collections.abc import Callable

BASE_SECONDS = 0.5
CAP_SECONDS = 30.0
STABLE_SECONDS = 10.0
"""A socket that lived so long was sound; a shorter life counts as one more failure. Six connects a minute are
within every venue's budget; with more, a second cut soon after a long outage would cost up to the cap."""


class Backoff:
    """The pauses of one connection. `random` returns numbers from 0 to below 1.

    Full jitter (a pause is anything from 0 to the bound, which doubles) spreads the clients of a venue that
    came back; the pause before the first retry is part of it.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failures = 0

    def lived(self, seconds: float) -> None:
        """Note how long a socket was up: the bound starts anew only after stable time."""
        if seconds >= STABLE_SECONDS:
            self._failures = 0

    def next_seconds(self, wait_seconds: float = 0.0) -> float:
        """Return the next pause; what the venue asked for (`wait_seconds`) comes before the jitter."""
        bound = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return wait_seconds + bound * self._random()
