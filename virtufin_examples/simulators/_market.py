"""A seeded market: the messages of one endpoint. Pure: seed and time are arguments."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import TypeAlias

from virtufin_examples.simulators._book_source import BookSource
from virtufin_examples.simulators._instrument import Instrument
from virtufin_examples.simulators._orders import OrderSource
from virtufin_examples.venues.alpaca import (
    Bar,
    CancelError,
    Correction,
    CryptoQuote,
    CryptoTrade,
    DailyBar,
    DataMessage,
    Endpoint,
    Imbalance,
    Kind,
    Luld,
    News,
    OptionQuote,
    OptionTrade,
    Orderbook,
    Quote,
    Status,
    Timestamp,
    Trade,
    TradeUpdateMessage,
    UpdatedBar,
)

Emitted: TypeAlias = DataMessage | TradeUpdateMessage

_UNIVERSES: dict[Kind, tuple[str, ...]] = {
    Kind.STOCKS: ("AAPL", "AMZN", "GOOG", "META", "MSFT", "NVDA", "QQQ", "SPY", "TSLA"),
    Kind.CRYPTO: ("BTC/USD", "DOGE/USD", "ETH/USD", "LTC/USD", "SOL/USD"),
    Kind.OPTIONS: ("AAPL271217C00230000", "AAPL271217P00230000", "SPY271217C00600000"),
    Kind.NEWS: ("AAPL", "BTCUSD", "MSFT", "TSLA"),
    Kind.TRADING: ("AAPL", "BTC/USD", "MSFT", "TSLA"),
}
_EXCHANGES = ("V", "Q", "N", "P", "Z")
_TAPE = "C"
_CORRECTED = 0.02  # of the trades are corrected or taken back right after
_MINUTE_NS = 60_000_000_000
_DAY_NS = 24 * 60 * _MINUTE_NS
_LULD_BAND = 0.05
_STATUSES = (
    ("T", "Trading Resumption", "", ""),
    ("H", "Trading Halt", "T1", "Halt News Pending"),
    (
        "Q",
        "Quotation Resumption",
        "R4",
        "Qualifications Issues Reviewed/Resolved; Quotations/Trading to Resume",
    ),
)
_HEADLINES = (
    "{} shares move on heavy volume",
    "What to watch in {} today",
    "Analysts revise their view of {}",
    "{} announces a date for its results",
)


class Market:
    """Everything that one endpoint can send. Any symbol that is asked for exists.

    The same seed and the same calls give the same messages. A symbol's stream does not depend on which
    other symbols are asked for.
    """

    def __init__(self, endpoint: Endpoint, seed: int) -> None:
        self._endpoint = endpoint
        self._seed = seed
        self._instruments: dict[str, Instrument] = {}
        self._books: dict[str, BookSource] = {}
        self._orders = OrderSource(self._rng("orders"), _UNIVERSES[Kind.TRADING])
        self._news_id = 40_000_000
        self._now_ns = 0
        kinds: dict[Kind, dict[str, Callable[[str, int], tuple[Emitted, ...]]]] = {
            Kind.STOCKS: {
                "trades": self._trades,
                "quotes": self._quotes,
                "statuses": self._statuses,
                "lulds": self._lulds,
                "imbalances": self._imbalances,
                **self._bar_channels(),
            },
            Kind.CRYPTO: {
                "trades": self._crypto_trades,
                "quotes": self._crypto_quotes,
                "orderbooks": lambda symbol, now_ns: (self._book(symbol, now_ns).update(now_ns),),
                **self._bar_channels(),
            },
            Kind.OPTIONS: {"trades": self._option_trades, "quotes": self._option_quotes},
            Kind.NEWS: {"news": self._news},
            Kind.TRADING: {"trade_updates": lambda _, now_ns: (self._orders.next(now_ns),)},
        }
        self._emitters = kinds[endpoint.kind]

    @property
    def universe(self) -> tuple[str, ...]:
        """The symbols that `*` stands for."""
        return self._endpoint.symbols or _UNIVERSES[self._endpoint.kind]

    def has(self, symbol: str) -> bool:
        """Whether a symbol has data: all do, but for endpoints with symbols of their own."""
        return not self._endpoint.symbols or symbol in self._endpoint.symbols

    def emit(self, channel: str, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        """Return the next message of a channel; a trade may bring its correction or cancel along.

        Each call's time is later than the last one's, by a nanosecond at least, so that a time names one
        state of a book.
        """
        self._now_ns = max(now_ns, self._now_ns + 1)
        return self._emitters[channel](symbol, self._now_ns)

    def snapshot(self, symbol: str, now_ns: int) -> Orderbook:
        """Return a symbol's whole book as it is."""
        return self._book(symbol, now_ns).snapshot()

    def books(self) -> tuple[str, ...]:
        """The symbols that have a book by now."""
        return tuple(sorted(self._books))

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self._seed}/{self._endpoint.path}/{name}")  # noqa: S311 - repeatable data, no secret

    def _instrument(self, symbol: str) -> Instrument:
        instrument = self._instruments.get(symbol)
        if instrument is None:
            instrument = self._instruments[symbol] = Instrument(symbol, self._rng(symbol))
        return instrument

    def _book(self, symbol: str, now_ns: int) -> BookSource:
        book = self._books.get(symbol)
        if book is None:
            base = self._instrument(symbol)
            rng = self._rng(f"book/{symbol}")
            book = self._books[symbol] = BookSource(symbol, rng, base.base_ticks, base.scale, now_ns)
        return book

    def _trades(self, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        it = self._instrument(symbol)
        now = Timestamp(now_ns)
        price = it.scale.price(it.step())
        size = it.rng.randrange(1, 500)
        it.day_volume += size
        it.day_trades += 1
        venue = it.rng.choice(_EXCHANGES)
        trade = Trade(symbol, it.next_id(), venue, price, size, ("@",), now, _TAPE)
        draw = it.rng.random()
        if draw > _CORRECTED:
            return (trade,)
        if draw > _CORRECTED / 2:
            action = it.rng.choice("CE")
            return trade, CancelError(symbol, trade.i, venue, price, size, action, now, _TAPE)
        better = it.scale.price(it.ticks + 1)
        corrected = Correction(
            symbol, venue, trade.i, price, size, ("@",), it.next_id(), better, size, ("@",), now, _TAPE
        )
        return trade, corrected

    def _quotes(self, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        it = self._instrument(symbol)
        middle = it.step()
        bid, ask = it.scale.price(middle - it.spread()), it.scale.price(middle + it.spread())
        bid_venue, ask_venue = it.rng.choice(_EXCHANGES), it.rng.choice(_EXCHANGES)
        bid_size, ask_size = it.rng.randrange(1, 40), it.rng.randrange(1, 40)
        now = Timestamp(now_ns)
        return (Quote(symbol, bid_venue, bid, bid_size, ask_venue, ask, ask_size, ("R",), now, _TAPE),)

    def _bar_channels(self) -> dict[str, Callable[[str, int], tuple[Emitted, ...]]]:
        return {
            "bars": lambda symbol, now_ns: (self._bar(Bar, symbol, now_ns),),
            "updatedBars": lambda symbol, now_ns: (self._bar(UpdatedBar, symbol, now_ns),),
            "dailyBars": self._daily_bars,
        }

    def _bar(self, kind: type[Bar | UpdatedBar], symbol: str, now_ns: int) -> Emitted:
        """The minute that ended last, from a few steps of the price."""
        it = self._instrument(symbol)
        steps = [it.step() for _ in range(5)]
        count = it.rng.randrange(1, 200)
        volume = float(count * it.rng.randrange(1, 100))
        start = Timestamp((now_ns // _MINUTE_NS - 1) * _MINUTE_NS)
        price = it.scale.price
        mean = round(sum(steps) / len(steps))
        return kind(
            symbol,
            price(steps[0]),
            price(max(steps)),
            price(min(steps)),
            price(steps[-1]),
            volume,
            count,
            price(mean),
            start,
        )

    def _daily_bars(self, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        it = self._instrument(symbol)
        close = it.step()
        it.day_trades += 1
        it.day_volume += it.rng.randrange(1, 500)
        price = it.scale.price
        return (
            DailyBar(
                symbol,
                price(it.open_ticks),
                price(it.high_ticks),
                price(it.low_ticks),
                price(close),
                float(it.day_volume),
                it.day_trades,
                price((it.high_ticks + it.low_ticks) // 2),
                Timestamp(now_ns // _DAY_NS * _DAY_NS),
            ),
        )

    def _statuses(self, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        status = self._instrument(symbol).rng.choice(_STATUSES)
        return (Status(symbol, *status, Timestamp(now_ns), _TAPE),)

    def _lulds(self, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        it = self._instrument(symbol)
        middle = it.step()
        band = max(1, round(middle * _LULD_BAND))
        up, down = it.scale.price(middle + band), it.scale.price(middle - band)
        return (Luld(symbol, up, down, "B", Timestamp(now_ns), _TAPE),)

    def _imbalances(self, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        it = self._instrument(symbol)
        return (Imbalance(symbol, it.scale.price(it.step()), _TAPE, Timestamp(now_ns)),)

    def _crypto_trades(self, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        it = self._instrument(symbol)
        price = it.scale.price(it.step())
        size = it.rng.randrange(1, 20_000) / 10_000
        return (CryptoTrade(symbol, price, size, Timestamp(now_ns), it.next_id(), it.rng.choice("BS")),)

    def _crypto_quotes(self, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        it = self._instrument(symbol)
        middle = it.step()
        bid, ask = it.scale.price(middle - it.spread()), it.scale.price(middle + it.spread())
        bid_size, ask_size = it.rng.randrange(1, 20_000) / 10_000, it.rng.randrange(1, 20_000) / 10_000
        return (CryptoQuote(symbol, bid, bid_size, ask, ask_size, Timestamp(now_ns)),)

    def _option_trades(self, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        it = self._instrument(symbol)
        price, size = it.scale.price(it.step()), it.rng.randrange(1, 50)
        return (OptionTrade(symbol, Timestamp(now_ns), price, size, it.rng.choice("ACN"), "S"),)

    def _option_quotes(self, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        it = self._instrument(symbol)
        middle = it.step()
        bid, ask = it.scale.price(max(1, middle - it.spread())), it.scale.price(middle + it.spread())
        bid_size, ask_size = it.rng.randrange(1, 200), it.rng.randrange(1, 200)
        return (OptionQuote(symbol, Timestamp(now_ns), "C", bid, bid_size, "A", ask, ask_size, "A"),)

    def _news(self, symbol: str, now_ns: int) -> tuple[Emitted, ...]:
        it = self._instrument(symbol)
        self._news_id += it.rng.randrange(1, 20)
        other = it.rng.choice(self.universe)
        symbols = (symbol,) if other == symbol or it.rng.choice((True, False)) else (symbol, other)
        headline = it.rng.choice(_HEADLINES).format(symbol)
        now = Timestamp(now_ns)
        slug = uuid.UUID(int=it.rng.getrandbits(128), version=4)
        return (
            News(
                self._news_id,
                headline,
                f"{headline}, says a simulator.",
                "Simulated Author",
                now,
                now,
                f"https://news.example/{slug}",
                f"<p>{headline}, says a simulator.</p>",
                symbols,
                "simulator",
            ),
        )
