"""The venues that feeds can be opened at: what is sent to them, and what they must answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca import (
    AlpacaConnector,
    auth_message,
    check_channel,
    endpoint_of,
    subscribe_message,
)

if TYPE_CHECKING:
    from virtufin_examples.client._feed_settings import FeedSettings
    from virtufin_examples.venues import Session


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


@dataclass(frozen=True, slots=True)
class HandshakeMessage:
    """One message to send before `publish`; `name` is its step's."""

    name: str
    payload: bytes = field(repr=False)
    secrets: bool = False


class Venue(Protocol):
    """What opening a feed needs to know of a venue."""

    @property
    def name(self) -> str:
        """The connector's name and the name of the secret that holds its keys."""

    @property
    def title(self) -> str:
        """The name for people."""

    def claims(self, url: str) -> bool:
        """Whether the URL's host is the venue's."""

    def check(self, url: str, channel: str) -> None:
        """Raise `InvalidInputError` when there is no such stream or no such channel, or not there."""

    def handshake(self, settings: FeedSettings, credentials: Credentials) -> tuple[HandshakeMessage, ...]:
        """What to send, in order."""

    def session(self, url: str, options: Mapping[str, str]) -> Session:
        """A reader of the venue's answers."""


class _Alpaca:
    """Alpaca's market data and trading streams."""

    name = "alpaca"
    title = "Alpaca"

    def __init__(self) -> None:
        self._connector = AlpacaConnector()

    def claims(self, url: str) -> bool:
        return self._connector.claims(url)

    def check(self, url: str, channel: str) -> None:
        check_channel(channel, endpoint_of(url))

    def handshake(self, settings: FeedSettings, credentials: Credentials) -> tuple[HandshakeMessage, ...]:
        return (
            HandshakeMessage(
                "send_raw auth", auth_message(credentials.key, credentials.secret), credentials.secrets
            ),
            HandshakeMessage("send_raw subscribe", subscribe_message(settings.channel, settings.symbols)),
        )

    def session(self, url: str, options: Mapping[str, str]) -> Session:
        return self._connector.session(url, options)


_VENUES: dict[str, Venue] = {venue.name: venue for venue in (_Alpaca(),)}


def venue_of(url: str, connector: str = "") -> Venue:
    """Return the venue that `connector` names, else the one of the URL's host; else `InvalidInputError`."""
    known = ", ".join(f'"{name}"' for name in _VENUES)
    if connector:
        if connector not in _VENUES:
            raise InvalidInputError(
                f'connector is "{connector}": there is none of that name', hint=f"one of {known}"
            )
        return _VENUES[connector]
    for venue in _VENUES.values():
        if venue.claims(url):
            return venue
    raise InvalidInputError(
        f'url is "{url}": its host belongs to no known venue',
        hint=f'correct it, or say whose protocol it speaks with "connector": one of {known}',
    )
