"""Alpaca's connector: the client half of the protocol."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from urllib.parse import urlsplit

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import Disposition, Refused, Session
from virtufin_examples.venues.alpaca._codec import MSGPACK_CONTENT_TYPE
from virtufin_examples.venues.alpaca._endpoints import Kind, endpoint_of
from virtufin_examples.venues.alpaca._market_session import MarketSession
from virtufin_examples.venues.alpaca._trading_session import TradingSession

_DATA_HOSTS = frozenset({"stream.data.alpaca.markets", "stream.data.sandbox.alpaca.markets"})
_TRADING_HOSTS = frozenset({"api.alpaca.markets", "paper-api.alpaca.markets"})
_TOO_MANY_SECONDS = 5.0  # Alpaca names no time with its 429; users report that a few seconds are enough
_HTTP_TOO_MANY = 429
_HTTP_UNAUTHORIZED = 401
_HTTP_FORBIDDEN = 403
_HTTP_NOT_FOUND = 404
_HTTP_UNAVAILABLE = 503


class AlpacaConnector:
    """Claims Alpaca's hosts and reads its streams. A simulator is used by naming the connector."""

    name = "alpaca"

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
        wait_seconds = _retry_after(headers)
        if status == _HTTP_TOO_MANY:
            wait_seconds = _TOO_MANY_SECONDS if wait_seconds is None else wait_seconds
            return Refused(status, f"{reason}: too many connection attempts", Disposition.WAIT, wait_seconds)
        if status == _HTTP_UNAVAILABLE and wait_seconds is not None:
            return Refused(status, reason, Disposition.WAIT, wait_seconds)
        return Refused(status, reason, Disposition.RETRY)

    def upgrade_headers(self, url: str) -> dict[str, str]:
        """Headers that a stream needs at the upgrade: the option streams speak msgpack only."""
        return {"Content-Type": MSGPACK_CONTENT_TYPE} if endpoint_of(url).msgpack_only else {}

    def session(self, url: str, options: Mapping[str, str]) -> Session:
        """Return a fresh session; `InvalidInputError` for an unknown endpoint and for any option."""
        if options:
            name = next(iter(options))
            raise InvalidInputError(
                f'options: connector "alpaca" has no option "{name}"', hint="leave options empty"
            )
        endpoint = endpoint_of(url)
        return TradingSession() if endpoint.kind is Kind.TRADING else MarketSession(endpoint)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait; a date is taken against the answer's own Date, so that no clock is needed."""
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    value = lower.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
        return max(0.0, (until - email.utils.parsedate_to_datetime(lower.get("date", ""))).total_seconds())
    except (TypeError, ValueError):
        return None
