"""Binance's connector: the client half of the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import Budget, Connector, Refused, VenueLimits
from virtufin_examples.venues.binance._codes import sort_http
from virtufin_examples.venues.binance._endpoints import SITES, Market, endpoint_of
from virtufin_examples.venues.binance._limits import LIMITS
from virtufin_examples.venues.binance._session import BinanceSession

_SPARE_MESSAGES = 1
"""Messages a second left to the pongs, which count too."""


class BinanceConnector(Connector):
    """Claims Binance's stream hosts: spot, Binance.US, USD-M futures."""

    name = "binance"
    description = "Binance spot, Binance.US and USD-M futures: raw and combined streams"
    option_names: Mapping[str, str] = MappingProxyType(
        {"market": "spot, us or usd_m: what a host not of Binance's stands in for (default: by its path)"}
    )

    def claims(self, url: str) -> bool:
        """Whether a URL is one of Binance's streams."""
        return urlsplit(url).hostname in SITES

    def session(self, url: str, options: Mapping[str, str]) -> BinanceSession:
        """Return a fresh session.

        `InvalidInputError` for an unknown path, option or market and a symbol in upper case,
        `ResourceLimitError` for a URL with too many streams.
        """
        self.check_options(options)
        return BinanceSession(url, options, _market(options))

    def limits(self, url: str, options: Mapping[str, str]) -> VenueLimits:
        """Return what Binance allows an address on a host."""
        limits = LIMITS[endpoint_of(url, _market(options)).market]
        return VenueLimits(
            scope=f"binance {urlsplit(url).netloc.rpartition('@')[2]}",
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
