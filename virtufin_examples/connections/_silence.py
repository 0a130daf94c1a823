"""What is done about data that do not come though the venue has confirmed them. Pure: counts and times in.

A venue may confirm a subscription and not make it. Asking again costs one message and no gap; another socket
costs a gap. Both are tried ever more rarely, so that a market that is quiet for a reason nobody knows (a
holiday, a halt) sees four of either an hour at the most.
"""

from __future__ import annotations

import enum
from collections.abc import Collection

from virtufin_examples.connections._backoff import STABLE_SECONDS
from virtufin_examples.connections._watchdog import STALLED_SECONDS

FIRST_SECONDS = 30.0
"""How long what was confirmed may bring nothing before it is asked for again, where no pace is known."""

LONGEST_SECONDS = 900.0
"""The pauses between two tries double up to this."""


class Remedy(enum.Enum):
    """What is to be done now."""

    NONE = 1
    ASK_AGAIN = 2
    REPLACE = 3


class Silence:
    """Watches one socket after the other of a line.

    A socket that had brought data is replaced when it has been silent for the normal limit. One that brings
    nothing is asked again after that time, and replaced after as much again. Each one in a row that is
    replaced without having brought data for a stable time doubles the times of the next: some venues greet
    with a snapshot. Where no limit is known a socket is only asked.
    """

    def __init__(self) -> None:
        self._socket = 0
        self._frames = 0
        self._in_vain = 0
        self._was_sound = False
        self._ticked_at = 0.0
        self._flows_since = 0.0
        self._since = 0.0
        self._due_at: float | None = None
        self._pause = 0.0
        self._asked = False

    def seconds(self, now: float) -> float:
        """Return for how long nothing has come."""
        return now - self._since

    def tick(self, now: float, *, socket: int, frames: int, limit: float | None, watched: bool) -> Remedy:
        """Look at the data frames of a socket so far; `watched` False: silence means nothing just now."""
        stalled = now - self._ticked_at > STALLED_SECONDS
        self._ticked_at = now
        if socket != self._socket:
            self._socket, self._frames, self._was_sound = socket, 0, False
            self._begin(now)
        if frames != self._frames:
            self._flowed(now, frames)
        elif stalled or not watched:
            self._begin(now)
        if not watched:
            return Remedy.NONE
        return self._after_data(now, limit) if self._frames else self._without_data(now, limit)

    def _flowed(self, now: float, frames: int) -> None:
        if not self._frames:
            self._flows_since = now
        elif now - self._flows_since >= STABLE_SECONDS:
            self._was_sound, self._in_vain = True, 0
        self._frames = frames
        self._begin(now)

    def _after_data(self, now: float, limit: float | None) -> Remedy:
        if limit is None or now - self._since < self._paced(limit):
            return Remedy.NONE
        return self._replace(now)

    def _without_data(self, now: float, limit: float | None) -> Remedy:
        if self._due_at is None:
            self._pause = self._paced(FIRST_SECONDS if limit is None else limit)
            self._due_at = self._since + self._pause
        if now < self._due_at:
            return Remedy.NONE
        if limit is None:
            self._pause = min(LONGEST_SECONDS, 2 * self._pause)
        elif self._asked:
            return self._replace(now)
        self._asked = True
        self._due_at = now + self._pause
        return Remedy.ASK_AGAIN

    def _paced(self, seconds: float) -> float:
        return max(seconds, min(LONGEST_SECONDS, seconds * 2.0 ** min(self._in_vain, 16)))

    def _replace(self, now: float) -> Remedy:
        self._in_vain += not self._was_sound
        self._begin(now)
        return Remedy.REPLACE

    def _begin(self, now: float) -> None:
        self._since, self._due_at, self._asked = now, None, False


class QuietSymbols:
    """Which symbols are to be asked for again, each at its own pace.

    One that has stopped is asked for at once, one that never came after a while.
    """

    def __init__(self) -> None:
        self._due: dict[str, tuple[float, float]] = {}  # name: when, and the pause after it

    def due(self, now: float, stopped: Collection[str], unseen: Collection[str]) -> tuple[str, ...]:
        """Return those whose time has come."""
        if not (stopped or unseen):  # nearly always
            self._due.clear()
            return ()
        quiet = dict.fromkeys(unseen, now + FIRST_SECONDS) | dict.fromkeys(stopped, now)
        self._due = {name: self._due.get(name, (first, 2 * FIRST_SECONDS)) for name, first in quiet.items()}
        due = tuple(name for name, (when, _) in self._due.items() if when <= now)
        for name in due:
            pause = self._due[name][1]
            self._due[name] = now + pause, min(LONGEST_SECONDS, 2 * pause)
        return due
