"""Finds what is open but silent: the link by pings, the data by their own rate. Pure: counters and times in.

Called by a timer about every second, never by a frame.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

PONG_SECONDS = 10.0
"""How long a peer may leave a ping unanswered while it sends nothing else either."""

MIN_QUIET_SECONDS = 10.0
"""No learned silence is shorter: a busy feed pauses for seconds when its venue does."""

STALLED_SECONDS = 5.0
"""So long between two ticks means that this process stood still, not that the venue did."""

QUIET_FACTOR = 6.0
"""Silence beyond six times the 90th percentile: one in a million where arrivals are random (e^-13.8)."""

MAX_WATCHED_SYMBOLS = 4096
_SILENCES = 32
_MIN_SILENCES = 10
_SYMBOL_SCAN_SECONDS = 5.0


class LinkState(enum.Enum):
    """What the link watchdog asks for."""

    FINE = 1
    PING = 2
    DEAD = 3


class LinkWatch:
    """Pings a link that brings nothing and calls it dead when that brings nothing either.

    A frame is as good as a pong, so that a busy link is never pinged. `ping_seconds` 0: never.
    """

    def __init__(self, ping_seconds: float) -> None:
        self._ping_seconds = ping_seconds
        self._signs = -1
        self._sign_at = 0.0
        self._pinged_at: float | None = None
        self._ticked_at = 0.0

    def tick(self, now: float, signs: int | None) -> LinkState:
        """Look at the count of frames and pongs so far; None: nothing is read, so nothing can be seen."""
        stalled = now - self._ticked_at > STALLED_SECONDS
        self._ticked_at = now
        if signs is None or signs != self._signs or stalled:
            self._signs, self._sign_at, self._pinged_at = -1 if signs is None else signs, now, None
            return LinkState.FINE
        if not self._ping_seconds:
            return LinkState.FINE
        if self._pinged_at is not None:
            return LinkState.DEAD if now - self._pinged_at >= PONG_SECONDS else LinkState.FINE
        if now - self._sign_at < self._ping_seconds:
            return LinkState.FINE
        self._pinged_at = now
        return LinkState.PING


class Pace:
    """How long something may be silent when nothing is wrong: given, or learned from its last silences."""

    __slots__ = ("_given", "_silences")

    def __init__(self, given: float | None = None) -> None:
        self._given = given
        self._silences: deque[float] | None = None  # most connections of a herd never need one

    def learn(self, silence: float) -> None:
        """Take in a silence that ended by itself."""
        if self._given is not None:
            return
        if self._silences is None:
            self._silences = deque(maxlen=_SILENCES)
        self._silences.append(silence)

    @property
    def limit_seconds(self) -> float | None:
        """The longest normal silence; None until enough is known, or where silence means nothing."""
        if self._given is not None:
            return self._given or None
        if self._silences is None or len(self._silences) < _MIN_SILENCES:
            return None
        ordered = sorted(self._silences)
        return max(MIN_QUIET_SECONDS, QUIET_FACTOR * ordered[len(ordered) * 9 // 10])


class _Watched:
    """One thing that should keep arriving."""

    __slots__ = ("is_stale", "pace", "since")

    def __init__(self, pace: Pace, since: float) -> None:
        self.pace = pace
        self.since = since
        self.is_stale = False

    def arrived(self, now: float) -> bool:
        """Note an arrival; return whether it ends a staleness."""
        restored, self.is_stale = self.is_stale, False
        if not restored and now > self.since:
            self.pace.learn(now - self.since)
        self.since = now
        return restored

    def overdue(self, now: float) -> bool:
        """Return whether it has become stale just now."""
        limit = None if self.is_stale else self.pace.limit_seconds
        if limit is None or now - self.since < limit:
            return False
        self.is_stale = True
        return True


@dataclass(frozen=True, slots=True)
class Change:
    """What the data watchdog found: the whole connection, or some symbols, became stale or came back."""

    stale: bool = False
    restored: bool = False
    stale_symbols: tuple[str, ...] = ()
    restored_symbols: tuple[str, ...] = ()
    quiet_seconds: float = 0.0


_NOTHING = Change()


class DataWatch:
    """Watches the data of one connection, over all its sockets, and of each of its symbols.

    A symbol that is quiet by nature has learned long silences and does not trip; a closed market stops the
    watch, and it starts anew when the market opens. With `quiet_seconds` 0 nothing is watched.
    """

    def __init__(self, quiet_seconds: float | None) -> None:
        self._off = quiet_seconds == 0
        self._whole = _Watched(Pace(quiet_seconds), 0.0)
        self._symbols: dict[str, _Watched] = {}
        self._frames = 0
        self._ticked_at: float | None = None
        self._scanned_at = 0.0
        self._was_open = False

    @property
    def is_stale(self) -> bool:
        """Whether the connection as a whole is stale."""
        return self._whole.is_stale

    @property
    def stale_symbols(self) -> tuple[str, ...]:
        """The symbols that are stale."""
        return tuple(name for name, watched in self._symbols.items() if watched.is_stale)

    @property
    def limit_seconds(self) -> float | None:
        """How long the whole connection may be silent; None: not known, or nothing is watched."""
        return None if self._off else self._whole.pace.limit_seconds

    @property
    def is_off(self) -> bool:
        """Whether silence means nothing here."""
        return self._off

    def unseen(self, symbols: frozenset[str]) -> frozenset[str]:
        """Return those of which no frame was seen; none where no symbol ever was, or too many were."""
        seen = self._symbols.keys()
        return symbols - seen if 0 < len(seen) < MAX_WATCHED_SYMBOLS else frozenset()

    def opened(self, now: float) -> None:
        """A new socket: the time without one was no silence of the venue."""
        self._start_anew(now)

    def forget_all_but(self, symbols: frozenset[str]) -> None:
        """Watch no more what is not wanted any more."""
        for name in [name for name in self._symbols if name not in symbols]:
            del self._symbols[name]

    def tick(self, now: float, frames: int, symbols: Iterable[str], *, is_open: bool) -> Change:
        """Look at the count of data frames so far and at the symbols seen since the last tick."""
        if self._off:
            return _NOTHING
        stalled = self._ticked_at is None or now - self._ticked_at > STALLED_SECONDS
        self._ticked_at = now
        arrived, self._frames = frames != self._frames, frames
        if stalled or (is_open and not self._was_open):
            self._start_anew(now)
        self._was_open = is_open
        restored = arrived and self._whole.arrived(now)
        restored_symbols = self._arrived(symbols, now)
        if not is_open:
            return Change(restored=restored, restored_symbols=restored_symbols) if restored else _NOTHING
        quiet_seconds = now - self._whole.since
        if not arrived and self._whole.overdue(now):
            return Change(stale=True, quiet_seconds=quiet_seconds)
        stale_symbols = () if self._whole.is_stale else self._overdue(now)
        if not (restored or restored_symbols or stale_symbols):
            return _NOTHING
        return Change(restored=restored, restored_symbols=restored_symbols, stale_symbols=stale_symbols)

    def _arrived(self, symbols: Iterable[str], now: float) -> tuple[str, ...]:
        restored = []
        for name in symbols:
            watched = self._symbols.get(name)
            if watched is None:
                if len(self._symbols) < MAX_WATCHED_SYMBOLS:
                    self._symbols[name] = _Watched(Pace(), now)
            elif watched.arrived(now):
                restored.append(name)
        return tuple(restored)

    def _overdue(self, now: float) -> tuple[str, ...]:
        if now - self._scanned_at < _SYMBOL_SCAN_SECONDS:
            return ()
        self._scanned_at = now
        return tuple(name for name, watched in self._symbols.items() if watched.overdue(now))

    def _start_anew(self, now: float) -> None:
        for watched in (self._whole, *self._symbols.values()):
            watched.since = now
