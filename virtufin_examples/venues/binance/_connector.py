"""Binance's connector: the client half of the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import (
    Budget,
    Claim,
    Connector,
    Disposition,
    ErrorRule,
    Option,
    Refused,
    VenueLimits,
)
from virtufin_examples.venues.binance._codes import STREAM_ERRORS, sort_http
from virtufin_examples.venues.binance._endpoints import SITES, Market, endpoint_of
from virtufin_examples.venues.binance._limits import LIMITS
from virtufin_examples.venues.binance._session import BinanceSession

_SPARE_MESSAGES = 1
"""Messages a second left to the pongs, which count too."""


_MARKETS = {Market.SPOT: "spot", Market.US: "Binance.US", Market.USD_M: "USD-M futures"}
_BOTH_KINDS = (("/ws/btcusdt@depth", "raw streams"), ("/stream?streams=btcusdt@depth", "combined streams"))
_PATHS = {
    Market.SPOT: _BOTH_KINDS,
    Market.US: _BOTH_KINDS,
    Market.USD_M: (
        ("/public/stream?streams=btcusdt@depth", "books"),
        ("/market/stream?streams=btcusdt@aggTrade", "the rest"),
    ),
}


class BinanceConnector(Connector):
    """Claims Binance's stream hosts: spot, Binance.US, USD-M futures."""

    name = "binance"
    description = "Binance spot, Binance.US and USD-M futures: raw and combined streams"
    own_options = (
        Option(
            "market", "spot, us or usd_m: what a host not of Binance's stands in for", "by the URL's path"
        ),
    )
    claimed = tuple(
        Claim(f"wss://{site.host}{path}", f"{_MARKETS[site.market]}: {carries}")
        for site in SITES.values()
        for path, carries in _PATHS[site.market]
    )
    handshake = (
        "None is needed: the URL names the streams. SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS carry an "
        "id that the answer repeats; once live the list is asked for and compared with what is wanted."
    )
    errors = (
        *(ErrorRule(str(code), meaning, Disposition.NOTE) for code, meaning in sorted(STREAM_ERRORS.items())),
        ErrorRule("serverShutdown", "this server shuts down: a successor opens first", Disposition.NOTE),
    )

    def claims(self, url: str) -> bool:
        """Whether a URL is one of Binance's streams."""
        return urlsplit(url).hostname in SITES

    def session(self, url: str, options: Mapping[str, str]) -> BinanceSession:
        """Return a fresh session.

        `InvalidInputError` for an unknown path, option or market and a symbol in upper case.
        """
        self.check_options(options)
        return BinanceSession(url, options, _market(options))

    def limits(self, url: str, options: Mapping[str, str]) -> VenueLimits:
        """Return what Binance allows an address on a host."""
        limits = LIMITS[endpoint_of(url, _market(options)).market]
        parts = urlsplit(url)
        # Binance serves one host on several ports; elsewhere a port is a server of its own
        where = parts.hostname if parts.hostname in SITES else parts.netloc.rpartition("@")[2]
        return VenueLimits(
            scope=f"binance {where}",
            connects=Budget(limits.connects, limits.connects_seconds),
            messages=Budget(limits.messages_a_second - _SPARE_MESSAGES, 1.0),
            symbols=limits.streams,
            socket_seconds=limits.life_seconds,
        )

    def upgrade_refused(self, status: int, headers: Mapping[str, str]) -> Refused:
        """Sort an HTTP answer other than 101: 418 and 429 wait, 451 is permanent."""
        return sort_http(status, headers)


def _market(options: Mapping[str, str]) -> Market | None:
    name = options.get("market")
    if name is None:
        return None
    try:
        return Market(name)
    except ValueError as error:
        known = ", ".join(Market)
        raise InvalidInputError(f'options: market "{name}" is unknown', hint=f"one of {known}") from error
