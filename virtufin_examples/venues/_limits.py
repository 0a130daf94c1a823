"""What a venue allows, as data: plans and rules change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `count` within any `seconds`."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class VenueLimits:
    """Limits that the connection core keeps; None is unlimited.

    Connections with the same `scope` share them within a process (an address: the host; an account and an
    endpoint: the URL).
    """

    scope: str
    connects: Budget | None = None
    """Upgrades, of all sockets of the scope."""
    messages: Budget | None = None
    """Messages to the venue, of one socket, our pings and pongs among them."""
    shared_messages: Budget | None = None
    """Messages to the venue, of all sockets of the scope."""
    requests: Budget | None = None
    """HTTP requests while a socket lives, of all sockets of the scope."""
    sockets: int | None = None
    """Sockets open at a time. With 1 a new one must wait for the end of the old one."""
    symbols: int | None = None
    """Symbols (streams) a socket."""
    socket_seconds: float | None = None
    """How long the venue lets a socket live (Binance: 24 h)."""
