"""When a connection's venue is open, and how long its silence is normal. Pure."""

from __future__ import annotations

from virtufin_examples.client._feed_facts import QUIET_SECONDS
from virtufin_examples.client._replies import ConnectionInfo
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues._market_hours import (
    ALWAYS_OPEN,
    US_OPTIONS,
    US_STOCKS,
    US_STOCKS_IEX,
    US_STOCKS_OVERNIGHT,
    US_STOCKS_REGULAR,
    Market,
)
from virtufin_examples.venues.alpaca import endpoint_of

_ALPACA_MARKETS = {
    "v2/sip": US_STOCKS,
    "v2/iex": US_STOCKS_IEX,
    "v2/delayed_sip": US_STOCKS,
    "v1beta1/boats": US_STOCKS_OVERNIGHT,
    "v1beta1/overnight": US_STOCKS_OVERNIGHT,
    "v1beta1/indicative": US_OPTIONS,
    "v1beta1/opra": US_OPTIONS,
}
_SILENT_AT_TIMES = frozenset({"v1beta1/news", "stream", "v1beta1/boats", "v1beta1/overnight"})
_ROUND_THE_CLOCK = frozenset({"binance"})  # connectors of crypto venues


def market_of(connection: ConnectionInfo) -> Market | None:
    """Return the market behind a connection; None where its hours are not known."""
    if connection.simulated or connection.connector in _ROUND_THE_CLOCK:
        return ALWAYS_OPEN
    path = _alpaca_path(connection)
    return _ALPACA_MARKETS.get(path, ALWAYS_OPEN) if path else None


def quiet_seconds(connection: ConnectionInfo, now_ns: int) -> float | None:
    """Return the longest normal silence; None where silence is normal, as outside a regular session."""
    path = _alpaca_path(connection)
    if path in _SILENT_AT_TIMES:
        return None
    if path in _ALPACA_MARKETS and not connection.simulated:
        regular = US_STOCKS_REGULAR.state(now_ns)
        return QUIET_SECONDS if regular is not None and regular.is_open else None
    return QUIET_SECONDS


def _alpaca_path(connection: ConnectionInfo) -> str:
    if connection.connector != "alpaca":
        return ""
    try:
        return endpoint_of(connection.url).path
    except InvalidInputError:  # an endpoint that this version does not know
        return ""
