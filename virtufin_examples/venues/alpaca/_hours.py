"""When a stream may be silent: outside its market's regular session, and where it is silent by nature."""

from __future__ import annotations

from urllib.parse import urlsplit

from virtufin_examples.venues._market_hours import ALWAYS_OPEN, US_OPTIONS, US_STOCKS_REGULAR
from virtufin_examples.venues.alpaca._endpoints import Endpoint, Kind

_SILENT_AT_TIMES = frozenset({"v1beta1/news", "v1beta1/boats", "v1beta1/overnight"})
_TEST_STREAM = "v2/test"
_DOMAIN = ".alpaca.markets"


class StreamHours:
    """The hours of one stream. Before and after the regular session the rate says little, so it is not used.

    What is served from elsewhere than Alpaca (a simulator) never closes.
    """

    def __init__(self, endpoint: Endpoint, url: str) -> None:
        self._market = ALWAYS_OPEN
        if (urlsplit(url).hostname or "").endswith(_DOMAIN) and endpoint.path != _TEST_STREAM:
            markets = {Kind.STOCKS: US_STOCKS_REGULAR, Kind.OPTIONS: US_OPTIONS}
            self._market = markets.get(endpoint.kind, ALWAYS_OPEN)
        self.quiet_seconds = 0.0 if endpoint.path in _SILENT_AT_TIMES else None
        self._is_open = False
        self._until_ns = -1

    def is_open(self, now_ns: int) -> bool:
        """Return whether silence means something; not where the calendar does not reach."""
        if now_ns >= self._until_ns:
            state = self._market.state(now_ns)
            self._is_open = state is not None and state.is_open
            changes_ns = state.changes_ns if state is not None else 0
            self._until_ns = changes_ns or now_ns + 3600 * 1_000_000_000
        return self._is_open
