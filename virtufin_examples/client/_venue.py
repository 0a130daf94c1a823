"""The venues that feeds can be opened at: what is sent to them, and what they must answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtufin_examples.client._venue_alpaca import AlpacaVenue
from virtufin_examples.client._venue_binance import BinanceVenue
from virtufin_examples.client._venue_port import Change, Credentials, Venue, VenueMessage
from virtufin_examples.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Change", "Credentials", "Venue", "VenueMessage", "venue_named", "venue_of"]

_VENUES: Mapping[str, Venue] = {venue.name: venue for venue in (AlpacaVenue(), BinanceVenue())}


def venue_named(name: str) -> Venue:
    """Return the venue with a connector of that name; `InvalidInputError` where there is none."""
    if name not in _VENUES:
        raise InvalidInputError(
            f'connector is "{name}": there is none of that name', hint=f"one of {_known()}"
        )
    return _VENUES[name]


def venue_of(url: str, connector: str = "") -> Venue:
    """Return the venue that `connector` names, else the one of the URL's host; else `InvalidInputError`."""
    if connector:
        return venue_named(connector)
    for venue in _VENUES.values():
        if venue.claims(url):
            return venue
    raise InvalidInputError(
        f'url is "{url}": its host belongs to no known venue',
        hint=f'correct it, or say whose protocol it speaks with "connector": one of {_known()}',
    )


def _known() -> str:
    return ", ".join(f'"{name}"' for name in _VENUES)
