"""When to start a worker's host again, and when to give up. Pure: time is an argument, in seconds."""

from __future__ import annotations

MAX_RESTARTS = 5
BASE_DELAY_SECONDS = 0.1
MAX_DELAY_SECONDS = 5.0
STABLE_SECONDS = 60.0  # a host that lived so long was fine: what ended it begins a new count

RETRY_ATTEMPTS = 3
RETRY_BASE_SECONDS = 0.2


class RestartPolicy:
    """Doubling delays; gives up after `MAX_RESTARTS` deaths without an answered event between them."""

    def __init__(self) -> None:
        self._deaths = 0
        self._started_at = 0.0

    @property
    def attempt(self) -> int:
        """Number of the restart that is under way, from 1."""
        return self._deaths

    def started(self, now: float) -> None:
        """Note that a host is ready."""
        self._started_at = now

    def answered(self) -> None:
        """Note that the worker answered an event."""
        self._deaths = 0

    def died(self, now: float) -> float | None:
        """Return the seconds to wait before the next start; None to give up."""
        if now - self._started_at >= STABLE_SECONDS:
            self._deaths = 0
        self._deaths += 1
        if self._deaths > MAX_RESTARTS:
            return None
        return float(min(BASE_DELAY_SECONDS * 2 ** (self._deaths - 1), MAX_DELAY_SECONDS))


def retry_delay(attempt: int) -> float | None:
    """Return the seconds before retry `attempt` (from 0) of one event; None: no more retries."""
    return RETRY_BASE_SECONDS * float(2**attempt) if attempt < RETRY_ATTEMPTS else None
