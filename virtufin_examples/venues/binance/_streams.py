"""Stream names: `btcusdt@depth@100ms`, `!ticker@arr`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.binance._endpoints import Endpoint, Market

KLINE_INTERVALS = (
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
)  # fmt: skip

_DEPTHS = ("depth", "depth5", "depth10", "depth20")
_SPOT = (
    "aggTrade",
    "trade",
    "bookTicker",
    "miniTicker",
    "ticker",
    "ticker_1h",
    "ticker_4h",
    "ticker_1d",
    "avgPrice",
    *(f"kline_{interval}" for interval in KLINE_INTERVALS),
    *_DEPTHS,
    *(f"{name}@100ms" for name in _DEPTHS),
)
_USD_M = (
    "aggTrade",
    "trade",
    "bookTicker",
    "miniTicker",
    "ticker",
    "markPrice",
    "markPrice@1s",
    "forceOrder",
    *(f"kline_{interval}" for interval in KLINE_INTERVALS if interval != "1s"),
    *_DEPTHS,
    *(f"{name}@{speed}" for name in _DEPTHS for speed in ("100ms", "500ms")),
)
CHANNELS: dict[Market, tuple[str, ...]] = {Market.SPOT: _SPOT, Market.US: _SPOT, Market.USD_M: _USD_M}
"""Channels of a symbol: what follows the first `@` of a stream name."""

ARRAYS = (
    "!miniTicker@arr",
    "!ticker@arr",
    "!bookTicker",
    "!ticker_1h@arr",
    "!ticker_4h@arr",
    "!ticker_1d@arr",
)
"""Streams of all symbols."""

_DIFF_DEPTH = re.compile(r"depth(@\d+ms)?")
_OF_PUBLIC = re.compile(r"depth.*|bookTicker|!bookTicker|rpiDepth.*")


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream name taken apart; `symbol` is in upper case, empty for a stream of all symbols."""

    symbol: str
    channel: str

    @property
    def is_diff_depth(self) -> bool:
        """Whether its events are the changes of a book."""
        return bool(self.symbol) and _DIFF_DEPTH.fullmatch(self.channel) is not None


def parse_stream(name: str) -> Stream:
    """Take a name apart. Nothing is checked: Binance has streams that we do not know."""
    if name.startswith("!"):
        return Stream("", name)
    symbol, _, channel = name.partition("@")
    return Stream(symbol.upper(), channel)


def stream_name(symbol: str, channel: str) -> str:
    """Return the name of a symbol's stream: the symbol in lower case, as Binance wants it."""
    return f"{symbol.lower()}@{channel}"


def check_channel(channel: str, market: Market = Market.SPOT) -> None:
    """Raise `InvalidInputError` for a channel that a market does not have."""
    known = CHANNELS[market]
    if channel not in known:
        near = difflib.get_close_matches(channel, known, n=1)
        hint = f'did you mean "{near[0]}"?' if near else "such as depth@100ms, trade, aggTrade, kline_1m"
        raise InvalidInputError(f'channel: Binance ({market}) has no channel "{channel}"', hint=hint)


def check_streams(names: Iterable[str]) -> None:
    """Raise `InvalidInputError` for a symbol in upper case: Binance takes it and sends nothing."""
    for name in names:
        symbol = name.partition("@")[0]
        if not name.startswith("!") and symbol != symbol.lower():
            raise InvalidInputError(
                f'streams: "{name}" has a symbol in upper case',
                hint=f'write "{name.replace(symbol, symbol.lower())}"',
            )


def is_carried(name: str, endpoint: Endpoint) -> bool:
    """Whether a stream is delivered on an endpoint at all.

    USD-M futures splits its streams over `/public` (books; also where no route is named) and `/market` (the
    rest). On the wrong path Binance takes the subscription and sends nothing.
    """
    if endpoint.market is not Market.USD_M or endpoint.route == "private":
        return True
    stream = parse_stream(name)
    if stream.channel == "trade":
        return True  # the documents do not say where it belongs
    public = _OF_PUBLIC.fullmatch(stream.channel) is not None
    return public == (endpoint.route != "market")
