"""What a fault proxy does to the bytes that pass, and when. Pure: seed and time are arguments."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass

FIRST_SECONDS = 0.5
PAUSE_SECONDS = 0.7
"""Between two faults at least this."""


class Kind(enum.StrEnum):
    LATENCY = "latency"  # every piece comes `amount` seconds late, in order
    BANDWIDTH = "bandwidth"  # `amount` bytes a second pass
    SLICING = "slicing"  # pieces of `amount` bytes at most, each a write of its own
    STALL = "stall"  # nothing passes, nothing is lost
    CUT = "cut"  # the links are closed in order of TCP; new ones are reset until it is over
    RESET = "reset"  # the same with a reset
    HALF_OPEN = "half_open"  # what comes in is swallowed, neither side is told; then reset
    CORRUPT = "corrupt"  # the highest bit of one byte from the server is turned


LOSING = frozenset({Kind.CUT, Kind.RESET, Kind.HALF_OPEN, Kind.CORRUPT})
"""What may cost frames on a link that has no spool before it."""

_AMOUNTS = {Kind.LATENCY: (0.02, 0.4), Kind.BANDWIDTH: (5e3, 40e3), Kind.SLICING: (1, 40)}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, `at` seconds after the plan began."""

    kind: Kind
    at: float
    seconds: float
    amount: float = 0.0


def random_plan(seed: int, *, losing: int = 2, slowing: int = 2, corrupts: bool = True) -> tuple[Fault, ...]:
    """Return faults one after the other, so many of those that may cost frames and of those that may not.

    Two that lose are few on purpose: the back-off of a feed starts anew only after 10 s without a fault.
    """
    rng = random.Random(f"proxy/{seed}")
    kinds = rng.sample(sorted(LOSING if corrupts else LOSING - {Kind.CORRUPT}), losing)
    kinds += rng.sample(sorted(set(Kind) - LOSING), slowing)
    rng.shuffle(kinds)
    plan: list[Fault] = []
    at = FIRST_SECONDS
    for kind in kinds:
        seconds = 0.0 if kind is Kind.CORRUPT else rng.uniform(0.2, 1.0)
        low, high = _AMOUNTS.get(kind, (0.0, 0.0))
        plan.append(Fault(kind, at, seconds, rng.uniform(low, high)))
        at += seconds + PAUSE_SECONDS + rng.uniform(0.0, 0.3)
    return tuple(plan)


class Weather:
    """The faults that are on, for all links of a proxy."""

    def __init__(self) -> None:
        self._until: dict[Kind, float] = {}
        self._amount: dict[Kind, float] = {}
        self._corrupt = 0

    def begin(self, fault: Fault, now: float) -> None:
        self._until[fault.kind] = now + fault.seconds
        self._amount[fault.kind] = fault.amount
        self._corrupt += fault.kind is Kind.CORRUPT

    def until(self, kind: Kind, now: float) -> float | None:
        """Return when a fault that is on ends."""
        until = self._until.get(kind, now)
        return until if until > now else None

    def amount(self, kind: Kind, now: float) -> float | None:
        """Return the amount of a fault that is on."""
        return self._amount[kind] if self.until(kind, now) is not None else None

    def refuses(self, now: float) -> bool:
        """Tell whether new links are refused."""
        return any(self.until(kind, now) is not None for kind in (Kind.CUT, Kind.RESET))

    def take_corruption(self) -> bool:
        """Tell whether the next piece from the server is to be spoilt; it counts as done."""
        taken = self._corrupt > 0
        self._corrupt -= taken
        return taken


class Line:
    """One direction of one link: bytes in, pieces with the time they are due out. Order is always kept."""

    def __init__(self, weather: Weather) -> None:
        self.is_deaf = False
        self._weather = weather
        self._last_due = 0.0

    def admit(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        """Return what becomes of bytes that came in now."""
        if self.is_deaf:
            return []
        weather = self._weather
        due = max(now, self._last_due, weather.until(Kind.STALL, now) or now)
        due = max(due, now + (weather.amount(Kind.LATENCY, now) or 0.0))
        rate = weather.amount(Kind.BANDWIDTH, now)
        narrow_until = weather.until(Kind.BANDWIDTH, now) or now
        size = int(weather.amount(Kind.SLICING, now) or (1024 if rate else len(data)))
        pieces = []
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            if rate and due < narrow_until:  # what has piled up passes at once when it is over
                due = min(due + len(piece) / rate, narrow_until)
            pieces.append((due, piece))
        self._last_due = due
        return pieces


def corrupted(data: bytes, position: int) -> bytes:
    """Turn the highest bit of a byte: JSON becomes no UTF-8, a header breaks the protocol."""
    position %= len(data)
    return data[:position] + bytes((data[position] ^ 0x80,)) + data[position + 1 :]
