"""One symbol of the generated Binance market: a book with update ids, a price, trades. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

from virtufin_examples.simulators._instrument import Instrument
from virtufin_examples.simulators._ladder import LOTS_PER_UNIT, Ladder, Levels
from virtufin_examples.venues.binance import (
    AggTrade,
    BookTicker,
    DataMessage,
    DepthUpdate,
    Kline,
    KlineFields,
    Market,
    MiniTicker,
    PartialDepth,
    Ticker,
    Trade,
)

_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "EUR", "TRY", "BTC", "ETH", "BNB")
_DOLLARS = frozenset({"USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD"})
_NAME = re.compile(rf"(?P<base>[A-Z0-9]{{2,12}}?)(?P<quote>{'|'.join(_QUOTES)})")
_SIZE_DECIMALS = len(str(LOTS_PER_UNIT)) - 1
_SPOT_DECIMALS = 8  # spot writes all decimals to eight places, futures as many as the tick has
_LONGEST_JUMP = 40  # futures' update ids are of all symbols together, so that a symbol's jump
_MOST_STEPS = 3  # changes of the book in one depth event
_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_592_000}


def is_symbol(symbol: str) -> bool:
    """Whether a symbol is traded here: any base against a known quote, in upper case."""
    return _NAME.fullmatch(symbol) is not None


class _Track:
    """One depth stream: what has changed since its last event."""

    def __init__(self, last_id: int) -> None:
        self.last_id = last_id
        self.bids: set[int] = set()
        self.asks: set[int] = set()


class BinanceSymbol:
    """Draws everything from one generator of its own, so that no other symbol changes it."""

    def __init__(self, symbol: str, market: Market, rng: random.Random) -> None:
        match = _NAME.fullmatch(symbol)
        if match is None:
            raise ValueError(f"{symbol} is not traded here")
        quote = "USD" if match["quote"] in _DOLLARS else match["quote"]
        self.symbol = symbol
        self._futures = market is Market.USD_M
        self._it = Instrument(f"{match['base']}/{quote}", rng)
        self._ladder = Ladder(rng, self._it.base_ticks)
        self._rng = rng
        self._tracks: dict[str, _Track] = {}
        self._trade_id = rng.randrange(1_000, 1_000_000)
        self._agg_id = rng.randrange(1_000, 1_000_000)
        self._agg_last = self._trade_id
        self.last_id = rng.randrange(1_000_000, 1_000_000_000)

    # --- books ---

    def follow(self, channels: Iterable[str]) -> None:
        """Keep track of these depth channels and of no others; a new one starts now."""
        self._tracks = {name: self._tracks.get(name) or _Track(self.last_id) for name in channels}

    def snapshot(self, levels: int) -> PartialDepth:
        """The book as it is."""
        bids, asks = self._ladder.best_first()
        return PartialDepth(self.last_id, self._levels(bids[:levels]), self._levels(asks[:levels]))

    def depth(self, channel: str, now_ms: int) -> DepthUpdate:
        """The next event of a depth channel that is followed: all that changed since its last one."""
        for _ in range(self._rng.randint(1, _MOST_STEPS)):
            self._step()
        track = self._tracks[channel]
        ladder = self._ladder
        event = self._update(
            track,
            self._levels([(price, ladder.bids.get(price, 0)) for price in sorted(track.bids, reverse=True)]),
            self._levels([(price, ladder.asks.get(price, 0)) for price in sorted(track.asks)]),
            now_ms,
        )
        track.bids.clear()
        track.asks.clear()
        return event

    def partial_depth(self, channel: str, levels: int, now_ms: int) -> DataMessage:
        """The best levels: a snapshot on spot, a depth event with whole sides on futures."""
        self._step()
        whole = self.snapshot(levels)
        if not self._futures:
            return whole
        return self._update(self._tracks[channel], whole.bids, whole.asks, now_ms)

    def book_ticker(self, now_ms: int) -> BookTicker:
        """The best bid and ask after another change."""
        self._step()
        (bid, bid_lots), (ask, ask_lots) = (side[0] for side in self._ladder.best_first())
        event, time = ("bookTicker", now_ms) if self._futures else (None, None)
        return BookTicker(
            self.last_id,
            self.symbol,
            self._price(bid),
            self._size(bid_lots),
            self._price(ask),
            self._size(ask_lots),
            event,
            time,
            time,
        )

    # --- trades and what is made of them ---

    def trade(self, now_ms: int) -> Trade:
        """The next trade."""
        self._trade_id += 1
        price, size = self._price(self._it.step()), self._size(self._rng.randint(1, 50_000))
        maker = self._rng.choice((True, False))
        return Trade(now_ms, self.symbol, self._trade_id, price, size, now_ms, maker, self._ignored())

    def agg_trade(self, now_ms: int) -> AggTrade:
        """The next order that took something."""
        self._agg_id += 1
        first, self._agg_last = self._agg_last + 1, self._agg_last + self._rng.randint(1, 3)
        price, size = self._price(self._it.step()), self._size(self._rng.randint(1, 50_000))
        return AggTrade(
            now_ms,
            self.symbol,
            self._agg_id,
            price,
            size,
            first,
            self._agg_last,
            now_ms,
            self._rng.choice((True, False)),
            self._ignored(),
        )

    def kline(self, interval: str, now_ms: int) -> Kline:
        """A candle as it is now; its trades are made up."""
        length = int(interval[:-1]) * _SECONDS[interval[-1]] * 1000
        start = now_ms // length * length
        steps = [self._it.step() for _ in range(4)]
        volume, count = self._rng.randint(1, 10_000_000), self._rng.randint(1, 500)
        opened, highest, lowest, last = steps[0], max(steps), min(steps), steps[-1]
        taken = self._size(volume // 2)
        fields = KlineFields(
            start,
            start + length - 1,
            self.symbol,
            interval,
            self._trade_id,
            self._trade_id + count - 1,
            self._price(opened),
            self._price(last),
            self._price(highest),
            self._price(lowest),
            self._size(volume),
            count,
            False,  # noqa: FBT003 - `x`: never complete
            self._size(volume),
            taken,
            taken,
        )
        return Kline(now_ms, self.symbol, fields)

    def mini_ticker(self, now_ms: int) -> MiniTicker:
        """The day in short."""
        close = self._day()
        it = self._it
        volume = self._size(it.day_volume)
        return MiniTicker(
            now_ms,
            self.symbol,
            self._price(close),
            self._price(it.open_ticks),
            self._price(it.high_ticks),
            self._price(it.low_ticks),
            volume,
            volume,
        )

    def ticker(self, now_ms: int) -> Ticker:
        """The day."""
        close = self._day()
        it = self._it
        change = close - it.open_ticks
        sign = "-" if change < 0 else ""
        volume = self._size(it.day_volume)
        return Ticker(
            now_ms,
            self.symbol,
            sign + self._price(abs(change)),
            f"{100 * change / it.open_ticks:.3f}",
            self._price((it.high_ticks + it.low_ticks) // 2),
            self._price(close),
            self._size(self._rng.randint(1, 50_000)),
            self._price(it.open_ticks),
            self._price(it.high_ticks),
            self._price(it.low_ticks),
            volume,
            volume,
            now_ms - _DAY_MS,
            now_ms,
            self._trade_id,
            self._trade_id + it.day_trades,
            it.day_trades,
        )

    # --- inside ---

    def _day(self) -> int:
        close = self._it.step()
        self._it.day_trades += 1
        self._it.day_volume += self._rng.randint(1, 50_000)
        return close

    def _step(self) -> None:
        bids, asks = self._ladder.update()
        self.last_id += self._rng.randint(1, _LONGEST_JUMP) if self._futures else len(bids) + len(asks)
        for track in self._tracks.values():
            track.bids.update(price for price, _ in bids)
            track.asks.update(price for price, _ in asks)

    def _update(
        self, track: _Track, bids: tuple[tuple[str, str], ...], asks: tuple[tuple[str, str], ...], now_ms: int
    ) -> DepthUpdate:
        previous, track.last_id = track.last_id, self.last_id
        time, before = (now_ms, previous) if self._futures else (None, None)
        return DepthUpdate(now_ms, self.symbol, previous + 1, self.last_id, bids, asks, time, before)

    def _ignored(self) -> bool | None:
        return None if self._futures else True

    def _levels(self, levels: Levels) -> tuple[tuple[str, str], ...]:
        return tuple((self._price(price), self._size(lots)) for price, lots in levels)

    def _price(self, ticks: int) -> str:
        return self._text(ticks, self._it.scale.decimals)

    def _size(self, lots: int) -> str:
        return self._text(lots, _SIZE_DECIMALS)

    def _text(self, count: int, decimals: int) -> str:
        whole, part = divmod(count, 10**decimals)
        text = f"{whole}.{part:0{decimals}d}"
        return text if self._futures else text + "0" * (_SPOT_DECIMALS - decimals)
