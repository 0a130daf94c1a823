"""The states of a connection and the moves between them. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from virtufin_examples.errors import PreconditionError


class State(enum.StrEnum):
    """What a connection is doing."""

    CONNECTING = "connecting"  # its first socket is being opened
    CONNECTED = "connected"  # a socket is open and the handshake, if any, is replayed and answered
    RECONNECTING = "reconnecting"  # between sockets
    DISCONNECTED = "disconnected"  # ended, by us or by a peer that need not be called again
    FAILED = "failed"  # ended for a reason that trying again cannot mend


_MOVES: dict[State, frozenset[State]] = {
    State.CONNECTING: frozenset({State.CONNECTED, State.RECONNECTING, State.DISCONNECTED, State.FAILED}),
    State.CONNECTED: frozenset({State.RECONNECTING, State.DISCONNECTED, State.FAILED}),
    # to itself: one more attempt
    State.RECONNECTING: frozenset({State.RECONNECTING, State.CONNECTED, State.DISCONNECTED, State.FAILED}),
    State.DISCONNECTED: frozenset(),
    State.FAILED: frozenset({State.DISCONNECTED}),
}


class IllegalMoveError(PreconditionError):
    """A move that the state machine does not have: a fault in the code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEvent:
    """Something that happened to a connection.

    `kind` is a state, or `error` for what went wrong on the way. `attempt` counts the tries since the last
    socket that was connected, from 1; it is 0 where nothing is being tried. For `asked_again` it counts how
    often the connection asked so far.
    """

    kind: str
    connection_id: str
    url: str
    epoch: int
    owner: str = ""
    attempt: int = 0
    reason: str = ""
    error_type: str = ""
    replayed: int = 0


class Observer(Protocol):
    """Who is told; must not block."""

    def connection_changed(self, event: ConnectionEvent) -> None: ...


class StateMachine:
    """The state of one connection."""

    def __init__(self) -> None:
        self._state = State.CONNECTING

    @property
    def state(self) -> State:
        """The state now."""
        return self._state

    @property
    def is_over(self) -> bool:
        """Whether no socket will be opened any more."""
        return self._state in {State.DISCONNECTED, State.FAILED}

    def move(self, to: State) -> None:
        """Go to a state; raises `IllegalMoveError` where there is no such move."""
        if to not in _MOVES[self._state]:
            raise IllegalMoveError(f"a connection cannot go from {self._state} to {to}")
        self._state = to
