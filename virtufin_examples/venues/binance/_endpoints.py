"""Binance's stream endpoints: markets, hosts, paths, and where a book's snapshot is to be had."""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from virtufin_examples.errors import InvalidInputError


class Market(enum.StrEnum):
    """What is traded; it decides messages, limits and the book rule."""

    SPOT = "spot"
    US = "us"
    USD_M = "usd_m"


@dataclass(frozen=True, slots=True)
class Site:
    """A host and what it serves; `rest` is where its snapshots are."""

    host: str
    market: Market
    rest: str


SITES: dict[str, Site] = {
    site.host: site
    for site in (
        Site("stream.binance.com", Market.SPOT, "https://api.binance.com"),
        Site("data-stream.binance.vision", Market.SPOT, "https://data-api.binance.vision"),
        Site("stream.testnet.binance.vision", Market.SPOT, "https://testnet.binance.vision"),
        Site("stream.binance.us", Market.US, "https://api.binance.us"),
        Site("fstream.binance.com", Market.USD_M, "https://fapi.binance.com"),
    )
}

ROUTES = frozenset({"public", "market", "private"})
"""First part of a USD-M path; without it only what belongs to `public` is delivered."""

_REST_PATHS: dict[Market, str] = {
    Market.SPOT: "/api/v3",
    Market.US: "/api/v3",
    Market.USD_M: "/fapi/v1",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a URL asks for. `streams` are those that the URL itself names."""

    market: Market
    combined: bool
    route: str = ""
    streams: tuple[str, ...] = ()


def find_endpoint(target: str, market: Market | None = None) -> Endpoint | None:
    """Return the endpoint of a path with its query, None when there is no such path.

    Without `market` a routed path (`/public/stream`) is USD-M futures, any other spot.
    """
    parts = urlsplit(target)
    names = [name for name in parts.path.split("/") if name]
    route = names.pop(0) if names and names[0] in ROUTES else ""
    kind = names.pop(0) if names else ""
    if market is None:
        market = Market.USD_M if route else Market.SPOT
    if route and market is not Market.USD_M:
        return None
    if kind == "ws":
        return Endpoint(market, combined=False, route=route, streams=tuple(names))
    if kind == "stream" and not names:
        streams = parse_qs(parts.query).get("streams", [""])[-1]
        return Endpoint(market, True, route, tuple(name for name in streams.split("/") if name))  # noqa: FBT003 - `combined`
    return None


def endpoint_of(url: str, market: Market | None = None) -> Endpoint:
    """Return the endpoint that a URL names; `InvalidInputError` for a path without streams.

    Without `market` the host decides, for an unknown host the path.
    """
    parts = urlsplit(url)
    site = SITES.get(parts.hostname or "")
    known = market or (site.market if site is not None else None)
    endpoint = find_endpoint(f"{parts.path}?{parts.query}", known)
    if endpoint is None:
        raise InvalidInputError(
            f'url: Binance has no stream at "{parts.path}"',
            hint="/stream?streams=btcusdt@depth or /ws/btcusdt@depth; USD-M: /public/..., /market/...",
        )
    return endpoint


def with_streams(url: str, streams: tuple[str, ...]) -> str:
    """Return a stream URL that names these streams in place of its own; the rest stays."""
    parts = urlsplit(url)
    names = [name for name in parts.path.split("/") if name]
    base = "/".join(names[: 2 if names and names[0] in ROUTES else 1])
    if base.endswith("ws"):
        return parts._replace(path="/".join(["", base, *streams])).geturl()
    query = {name: values[-1] for name, values in parse_qs(parts.query).items() if name != "streams"}
    if streams:
        query = {"streams": "/".join(streams), **query}
    return parts._replace(path=f"/{base}", query=urlencode(query, safe="/@!")).geturl()


def snapshot_url(url: str, symbol: str, *, limit: int = 1000, rest: str = "") -> str:
    """Return where the book of a symbol is to be had, for the site of a stream URL.

    `limit` is levels a side: spot up to 5,000, futures 5, 10, 20, 50, 100, 500 or 1,000. `rest` is the base
    URL for a host that is none of Binance's, a simulator for instance.
    """
    return f"{_rest_url(url, rest)}/depth?{urlencode({'symbol': symbol.upper(), 'limit': limit})}"


def symbols_url(url: str, symbols: Sequence[str], *, rest: str = "") -> str:
    """Return where these symbols of a stream URL's site are listed; `rest` as for `snapshot_url`.

    Futures list all that they have, whatever is asked for.
    """
    names = json.dumps(list(symbols), separators=(",", ":"))
    return f"{_rest_url(url, rest)}/exchangeInfo?{urlencode({'symbols': names})}"


def _rest_url(url: str, rest: str) -> str:
    site = SITES.get(urlsplit(url).hostname or "")
    base = rest or (site.rest if site is not None else "")
    if not base:
        raise InvalidInputError(f'url: no REST address is known for "{url}"', hint="name it with rest=")
    return f"{base.rstrip('/')}{_REST_PATHS[endpoint_of(url).market]}"
