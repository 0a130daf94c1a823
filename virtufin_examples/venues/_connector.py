"""The connector port: what the connection core asks of a venue's protocol, as pure functions.

Deliberately small: it grows with the feeds that heal, not before.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias


class Disposition(enum.StrEnum):
    """What a venue's error asks of us."""

    NOTE = "note"  # the socket is fine; tell the user
    RETRY = "retry"  # reconnect with back-off
    WAIT = "wait"  # reconnect after at least `wait_seconds`
    PERMANENT = "permanent"  # never try again with the same input


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The venue took the credentials."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The venue confirmed a subscription; `missing` are wanted symbols that it left out."""

    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue sent an error."""

    code: int
    reason: str
    disposition: Disposition
    wait_seconds: float = 0.0


Verdict: TypeAlias = Authenticated | Acknowledged | Refused


class Session(Protocol):
    """One connection's view of the protocol. No I/O, no clock."""

    def sent(self, payload: bytes, *, binary: bool) -> None:
        """Note a message that went out (for the wanted set); secrets are still references in it."""

    def received(self, payload: bytes, *, binary: bool) -> Verdict | None:
        """Read a frame; None for data. Called for every frame until live and for frames that
        `is_control` claims after that.
        """

    def is_control(self, payload: bytes) -> bool:
        """Tell cheaply (no parse) whether a frame may be a control message."""

    def opened(self) -> None:
        """A new socket: forget what the venue had confirmed on the old one."""

    def expects(self) -> int:
        """How many answers to what was sent are outstanding: 0 means the handshake is complete."""


class Connector(Protocol):
    """A venue's plugin (entry point group `virtufin.connectors`)."""

    name: str

    def claims(self, url: str) -> bool:
        """Whether a URL is this venue's."""

    def upgrade_refused(self, status: int, headers: Mapping[str, str]) -> Refused:
        """Sort an HTTP answer other than 101 (429, 401, 403, 503, ...)."""

    def upgrade_headers(self, url: str) -> Mapping[str, str]:
        """Return the headers that the upgrade request for a URL needs; no secrets."""

    def session(self, url: str, options: Mapping[str, str]) -> Session:
        """Return a fresh session; `InvalidInputError` for an option that the venue does not have."""
