"""What opening a feed needs to know of a venue."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from virtufin_examples.venues import Session, VenueLimits


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key pair, or references to one (`secrets`) that are resolved where the message is sent."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    secrets: bool

    @classmethod
    def reference(cls, name: str) -> Credentials:
        """Entries `key` and `secret` of a secret of the platform."""
        return cls(f"${{secret:{name}/key}}", f"${{secret:{name}/secret}}", secrets=True)


class Change(enum.StrEnum):
    """What is done with symbols; the value is the worker's command."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class VenueMessage:
    """One message to a venue; `name` is its step's.

    The worker sends `payload` as it is, or writes the message itself where `params` of a `command` are given.
    """

    name: str
    payload: bytes = field(default=b"", repr=False)
    secrets: bool = False
    command: Change | None = None
    params: tuple[str, ...] = ()


class Venue(Protocol):
    """A venue, as opening and changing a feed see it."""

    @property
    def name(self) -> str:
        """The connector's name and the name of the secret that holds its keys."""

    @property
    def title(self) -> str:
        """The name for people."""

    @property
    def needs_keys(self) -> bool:
        """Whether it wants an account's keys."""

    def claims(self, url: str) -> bool:
        """Whether the URL's host is the venue's."""

    def check(self, url: str, channel: str, options: Mapping[str, str]) -> None:
        """Raise `InvalidInputError` when there is no such stream, channel or option, or not there."""

    def check_symbol(self, symbol: str) -> None:
        """Raise `InvalidInputError`, without a field's name, for what cannot be a symbol here."""

    def limits(self, url: str, options: Mapping[str, str]) -> VenueLimits:
        """What the venue allows."""

    def symbols_url(self, url: str, symbols: Sequence[str]) -> str:
        """Where the venue tells over HTTP whether it has these symbols; empty: it does not.

        It answers with a list, or with 400 when one of them is unknown.
        """

    def read_symbols(self, body: bytes) -> frozenset[str]:
        """Read that list; `UnavailableError` when it is none."""

    def book_url(self, url: str, symbol: str) -> str:
        """Where the snapshot of a book is, that its changes go on from; empty: the stream sends it."""

    def login(self, credentials: Credentials) -> tuple[VenueMessage, ...]:
        """What to send first on a new connection."""

    def change(self, change: Change, channel: str, symbols: Sequence[str]) -> VenueMessage:
        """What to send to begin or to end a channel of these symbols."""

    def session(self, url: str, options: Mapping[str, str]) -> Session:
        """A reader of the venue's answers to what is sent."""
