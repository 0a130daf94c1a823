"""The circuit breaker of one back end, as a pure state machine: times are passed in, in seconds."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class BreakerState(enum.StrEnum):
    """What the breaker does with the next call."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Verdict(enum.Enum):
    """How a call that was let through ended."""

    SUCCESS = enum.auto()
    FAILURE = enum.auto()
    CANCELLED = enum.auto()
    """By its caller: it says nothing about the back end."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave for one call. It must be reported exactly once."""

    generation: int


class CircuitBreaker:
    """Closed until `threshold` calls in a row failed, then open for `duration_seconds`, then half open.

    Half open lets one call through: its success closes the breaker, its failure opens it again. A new
    connection half opens it at once: a back end that restarted need not wait. What calls report that were
    let through before the last change of state is ignored: it is old news.
    """

    def __init__(self, *, threshold: int, duration_seconds: float) -> None:
        self._threshold = threshold
        self._duration = duration_seconds
        self._failures = 0
        self._opened_at = 0.0
        self._state = BreakerState.CLOSED
        self._generation = 0
        self._trial_out = False

    @property
    def is_open(self) -> bool:
        """Whether it is open, or has been and nobody has called since its time passed."""
        return self._state is BreakerState.OPEN

    def state(self, now: float) -> BreakerState:
        """Return the state at `now`."""
        if self._state is BreakerState.OPEN and now >= self._opened_at + self._duration:
            return BreakerState.HALF_OPEN
        return self._state

    def retry_in(self, now: float) -> float:
        """Return the seconds until an open breaker lets a call through; 0 when it is not open."""
        return max(0.0, self._opened_at + self._duration - now) if self._state is BreakerState.OPEN else 0.0

    def acquire(self, now: float) -> Permit | None:
        """Return leave for one call, or None: do not call."""
        state = self.state(now)
        if state is BreakerState.OPEN:
            return None
        if state is BreakerState.HALF_OPEN:
            if self._state is BreakerState.OPEN:
                self._enter(BreakerState.HALF_OPEN)
            if self._trial_out:
                return None
            self._trial_out = True
        return Permit(self._generation)

    def report(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Say how the call of `permit` ended."""
        if permit.generation != self._generation:
            return
        self._trial_out = False
        if verdict is Verdict.SUCCESS:
            self._failures = 0
            if self._state is BreakerState.HALF_OPEN:
                self._enter(BreakerState.CLOSED)
        elif verdict is Verdict.FAILURE:
            self._failures += 1
            if self._state is BreakerState.HALF_OPEN or self._failures >= self._threshold:
                self._opened_at = now
                self._enter(BreakerState.OPEN)

    def connected(self) -> None:
        """Say that a new connection to the back end stands."""
        if self.is_open:
            self._enter(BreakerState.HALF_OPEN)

    def _enter(self, state: BreakerState) -> None:
        self._state = state
        self._generation += 1
        self._failures = 0
        self._trial_out = False
