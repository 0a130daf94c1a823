"""What a venue allows in a span of time, shared by all connections of a scope in this process. Pure."""

from __future__ import annotations

from collections import deque
from typing import Protocol
from weakref import WeakSet

from virtufin_examples.venues import Budget, VenueLimits


class Window:
    """Gives out places in time: at most `count` of them within any `seconds`, in the order asked for."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._places: deque[float] = deque(maxlen=budget.count)

    def reserve(self, now: float) -> float:
        """Take the next free place; return how long to wait for it. Never runs backwards with the clock."""
        at = now
        if self._places:
            at = max(at, self._places[-1])
            if len(self._places) == self._budget.count:
                at = max(at, self._places[0] + self._budget.seconds)
        self._places.append(at)
        return at - now


class SocketUser(Protocol):
    """Who has sockets open, or on the way."""

    @property
    def sockets(self) -> int: ...


class Scope:
    """What connections with one scope share: connect budget, message budget, and the sockets allowed.

    `share` is how many processes share it. They do not talk to each other: each takes its part, one at least.
    """

    def __init__(self, limits: VenueLimits, share: int = 1) -> None:
        self._connects = _window(limits.connects, share)
        self._messages = _window(limits.shared_messages, share)
        self._requests = _window(limits.requests, share)
        self._blocked_until = 0.0
        self._sockets = _part(limits.sockets, share) if limits.sockets is not None else None
        self._users: WeakSet[SocketUser] | None = WeakSet() if self._sockets is not None else None

    def join(self, user: SocketUser) -> None:
        """Count the sockets of a connection, for as long as it is there."""
        if self._users is not None:
            self._users.add(user)

    @property
    def has_room(self) -> bool:
        """Whether the venue allows one more socket beside those of all connections."""
        if self._sockets is None or self._users is None:
            return True
        return sum(user.sockets for user in self._users) < self._sockets

    def connect_wait(self, now: float) -> float:
        """Take a place for one upgrade; return the seconds until it."""
        earliest = max(now, self._blocked_until)
        return earliest - now + (self._connects.reserve(earliest) if self._connects is not None else 0.0)

    def message_wait(self, now: float) -> float:
        """Take a place for one message; return the seconds until it."""
        return self._messages.reserve(now) if self._messages is not None else 0.0

    def request_wait(self, now: float) -> float:
        """Take a place for one HTTP request; return the seconds until it."""
        return self._requests.reserve(now) if self._requests is not None else 0.0

    def block(self, now: float, seconds: float) -> None:
        """Let no connection of the scope try before `seconds` have passed: the venue said so (429, 418)."""
        self._blocked_until = max(self._blocked_until, now + seconds)


class Scopes:
    """The scopes of one process, by name. A scope without a name is its connection's alone.

    `share` processes on this machine have these scopes.
    """

    def __init__(self, share: int = 1) -> None:
        self._share = share
        self._scopes: dict[str, Scope] = {}

    def scope(self, limits: VenueLimits) -> Scope:
        """Return the scope of these limits; the limits of who asks first hold."""
        if not limits.scope:
            return Scope(limits)
        return self._scopes.setdefault(limits.scope, Scope(limits, self._share))


def _window(budget: Budget | None, share: int) -> Window | None:
    return Window(Budget(_part(budget.count, share), budget.seconds)) if budget is not None else None


def _part(count: int, share: int) -> int:
    return max(1, count // share)
