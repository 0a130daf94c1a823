"""Fault plans: what goes wrong, and when. Pure: seed and time are arguments."""

from __future__ import annotations

import difflib
import enum
import itertools
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from virtufin_examples.errors import InvalidInputError

PLAN_VERSION = 1
_MOST_SECONDS = 86_400.0
_MOST_COUNT = 1_000_000
_MOST_FAULTS = 10_000
_MEAN_GAP_SECONDS = 4.0  # of a random plan: time for a feed to heal and run again
_LEAST_GAP_SECONDS = 0.5

T = TypeVar("T")


class FaultKind(enum.StrEnum):
    """What can go wrong."""

    DROP = "drop"  # all sockets are cut without a word
    STALL = "stall"  # open sockets get no data; control messages and pongs pass
    HALF_OPEN = "half_open"  # open sockets neither read nor write, not even pongs; then they are cut
    REFUSE = "refuse"  # upgrades are answered with an HTTP status
    SLOW = "slow"  # everything to open sockets comes late, in order
    GARBAGE = "garbage"  # a frame that is no message, before the next one
    DUPLICATE = "duplicate"  # the next data frame comes twice
    SKIP = "skip"  # the next data frame is left out
    LIE = "lie"  # the next subscription is confirmed and not made


_FIELDS: dict[FaultKind, frozenset[str]] = {
    FaultKind.DROP: frozenset(),
    FaultKind.STALL: frozenset({"seconds"}),
    FaultKind.HALF_OPEN: frozenset({"seconds"}),
    FaultKind.REFUSE: frozenset({"seconds", "status"}),
    FaultKind.SLOW: frozenset({"seconds", "delay"}),
    **dict.fromkeys(
        (FaultKind.GARBAGE, FaultKind.DUPLICATE, FaultKind.SKIP, FaultKind.LIE), frozenset({"count"})
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, `at` seconds after its plan began.

    `seconds` is how long it lasts, `delay` how late frames come, `status` the answer to an upgrade, `count`
    how many frames (of all sockets together) or subscriptions it spoils.
    """

    kind: FaultKind
    at: float = 0.0
    seconds: float = 5.0
    delay: float = 0.5
    status: int = 503
    count: int = 1


def parse_plan(body: bytes) -> tuple[Fault, ...]:
    """Read a plan: `{"version": 1, "faults": [{"kind": "stall", "at": 2, "seconds": 3}, ...]}`.

    `InvalidInputError` names the fault, the field and the value seen; a newer version is refused.
    """
    try:
        plan = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"fault plan: no JSON: {error}") from error
    if not isinstance(plan, dict) or not isinstance(plan.get("faults"), list):
        raise InvalidInputError(
            "fault plan: no list of faults", hint='{"faults": [{"kind": "drop", "at": 2}]}'
        )
    unknown = next((name for name in plan if name not in {"version", "faults"}), None)
    if unknown is not None:
        raise InvalidInputError(f'fault plan: unknown field "{unknown}"', hint="it has version and faults")
    version = plan.get("version", PLAN_VERSION)
    if version != PLAN_VERSION:
        raise InvalidInputError(f"fault plan: version {version!r}, this program reads {PLAN_VERSION}")
    if len(plan["faults"]) > _MOST_FAULTS:
        raise InvalidInputError(f"fault plan: {len(plan['faults'])} faults; at most {_MOST_FAULTS}")
    faults = [_fault(index, entry) for index, entry in enumerate(plan["faults"])]
    return tuple(sorted(faults, key=lambda fault: fault.at))


def random_plan(seed: int) -> Iterator[Fault]:
    """Yield faults of all kinds without end, some seconds apart. The same seed gives the same faults."""
    rng = random.Random(f"faults/{seed}")  # noqa: S311 - repeatable faults, no secret
    at = 0.0
    for turn in itertools.count():
        if turn % len(FaultKind) == 0:
            kinds = rng.sample(list(FaultKind), len(FaultKind))  # every kind once before one comes again
        at += _LEAST_GAP_SECONDS + rng.expovariate(1 / (_MEAN_GAP_SECONDS - _LEAST_GAP_SECONDS))
        yield Fault(
            kinds[turn % len(FaultKind)],
            at=at,
            seconds=rng.uniform(0.5, 4.0),
            delay=rng.uniform(0.05, 1.0),
            status=rng.choice((429, 502, 503)),
            count=rng.randint(1, 3),
        )


class Faults:
    """A plan as it is carried out; the simulator asks what is due, its sockets what becomes of a frame."""

    def __init__(self) -> None:
        self.happened: Counter[FaultKind] = Counter()
        """How often each kind took effect: faults begun, frames and subscriptions spoilt."""
        self._plan: Iterator[Fault] = iter(())
        self._next: Fault | None = None
        self._began = 0.0
        self._refused_until = 0.0
        self._status = 0
        self._pending: Counter[FaultKind] = Counter()

    def begin(self, plan: Iterable[Fault], now: float) -> None:
        """Start a plan, in order of time, in place of the one before; what has begun goes on."""
        self._plan = iter(plan)
        self._next = next(self._plan, None)
        self._began = now

    def due(self, now: float) -> list[Fault]:
        """Take the faults whose time has come. Those of whole sockets are the caller's to carry out."""
        due: list[Fault] = []
        while self._next is not None and self._began + self._next.at <= now:
            due.append(self._next)
            self._next = next(self._plan, None)
        for fault in due:
            if "count" in _FIELDS[fault.kind]:
                self._pending[fault.kind] += fault.count
            elif fault.kind is FaultKind.REFUSE:
                self._refused_until, self._status = now + fault.seconds, fault.status
            else:
                self.happened[fault.kind] += 1
        return due

    def refusal(self, now: float) -> int:
        """Return the HTTP status that upgrades get now, 0 for none."""
        if now >= self._refused_until:
            return 0
        self.happened[FaultKind.REFUSE] += 1
        return self._status

    def take(self, kind: FaultKind) -> bool:
        """Whether the next frame or subscription is to be spoilt in this way; it counts as done."""
        if not self._pending[kind]:
            return False
        self._pending[kind] -= 1
        self.happened[kind] += 1
        return True


class FaultLine(Generic[T]):
    """What leaves one socket. `garbage` makes a frame that is no message."""

    def __init__(self, faults: Faults, garbage: Callable[[], T]) -> None:
        self._faults = faults
        self._garbage = garbage
        self._stalled_until = 0.0
        self._deaf_until: float | None = None
        self._slow_until = 0.0
        self._delay = 0.0
        self._late: deque[tuple[float, T]] = deque()

    @property
    def deaf(self) -> bool:
        """Whether the socket is half open: it reads nothing and answers nothing."""
        return self._deaf_until is not None

    def strike(self, fault: Fault, now: float) -> None:
        """Begin a fault of whole sockets."""
        if fault.kind is FaultKind.STALL:
            self._stalled_until = now + fault.seconds
        elif fault.kind is FaultKind.HALF_OPEN:
            self._deaf_until = now + fault.seconds
        elif fault.kind is FaultKind.SLOW:
            self._slow_until, self._delay = now + fault.seconds, fault.delay

    def is_over(self, now: float) -> bool:
        """Whether a half-open socket is to be cut now."""
        return self._deaf_until is not None and now >= self._deaf_until

    def control(self, frames: Iterable[T], now: float) -> list[T]:
        """Return what of these answers goes out now."""
        return [] if self.deaf else self._in_order(list(frames), now)

    def data(self, frames: Iterable[T], now: float) -> list[T]:
        """Return what goes out now in place of these data frames."""
        if self.deaf or now < self._stalled_until:
            return []
        spoilt: list[T] = []
        for frame in frames:
            if self._faults.take(FaultKind.GARBAGE):
                spoilt.append(self._garbage())
            if self._faults.take(FaultKind.SKIP):
                continue
            spoilt.append(frame)
            if self._faults.take(FaultKind.DUPLICATE):
                spoilt.append(frame)
        return self._in_order(spoilt, now)

    def late(self, now: float) -> list[T]:
        """Take the frames whose delay is over."""
        ready: list[T] = []
        while self._late and self._late[0][0] <= now and not self.deaf:
            ready.append(self._late.popleft()[1])
        return ready

    def _in_order(self, frames: list[T], now: float) -> list[T]:
        if now >= self._slow_until and not self._late:
            return frames
        due = now + self._delay if now < self._slow_until else now
        if self._late:
            due = max(due, self._late[-1][0])
        self._late.extend((due, frame) for frame in frames)
        return []


def _fault(index: int, entry: object) -> Fault:
    where = f"fault plan: fault {index}"
    if not isinstance(entry, dict):
        raise InvalidInputError(f"{where}: {entry!r} is no object")
    known = ", ".join(FaultKind)
    if entry.get("kind") not in list(FaultKind):
        near = difflib.get_close_matches(str(entry.get("kind")), list(FaultKind), 1)
        hint = f'did you mean "{near[0]}"?' if near else f"one of {known}"
        raise InvalidInputError(f"{where}: kind {entry.get('kind')!r} is unknown", hint=hint)
    kind = FaultKind(entry["kind"])
    allowed = {"kind", "at"} | _FIELDS[kind]
    for name in entry:
        if name not in allowed:
            raise InvalidInputError(
                f'{where}: a {kind} has no field "{name}"', hint=f"it has {', '.join(sorted(allowed))}"
            )
    return Fault(
        kind,
        at=_number(where, entry, "at", 0.0, 0.0, _MOST_SECONDS),
        seconds=_number(where, entry, "seconds", 5.0, 0.0, _MOST_SECONDS),
        delay=_number(where, entry, "delay", 0.5, 0.0, _MOST_SECONDS),
        status=int(_number(where, entry, "status", 503, 400, 599, whole=True)),
        count=int(_number(where, entry, "count", 1, 1, _MOST_COUNT, whole=True)),
    )


def _number(
    where: str,
    entry: dict[str, object],
    name: str,
    default: float,
    least: float,
    most: float,
    *,
    whole: bool = False,
) -> float:
    value = entry.get(name, default)
    if (
        isinstance(value, bool)
        or not isinstance(value, int if whole else int | float)
        or not least <= value <= most
    ):
        kind = "a whole number" if whole else "a number"
        raise InvalidInputError(f"{where}: {name} {value!r}", hint=f"{kind} from {least:g} to {most:g}")
    return float(value)
