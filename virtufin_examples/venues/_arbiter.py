"""Several sockets that carry the same: the first arrival of each frame passes, once. Pure.

Where the venue's numbers have no holes, these decide: what is not above the last number is a repeat, and what
leaves a hole waits a little for the other socket to fill it. Where they only rise, nothing tells that one is
missing, so that nothing is waited for: the n-th frame with the same number on one socket is the n-th on the
other, and one that a socket left out passes when the other brings it, be it behind higher numbers. Where
there are no numbers, content takes their place, message by message: a venue may pack the same messages into
other frames on another socket. A frame passes, whole, unless all of its messages have passed. What was
delivered is remembered within a window.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from virtufin_examples.venues._exchange import Seen, one_message

HOLE_NS = 250 * 1_000_000
"""How long a frame waits for the other socket to bring what is missing before it."""

JOIN_NS = 2 * 1_000_000_000
"""How long the first number of a symbol from a socket that joined later waits for the others' number: the
others may be behind by frames that the new socket never had."""

WINDOW_NS = 10 * 1_000_000_000
"""How far apart the two arrivals of a message without a number may be: the same bytes may be news by then."""

RISING_WINDOW_NS = 60 * 1_000_000_000
"""How far apart the two arrivals of one number that only rises may be: longer than a socket may stand still
before the link's watchdog ends it. One that comes later still passes once more: better twice than never."""

MAX_REMEMBERED = 131_072
"""Arrivals that each of the two windows remembers at most, in about 32 MB; the oldest are forgotten first."""

MAX_HELD_BYTES = 4 * 1024 * 1024

_MAX_GIVEN_UP = 64  # holes of one run of numbers; a late frame of an older one is not looked for

Message: TypeAlias = tuple[bytes, bool]  # payload, whether it is binary

Key: TypeAlias = tuple[str, str]  # channel, symbol

_Identity: TypeAlias = Hashable  # the numbers of a frame, or a digest of a message's bytes


@dataclass(frozen=True)
class Arrival:
    """A frame as it came: the epoch names its socket."""

    epoch: int
    message: Message
    received_ns: int


@dataclass(frozen=True, slots=True)
class _Held:
    arrival: Arrival
    numbers: tuple[Seen, ...]
    until_ns: int


@dataclass(slots=True)
class _Copies:
    """How often the same came, by socket, and how often it passed."""

    passed: int = 0
    arrivals: int = 0
    by_epoch: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Copy:
    """What a socket has brought for the `count`th time."""

    copies: _Copies
    count: int

    @property
    def is_new(self) -> bool:
        """Whether it has not passed yet."""
        return self.count > self.copies.passed


@dataclass(frozen=True, slots=True)
class _Told:
    """A frame, and what it is told by: its numbers, or its messages."""

    arrival: Arrival
    told_by: tuple[_Copy, ...]

    def passes(self) -> bool:
        """Note that it passes; False: all of it has passed before."""
        if not any(each.is_new for each in self.told_by):
            return False
        for each in self.told_by:
            each.copies.passed = max(each.copies.passed, each.count)
        return True

    def shares(self, other: _Told) -> bool:
        """Whether both have something in common."""
        mine = {id(each.copies) for each in self.told_by}
        return any(id(each.copies) in mine for each in other.told_by)


@dataclass(slots=True)
class _Waiting:
    """What a joining socket brought that the others have not brought yet."""

    frames: list[_Told] = field(default_factory=list)
    size: int = 0


class _Memory:
    """What came within a window, by what tells it apart; bounded."""

    def __init__(self, window_ns: int) -> None:
        self.copies: dict[_Identity, _Copies] = {}
        self._window_ns = window_ns
        self._order: deque[tuple[int, _Identity]] = deque()

    def arrived(self, identity: _Identity, epoch: int, now_ns: int) -> _Copy:
        """Note an arrival."""
        self._forget(now_ns)
        copies = self.copies.setdefault(identity, _Copies())
        copies.arrivals += 1
        self._order.append((now_ns, identity))
        count = copies.by_epoch[epoch] = copies.by_epoch.get(epoch, 0) + 1
        return _Copy(copies, count)

    def _forget(self, now_ns: int) -> None:
        order = self._order
        while order and (len(order) >= MAX_REMEMBERED or abs(now_ns - order[0][0]) > self._window_ns):
            _, identity = order.popleft()
            copies = self.copies[identity]
            copies.arrivals -= 1
            if not copies.arrivals:
                del self.copies[identity]


class Arbiter:
    """Decides for the sockets of one connection. `peek` finds a frame's symbols and numbers, `messages` what
    the venue packed into it, in the same bytes whatever else is in the frame.

    With `holes_are_announced` whoever takes the frames announces what is missing of numbers without holes,
    and what fills such a hole afterwards is dropped; without, it passes late. `joined` is called, with its
    epoch, before what a joining socket brought passes though no other one has brought it.
    """

    def __init__(
        self,
        peek: Callable[[bytes], Sequence[Seen]],
        messages: Callable[[bytes], Sequence[bytes]] = one_message,
        *,
        holes_are_announced: bool = False,
        joined: Callable[[int], None] | None = None,
    ) -> None:
        self.news = 0
        """Frames that brought something new."""
        self.repeats = 0
        """Frames that another socket had brought before; they did not pass."""
        self._peek = peek
        self._messages = messages
        self._joined = joined
        self._holes_are_announced = holes_are_announced
        self._last: dict[Key, int] = {}
        self._last_by_epoch: dict[tuple[int, Key], int] = {}
        self._given_up: dict[Key, deque[tuple[int, int]]] = {}
        self._by_bytes = _Memory(WINDOW_NS)
        self._by_number = _Memory(RISING_WINDOW_NS)
        self._held: list[_Held] = []
        self._held_bytes = 0
        self._joining: dict[int, _Waiting] = {}
        self._late: set[int] = set()
        self._epochs: set[int] = set()

    def join(self, epoch: int) -> None:
        """Take a socket in; what it brings without a number waits until it is in step with the others."""
        if self._epochs:
            self._joining[epoch] = _Waiting()
            self._late.add(epoch)
        self._epochs.add(epoch)

    def leave(self, epoch: int) -> list[Arrival]:
        """A socket is gone; return what waited for it, when one at most is left."""
        self._epochs.discard(epoch)
        self._late.discard(epoch)
        passed = self._in_step(epoch)
        if len(self._epochs) <= 1:
            for left in self._epochs:
                passed += self._in_step(left)
            self._late.clear()
            passed += self._release(lambda _: True)
        self._last_by_epoch = {key: last for key, last in self._last_by_epoch.items() if key[0] != epoch}
        return passed

    def offer(self, arrival: Arrival) -> list[Arrival]:
        """Return what passes now because of a frame, in order: often itself, sometimes nothing."""
        payload = arrival.message[0]
        numbers = tuple(seen for seen in self._peek(payload) if seen.last)
        if not numbers:
            digests = [_digest(message) for message in self._messages(payload) or (payload,)]
            return self._by_identity(arrival, digests, self._by_bytes)
        if not all(seen.gapless for seen in numbers):
            identity = tuple((seen.channel, seen.symbol, seen.last) for seen in numbers)
            return self._by_identity(arrival, [identity], self._by_number)
        if self._is_repeat(arrival.epoch, numbers):
            self.repeats += 1
            late = [arrival] if self._fills_given_up(numbers) else []
            return [*late, *self.overdue(arrival.received_ns)]
        self.news += 1
        earlier = self._before(arrival.epoch, numbers)
        wait_ns = self._wait_ns(arrival.epoch, numbers)
        if wait_ns:
            self._held.append(_Held(arrival, numbers, arrival.received_ns + wait_ns))
            self._held_bytes += len(payload)
            return [*earlier, *self.overdue(arrival.received_ns)]
        self._pass(numbers)
        return [*earlier, arrival, *self._fitting()]

    def overdue(self, now_ns: int) -> list[Arrival]:
        """Return what has waited long enough for a hole that nobody fills, and what fits behind it.

        A clock that was set back counts as waiting as well: nothing is held for longer because of it.
        """
        passed: list[Arrival] = []
        for epoch, waiting in tuple(self._joining.items()):
            if waiting.frames and abs(now_ns - waiting.frames[0].arrival.received_ns) >= JOIN_NS:
                passed += self._alone(epoch)
        passed += self._release(
            lambda held: (
                self._held_bytes > MAX_HELD_BYTES
                or abs(now_ns - held.arrival.received_ns) >= held.until_ns - held.arrival.received_ns
            )
        )
        return passed

    def _release(self, is_due: Callable[[_Held], bool]) -> list[Arrival]:
        passed: list[Arrival] = []
        while self._held and is_due(self._held[0]):
            due = self._held[0]
            together = [each for each in self._held if each is due or _is_before(each.numbers, due.numbers)]
            self._held = [each for each in self._held if each not in together]
            for held in sorted(together, key=lambda each: each.numbers[0].last):
                self._held_bytes -= len(held.arrival.message[0])
                if not self._are_old(held.numbers):
                    self._give_up_before(held.numbers)
                    self._pass(held.numbers)
                    passed.append(held.arrival)
            passed += self._fitting()
        return passed

    # --- by number ---

    def _is_repeat(self, epoch: int, numbers: Sequence[Seen]) -> bool:
        old = True
        for seen in numbers:
            key = (seen.channel, seen.symbol)
            last = self._last.get(key, 0)
            own = self._last_by_epoch.get((epoch, key), 0)
            self._last_by_epoch[epoch, key] = seen.last
            if seen.last < own and last >= own:  # the venue counts anew, and this socket says so first
                del self._last[key]
                self._given_up.pop(key, None)
                last = 0
            old = old and seen.last <= last
        return old

    def _are_old(self, numbers: Sequence[Seen]) -> bool:
        return all(seen.last <= self._last.get((seen.channel, seen.symbol), 0) for seen in numbers)

    def _wait_ns(self, epoch: int, numbers: Sequence[Seen]) -> int:
        """Return how long a frame must wait for what comes before it: 0 when nothing does."""
        if epoch in self._late and any((seen.channel, seen.symbol) not in self._last for seen in numbers):
            return JOIN_NS
        holes = (leaves_hole(seen, self._last.get((seen.channel, seen.symbol), 0)) for seen in numbers)
        return HOLE_NS if any(holes) else 0

    def _before(self, epoch: int, numbers: Sequence[Seen]) -> list[Arrival]:
        """Release what comes before the first numbers of a symbol that an older socket brings.

        A socket that joined later has brought them alone, and they waited for just this.
        """
        if not self._held or epoch in self._late:
            return []
        first = {
            (seen.channel, seen.symbol): seen.first or seen.last
            for seen in numbers
            if (seen.channel, seen.symbol) not in self._last
        }
        if not first:
            return []

        def is_before(seen: Seen) -> bool:
            return seen.last < first.get((seen.channel, seen.symbol), 0)

        held, self._held = self._held, []
        passed: list[Arrival] = []
        for each in held:
            if all(map(is_before, each.numbers)):
                self._held_bytes -= len(each.arrival.message[0])
                self._pass(each.numbers)
                passed.append(each.arrival)
            else:
                self._held.append(each)
        return passed

    def _pass(self, numbers: Sequence[Seen]) -> None:
        for seen in numbers:
            key = (seen.channel, seen.symbol)
            last = self._last.get(key)
            if last is None:  # nobody announces what another socket has of the time before
                first = seen.previous or seen.first - 1
                self._given_up[key] = deque([(1, first)] if first > 0 else [], _MAX_GIVEN_UP)
                last = 0
            self._last[key] = max(last, seen.last)

    def _give_up_before(self, numbers: Sequence[Seen]) -> None:
        """Note the holes that are waited for no longer."""
        if self._holes_are_announced:
            return
        for seen in numbers:
            last = self._last.get((seen.channel, seen.symbol), 0)
            if leaves_hole(seen, last):
                end = seen.previous or seen.first - 1
                self._given_up[seen.channel, seen.symbol].append((last + 1, end))

    def _fills_given_up(self, numbers: Sequence[Seen]) -> bool:
        """Return whether a frame lies in a hole that nobody announces, and take it out of that."""
        fills = False
        for seen in numbers:
            holes = self._given_up.get((seen.channel, seen.symbol))
            found = next(
                (hole for hole in holes or () if hole[0] <= seen.first and seen.last <= hole[1]), None
            )
            if holes is not None and found is not None:
                fills = True
                holes.remove(found)
                rest = ((found[0], seen.first - 1), (seen.last + 1, found[1]))
                holes.extend(hole for hole in rest if hole[0] <= hole[1])
        return fills

    def _fitting(self) -> list[Arrival]:
        """Release what waited for a hole that is filled."""
        passed: list[Arrival] = []
        again = bool(self._held)
        while again:
            again = False
            waiting, self._held, self._held_bytes = self._held, [], 0
            for held in waiting:
                if self._are_old(held.numbers):
                    continue
                if self._wait_ns(held.arrival.epoch, held.numbers):
                    self._held.append(held)
                    self._held_bytes += len(held.arrival.message[0])
                    continue
                self._pass(held.numbers)
                passed.append(held.arrival)
                again = True
        return passed

    # --- by what tells a frame apart ---

    def _by_identity(
        self, arrival: Arrival, identities: Sequence[_Identity], memory: _Memory
    ) -> list[Arrival]:
        epoch, now_ns = arrival.epoch, arrival.received_ns
        frame = _Told(arrival, tuple(memory.arrived(each, epoch, now_ns) for each in identities))
        waiting = self._joining.get(epoch)
        if waiting is None:
            return self._passed_on(frame)
        if not all(each.is_new for each in frame.told_by):
            # the others had some of it before: this socket is behind them, and in step
            return [*self._in_step(epoch), *self._passed_on(frame)]
        waiting.frames.append(frame)
        waiting.size += len(arrival.message[0])
        return self._alone(epoch) if waiting.size > MAX_HELD_BYTES else []

    def _passed_on(self, frame: _Told) -> list[Arrival]:
        if not frame.passes():
            self.repeats += 1
            return []
        self.news += 1
        passed = [frame.arrival]
        for joining in tuple(self._joining):
            passed = self._caught_up(joining, frame, passed)
        return passed

    def _caught_up(self, epoch: int, frame: _Told, passed: list[Arrival]) -> list[Arrival]:
        """One of the others brought what a joining socket had before: what it had until then goes first."""
        waiting = self._joining[epoch].frames
        at = next((index for index, each in enumerate(waiting) if each.shares(frame)), None)
        if at is None:
            return passed
        del self._joining[epoch]
        return [*_first(waiting[:at]), *passed, *_first(waiting[at:])]

    def _alone(self, epoch: int) -> list[Arrival]:
        """End a socket's joining: no other one brings what it has."""
        if self._joined is not None:
            self._joined(epoch)
        return self._in_step(epoch)

    def _in_step(self, epoch: int) -> list[Arrival]:
        """End a socket's joining; return what it had brought that nobody else did."""
        waiting = self._joining.pop(epoch, None)
        return _first(waiting.frames) if waiting is not None else []


def _digest(message: bytes) -> bytes:
    return hashlib.blake2b(message, digest_size=16).digest()


def _first(waiting: Sequence[_Told]) -> list[Arrival]:
    """Take those that have not passed in the meantime."""
    return [frame.arrival for frame in waiting if frame.passes()]


def _is_before(numbers: Sequence[Seen], others: Sequence[Seen]) -> bool:
    """Tell whether a frame comes before another in a run that both have."""
    return any(
        seen.last < other.last and (seen.channel, seen.symbol) == (other.channel, other.symbol)
        for seen in numbers
        for other in others
    )


def leaves_hole(seen: Seen, last: int) -> bool:
    """Return whether numbers are missing between `last` and this frame; not without a last one."""
    if not last or not seen.gapless:
        return False
    return seen.previous > last if seen.previous else seen.first > last + 1
