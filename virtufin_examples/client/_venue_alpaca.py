"""Alpaca's market data and trading streams, as opening a feed sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from virtufin_examples.client._venue_port import Change, Credentials, VenueMessage
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca import (
    BACKFILLED_CHANNELS,
    AlpacaConnector,
    auth_message,
    check_channel,
    endpoint_of,
    subscribe_message,
    unsubscribe_message,
)

if TYPE_CHECKING:
    from virtufin_examples.venues import Session, VenueLimits

_MESSAGES = {Change.SUBSCRIBE: subscribe_message, Change.UNSUBSCRIBE: unsubscribe_message}


class AlpacaVenue:
    """The worker is given every message verbatim: Alpaca's are not those that its commands write."""

    name = "alpaca"
    title = "Alpaca"
    needs_keys = True

    def __init__(self) -> None:
        self._connector = AlpacaConnector()

    def claims(self, url: str) -> bool:
        """Whether the host is one of Alpaca's."""
        return self._connector.claims(url)

    def check(self, url: str, channel: str, options: Mapping[str, str]) -> None:
        """Check path, channel and options."""
        check_channel(channel, endpoint_of(url))
        self._connector.session(url, options)
        if options.get("backfill") == "on" and channel not in BACKFILLED_CHANNELS:
            raise InvalidInputError(
                f"options: backfill is on, but {channel} have no history",
                hint=f"leave it out; {' and '.join(BACKFILLED_CHANNELS)} have one",
            )

    def check_symbol(self, symbol: str) -> None:
        """Nothing: Alpaca's symbols have no common form, and it says which it does not know."""

    def limits(self, url: str, options: Mapping[str, str]) -> VenueLimits:
        """One connection an endpoint."""
        return self._connector.limits(url, options)

    def symbols_url(self, url: str, symbols: Sequence[str]) -> str:  # noqa: ARG002 - the port's signature
        """Nowhere without keys."""
        return ""

    def read_symbols(self, body: bytes) -> frozenset[str]:  # noqa: ARG002 - the port's signature
        """There is none."""
        return frozenset()

    def book_url(self, url: str, symbol: str) -> str:  # noqa: ARG002 - the port's signature
        """The stream sends whole books."""
        return ""

    def login(self, credentials: Credentials) -> tuple[VenueMessage, ...]:
        """Return the authentication."""
        message = auth_message(credentials.key, credentials.secret)
        return (VenueMessage("send_raw auth", message, credentials.secrets),)

    def change(self, change: Change, channel: str, symbols: Sequence[str]) -> VenueMessage:
        """Return the (un)subscribe message."""
        return VenueMessage(f"send_raw {change}", _MESSAGES[change](channel, symbols))

    def session(self, url: str, options: Mapping[str, str]) -> Session:
        """Return the connector's: it reads answers in the order of the questions."""
        return self._connector.session(url, options)
