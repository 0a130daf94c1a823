"""When to call again: a pure rule. Times in seconds; chance is a random number in [0, 1)."""

from __future__ import annotations

from dataclasses import dataclass

MAX_DELAY_SECONDS = 10.0
"""Limit of one wait: with 20 attempts the doubling would reach days."""

RETRIED_STATUS = "UNAVAILABLE"
"""The one status that asks to be tried again (gRPC status codes, "UNAVAILABLE")."""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """Exponential back-off with full jitter: the wait is anything from 0 to the doubled base.

    `attempts` counts the calls after the first.
    """

    attempts: int
    base_delay_seconds: float

    def wait(self, status: str, attempt: int, *, chance: float, left: float) -> float | None:
        """Return how long to wait before calling again, or None: the answer stands.

        `attempt` counts the calls made before this one failed (0, 1, ...), `left` are the seconds until the
        deadline: a wait that would use them up is not begun.
        """
        if status != RETRIED_STATUS or attempt >= self.attempts:
            return None
        ceiling = min(MAX_DELAY_SECONDS, self.base_delay_seconds * 2.0 ** min(attempt, 32))
        delay = ceiling * chance
        return delay if delay < left else None
