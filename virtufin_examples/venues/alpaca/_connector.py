"""Alpaca's connector: the client half of the protocol."""

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
    Session,
    VenueLimits,
    retry_after_seconds,
)
from virtufin_examples.venues.alpaca._codes import ERROR_CODES
from virtufin_examples.venues.alpaca._endpoints import ENDPOINTS, Endpoint, Kind, endpoint_of
from virtufin_examples.venues.alpaca._limits import PLANS, allowed_symbols
from virtufin_examples.venues.alpaca._market_session import MarketSession
from virtufin_examples.venues.alpaca._trading_session import TradingSession

_DATA_HOSTS = frozenset({"stream.data.alpaca.markets", "stream.data.sandbox.alpaca.markets"})
_TRADING_HOSTS = frozenset({"api.alpaca.markets", "paper-api.alpaca.markets"})
_TOO_MANY_SECONDS = 5.0  # Alpaca names no time with its 429; users report that a few seconds are enough
_REQUESTS = Budget(100, 60.0)  # the free plan has 200 a minute; the rest is the user's own
_MAX_SOCKETS = 10  # of the largest broker plans
_HTTP_TOO_MANY = 429
_HTTP_UNAUTHORIZED = 401
_HTTP_FORBIDDEN = 403
_HTTP_NOT_FOUND = 404
_HTTP_UNAVAILABLE = 503


def _carries(endpoint: Endpoint) -> str:
    notes = [f"symbol {', '.join(endpoint.symbols)} only"] if endpoint.symbols else []
    notes += ["msgpack"] if endpoint.msgpack_only else []
    return ", ".join([endpoint.kind.value, *notes])


class AlpacaConnector(Connector):
    """Claims Alpaca's hosts and reads its streams. A simulator is used by naming the connector."""

    name = "alpaca"
    description = "Alpaca: stocks, crypto, options, news, test and trading streams"
    own_options = (
        Option(
            "plan", f"{' or '.join(PLANS)}: its number of symbols is kept here, before a 405", "not known"
        ),
        Option("backfill", "on: after a gap, fetch missed trades and bars over REST, marked backfill", "off"),
        Option("rest_url", "where to fetch them", "Alpaca's for its hosts, else the URL's own host"),
        Option("sockets", "connections that the account may have at an endpoint", "1"),
    )
    claimed = (
        *(
            Claim(f"wss://stream.data.alpaca.markets/{endpoint.path}", _carries(endpoint))
            for endpoint in ENDPOINTS.values()
            if endpoint.kind is not Kind.TRADING
        ),
        Claim("wss://stream.data.sandbox.alpaca.markets/v2/iex", "the sandbox: the same paths"),
        Claim("wss://paper-api.alpaca.markets/stream", "orders, paper"),
        Claim("wss://api.alpaca.markets/stream", "orders, live"),
    )
    handshake = (
        "auth within 10 s, then subscribe or listen. Each message is answered; the answer to a subscribe is "
        "the whole set, which is compared with what is wanted."
    )
    errors = tuple(
        ErrorRule(str(entry.code), entry.message, entry.disposition, entry.wait_seconds)
        for entry in ERROR_CODES.values()
    )

    def claims(self, url: str) -> bool:
        """Whether a URL is one of Alpaca's streams; the trading hosts serve REST as well."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        return host in _DATA_HOSTS or (host in _TRADING_HOSTS and parts.path.strip("/") == "stream")

    def upgrade_refused(self, status: int, headers: Mapping[str, str]) -> Refused:
        """Sort an HTTP answer other than 101. Retry-After is honoured, in seconds or as a date."""
        reason = f"HTTP {status}"
        if status in {_HTTP_UNAUTHORIZED, _HTTP_FORBIDDEN}:
            return Refused(status, f"{reason}: the keys were refused", Disposition.PERMANENT)
        if status == _HTTP_NOT_FOUND:
            return Refused(status, f"{reason}: no such stream", Disposition.PERMANENT)
        wait_seconds = retry_after_seconds(headers)
        if status == _HTTP_TOO_MANY:
            wait_seconds = _TOO_MANY_SECONDS if wait_seconds is None else wait_seconds
            return Refused(status, f"{reason}: too many connection attempts", Disposition.WAIT, wait_seconds)
        if status == _HTTP_UNAVAILABLE and wait_seconds is not None:
            return Refused(status, reason, Disposition.WAIT, wait_seconds)
        return Refused(status, reason, Disposition.RETRY)

    def session(self, url: str, options: Mapping[str, str]) -> Session:
        """Return a fresh session; `InvalidInputError` for an unknown endpoint and for an unknown option."""
        self.check_options(options)
        endpoint = endpoint_of(url)
        if endpoint.kind is Kind.TRADING:
            return TradingSession(url, options)
        return MarketSession(endpoint, url, options)

    def limits(self, url: str, options: Mapping[str, str]) -> VenueLimits:
        """One socket an endpoint, which is what most plans allow: a second one ends with 406."""
        parts = urlsplit(url)
        endpoint = endpoint_of(url)
        return VenueLimits(
            scope=f"{parts.netloc.rpartition('@')[2]}/{endpoint.path}",
            requests=_REQUESTS,
            sockets=_sockets(options.get("sockets", "1")),
            symbols=allowed_symbols(_plan(options["plan"]), endpoint.kind) if "plan" in options else None,
        )


def _plan(name: str) -> str:
    if name not in PLANS:
        raise InvalidInputError(f'options: plan is "{name}"', hint=f"one of {', '.join(PLANS)}")
    return name


def _sockets(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MAX_SOCKETS):
        raise InvalidInputError(f'options: sockets is "{text}"', hint=f"give 1 to {_MAX_SOCKETS}")
    return int(text)
