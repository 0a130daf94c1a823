"""Alpaca's stream endpoints: which paths there are and which channels each has."""

from __future__ import annotations

import difflib
import enum
from dataclasses import dataclass
from urllib.parse import urlsplit

from virtufin_examples.errors import InvalidInputError


class Kind(enum.StrEnum):
    """What an endpoint carries; it decides the messages and the channels."""

    STOCKS = "stocks"
    CRYPTO = "crypto"
    OPTIONS = "options"
    NEWS = "news"
    TRADING = "trading"


TRADE_UPDATES = "trade_updates"

# The keys of a `subscription` answer, in the order of Alpaca's documentation.
ANSWERED_CHANNELS: dict[Kind, tuple[str, ...]] = {
    Kind.STOCKS: (
        "trades",
        "quotes",
        "bars",
        "updatedBars",
        "dailyBars",
        "statuses",
        "lulds",
        "corrections",
        "cancelErrors",
        "imbalances",
    ),
    Kind.CRYPTO: ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars"),
    Kind.OPTIONS: ("trades", "quotes"),
    Kind.NEWS: ("news",),
    Kind.TRADING: (TRADE_UPDATES,),
}

FOLLOWERS = frozenset({"corrections", "cancelErrors"})
"""Channels that nobody subscribes to: they come with `trades`."""

CHANNELS = frozenset(name for names in ANSWERED_CHANNELS.values() for name in names) - FOLLOWERS
"""Every channel that can be subscribed to, on whatever endpoint."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One stream endpoint.

    `path` has no leading slash. `symbols` are the only ones that have data; empty: any.
    """

    path: str
    kind: Kind
    msgpack_only: bool = False
    symbols: tuple[str, ...] = ()

    @property
    def channels(self) -> frozenset[str]:
        """The channels that can be subscribed to here."""
        return frozenset(ANSWERED_CHANNELS[self.kind]) - FOLLOWERS


ENDPOINTS: dict[str, Endpoint] = {
    endpoint.path: endpoint
    for endpoint in (
        Endpoint("v2/sip", Kind.STOCKS),
        Endpoint("v2/iex", Kind.STOCKS),
        Endpoint("v2/delayed_sip", Kind.STOCKS),
        Endpoint("v2/test", Kind.STOCKS, symbols=("FAKEPACA",)),
        Endpoint("v1beta1/boats", Kind.STOCKS),
        Endpoint("v1beta1/overnight", Kind.STOCKS),
        Endpoint("v1beta3/crypto/us", Kind.CRYPTO),
        Endpoint("v1beta3/crypto/us-1", Kind.CRYPTO),
        Endpoint("v1beta3/crypto/eu-1", Kind.CRYPTO),
        Endpoint("v1beta1/indicative", Kind.OPTIONS, msgpack_only=True),
        Endpoint("v1beta1/opra", Kind.OPTIONS, msgpack_only=True),
        Endpoint("v1beta1/news", Kind.NEWS),
        Endpoint("stream", Kind.TRADING),
    )
}

# What SDKs ask of a server that stands in for Alpaca: the Go SDK appends only the feed, the C# SDK
# nothing. The first has to mean something, so it is the free stock feed.
_SHORT_PATHS: dict[str, str] = {
    "": "v2/iex",
    "v1beta3/crypto": "v1beta3/crypto/us",
    **{path.rpartition("/")[2]: path for path in ENDPOINTS if path not in {"v1beta1/news", "stream"}},
}


def find_endpoint(path: str) -> Endpoint | None:
    """Return the endpoint of a URL path, also of the short ones that SDKs send to a stand-in."""
    trimmed = path.partition("?")[0].strip("/")
    return ENDPOINTS.get(_SHORT_PATHS.get(trimmed, trimmed))


def endpoint_of(url: str) -> Endpoint:
    """Return the endpoint that a stream URL names; `InvalidInputError` lists the known ones."""
    path = urlsplit(url).path
    endpoint = find_endpoint(path)
    if endpoint is None:
        known = ", ".join(f"/{name}" for name in ENDPOINTS)
        raise InvalidInputError(f'url: Alpaca has no stream at "{path}"', hint=f"one of {known}")
    return endpoint


def channels_of(url: str) -> frozenset[str]:
    """Return the channels that can be subscribed to at a URL; `InvalidInputError` for no such endpoint."""
    return endpoint_of(url).channels


def check_channel(channel: str, endpoint: Endpoint | None = None) -> None:
    """Raise `InvalidInputError` for a channel that does not exist, or not at this endpoint."""
    if channel in FOLLOWERS:
        raise InvalidInputError(
            f'channel: "{channel}" cannot be subscribed to', hint='it comes with channel "trades"'
        )
    if channel not in CHANNELS:
        near = difflib.get_close_matches(channel, CHANNELS, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"one of {', '.join(sorted(CHANNELS))}"
        raise InvalidInputError(f'channel: Alpaca has no channel "{channel}"', hint=hint)
    if endpoint is not None and channel not in endpoint.channels:
        raise InvalidInputError(
            f'channel: "/{endpoint.path}" has no channel "{channel}"',
            hint=f"it has {', '.join(sorted(endpoint.channels))}",
        )
