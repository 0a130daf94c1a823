"""What goes wrong in a schedule, and when: drawn from its seed."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """All faults of a schedule. The first nine are those of the simulators' fault plans."""

    DROP = "drop"
    STALL = "stall"
    HALF_OPEN = "half_open"
    REFUSE = "refuse"
    SLOW = "slow"
    GARBAGE = "garbage"
    DUPLICATE = "duplicate"
    SKIP = "skip"
    LIE = "lie"
    VIOLATION = "violation"  # a frame that breaks the WebSocket protocol
    LEAVE = "leave"  # the venue announces that it closes the socket, and does
    BUS_DOWN = "bus down"  # neither publishing nor the state store
    BUS_SLOW = "bus slow"
    BUS_REFUSE = "bus refuse"  # messages are called invalid a few times
    BUS_UNANSWERED = "bus unanswered"  # messages are taken and answered with an error
    KILL = "kill"  # the WebSocketManager dies where it stands
    STOP = "stop"  # it stops in order


VENUE = (
    Kind.DROP,
    Kind.STALL,
    Kind.HALF_OPEN,
    Kind.REFUSE,
    Kind.SLOW,
    Kind.GARBAGE,
    Kind.DUPLICATE,
    Kind.SKIP,
    Kind.LIE,
    Kind.VIOLATION,
)
BUS = (Kind.BUS_DOWN, Kind.BUS_SLOW, Kind.BUS_REFUSE, Kind.BUS_UNANSWERED)
PROCESS = (Kind.KILL, Kind.STOP)


class Mode(enum.StrEnum):
    """What is run."""

    BINANCE = "binance"  # one socket, every number followed
    SAMPLE = "sample"  # one socket, numbers not followed, one message a frame
    BREAK = "make before break"  # sockets replaced by plan
    TWO = "two sockets"  # redundancy 2
    ALPACA = "alpaca"
    RESTART = "restart"  # the WebSocketManager is killed and stopped


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault `at` seconds: `seconds` long, frames `delay` late, `status` for upgrades, `count` times."""

    kind: Kind
    at: float
    seconds: float = 0.0
    delay: float = 0.0
    status: int = 503
    count: int = 1
    everybody: bool = True


def mode_of(seed: int) -> Mode:
    """Modes take turns, so that any stretch of seeds has them all."""
    return list(Mode)[seed % len(Mode)]


CUTS = frozenset({Kind.DROP, Kind.HALF_OPEN, Kind.REFUSE, Kind.LIE, Kind.VIOLATION, Kind.LEAVE})
_STABLE_SECONDS = 36.0  # from one lost socket to the next, so that back-off begins anew (after 30 s)


def is_burst(seed: int) -> bool:
    """One schedule in four: faults right after one another, so that back-off grows as it should."""
    return random.Random(f"burst/{seed}").random() < 0.25


def draw(seed: int, mode: Mode) -> list[Planned]:
    """At least five faults, some seconds apart; of those that cost a socket, one in a stable time."""
    rng = random.Random(f"plan/{seed}")
    kinds = [*VENUE, *VENUE, *BUS]
    if mode is Mode.RESTART:
        kinds += [*PROCESS] * 4
    if mode is Mode.TWO:
        kinds += [Kind.SKIP] * 8  # one socket at a time: the other has what it leaves out
    if mode is Mode.BREAK:
        kinds += [Kind.LEAVE] * 8
    chosen = rng.sample(kinds, rng.randint(6, 12))
    at = rng.uniform(5.0, 15.0)
    plan = []
    burst = is_burst(seed)
    cut_at = -_STABLE_SECONDS
    for kind in chosen:
        if kind in CUTS and not burst:
            at = max(at, cut_at + _STABLE_SECONDS)
        plan.append(
            Planned(
                kind,
                at,
                seconds=rng.uniform(35.0, 45.0)
                if kind is Kind.HALF_OPEN and rng.random() < 0.2
                else rng.uniform(0.5, 4.0),
                delay=rng.uniform(0.05, 1.0),
                status=rng.choice((429, 502, 503)),
                count=rng.randint(1, 3),
                everybody=rng.random() < 0.5,
            )
        )
        if kind in CUTS:
            cut_at = at + plan[-1].seconds
        at += rng.uniform(0.0, 2.0) if rng.random() < 0.2 else rng.uniform(4.0, 20.0)
    return plan
