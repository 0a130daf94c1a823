"""Where the Binance simulator's events come from: made up from a seed, or a recording played again. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from typing import Protocol

from virtufin_examples.simulators._binance_recording import BinanceRecording
from virtufin_examples.simulators._binance_symbol import BinanceSymbol, is_symbol
from virtufin_examples.simulators._pacer import Pacer
from virtufin_examples.venues.binance import (
    Market,
    encode,
    parse_stream,
    split_frame,
)

Event = tuple[str, bytes]  # stream, encoded

_UNIVERSE = ("BNBUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
_PARTIAL = re.compile(r"depth(5|10|20)(@\d+ms)?")
_KLINE = re.compile(r"kline_(\d+[smhdwM])")
# How often a channel comes by, against the others that are subscribed to.
_WEIGHTS: dict[str, int] = {"depth": 4, "bookTicker": 4, "trade": 2, "aggTrade": 2}


class Source(Protocol):
    """Gives the events that are due."""

    def follow(self, streams: Iterable[str]) -> None:
        """Somebody wants these streams, and nobody wants others."""

    def first(self, stream: str, now_ms: int) -> bytes | None:
        """Return an event to send at once to everybody who wants a stream that has just been asked for."""

    def due(self, now: float, now_ms: int) -> list[Event]:
        """Take the events that are due; `now` is seconds on a steady clock."""

    def restart(self, now: float) -> None:
        """Forget what became due during a pause."""

    def snapshot(self, symbol: str, levels: int) -> bytes | None:
        """Return a book, None for a symbol that is not traded."""

    def symbols(self) -> tuple[str, ...]:
        """Return the symbols that are known by now."""

    def trades(self, symbol: str) -> bool:
        """Return whether there is such a symbol."""


class GeneratedSource:
    """A seeded market at a rate. A symbol draws from the seed, the market and its name only."""

    def __init__(self, market: Market, seed: int, rate: float, now: float = 0.0) -> None:
        self._market = market
        self._seed = seed
        self._rate = rate
        self._pacer = Pacer(rate, now)
        self._symbols: dict[str, BinanceSymbol] = {}
        self._rotation: list[str] = []
        self._next = 0

    def follow(self, streams: Iterable[str]) -> None:
        """Work out anew what there is to send."""
        wanted = sorted(name for name in streams if self._has(name))
        tracked: dict[str, list[str]] = {symbol: [] for symbol in self._symbols}
        for stream in map(parse_stream, wanted):
            if stream.channel.startswith("depth"):
                tracked.setdefault(stream.symbol, []).append(stream.channel)
        for symbol, channels in tracked.items():
            self._symbol(symbol).follow(channels)
        rounds = max(_WEIGHTS.values())
        self._rotation = [
            name
            for turn in range(rounds)
            for name in wanted
            if turn < _WEIGHTS.get(parse_stream(name).channel.partition("@")[0], 1)
        ]
        self._next = 0

    def first(self, stream: str, now_ms: int) -> bytes | None:
        """Return an event of a stream that can have one."""
        return self._event(stream, now_ms) if self._rate > 0 and self._has(stream) else None

    def due(self, now: float, now_ms: int) -> list[Event]:
        """Take as many events as the rate gives, turn by turn over all streams."""
        count = self._pacer.due(now) if self._rotation else 0
        events: list[Event] = []
        for _ in range(count):
            stream = self._rotation[self._next % len(self._rotation)]
            self._next += 1
            events.append((stream, self._event(stream, now_ms)))
        return events

    def restart(self, now: float) -> None:
        """Forget what became due."""
        self._pacer.restart(now)

    def snapshot(self, symbol: str, levels: int) -> bytes | None:
        """Return a symbol's book; any symbol that could be traded is."""
        return encode(self._symbol(symbol).snapshot(levels)) if is_symbol(symbol) else None

    def symbols(self) -> tuple[str, ...]:
        """Return what was asked for and the few that stand for all."""
        return tuple(sorted({*self._symbols, *_UNIVERSE}))

    def trades(self, symbol: str) -> bool:
        """Return whether the quote is one that is known."""
        return is_symbol(symbol)

    def _has(self, name: str) -> bool:
        stream = parse_stream(name)
        if not stream.symbol:
            return name in {"!miniTicker@arr", "!ticker@arr", "!bookTicker"}
        known = stream.channel in {"trade", "aggTrade", "bookTicker", "miniTicker", "ticker"}
        return is_symbol(stream.symbol) and (known or stream.channel.startswith(("depth", "kline_")))

    def _symbol(self, symbol: str) -> BinanceSymbol:
        found = self._symbols.get(symbol)
        if found is None:
            rng = random.Random(f"{self._seed}/{self._market}/{symbol}")  # noqa: S311 - repeatable data, no secret
            found = self._symbols[symbol] = BinanceSymbol(symbol, self._market, rng)
        return found

    def _event(self, name: str, now_ms: int) -> bytes:
        stream = parse_stream(name)
        if not stream.symbol:
            return self._of_all(name, now_ms)
        symbol, channel = self._symbol(stream.symbol), stream.channel
        partial, kline = _PARTIAL.fullmatch(channel), _KLINE.fullmatch(channel)
        if partial is not None:
            return encode(symbol.partial_depth(channel, int(partial[1]), now_ms))
        if kline is not None:
            return encode(symbol.kline(kline[1], now_ms))
        if channel.startswith("depth"):
            return encode(symbol.depth(channel, now_ms))
        makers = {
            "trade": symbol.trade,
            "aggTrade": symbol.agg_trade,
            "bookTicker": symbol.book_ticker,
            "miniTicker": symbol.mini_ticker,
            "ticker": symbol.ticker,
        }
        return encode(makers[channel](now_ms))

    def _of_all(self, name: str, now_ms: int) -> bytes:
        symbols = [self._symbol(symbol) for symbol in _UNIVERSE]
        if name == "!bookTicker":
            return encode(symbols[self._next % len(symbols)].book_ticker(now_ms))
        if name == "!ticker@arr":
            return encode([symbol.ticker(now_ms) for symbol in symbols])
        return encode([symbol.mini_ticker(now_ms) for symbol in symbols])


class RecordedSource:
    """A recording played once, from the first subscription on, `speed` times as fast (0: at once)."""

    def __init__(self, recording: BinanceRecording, speed: float = 1.0) -> None:
        self._speed = speed
        self._events = [(frame.at, *split_frame(frame.data)) for frame in recording.frames]
        self._raw_stream = parse_url_stream(recording.url)
        self._snapshots = {snapshot.symbol: snapshot.body for snapshot in recording.snapshots}
        self._started = recording.started
        self._began: float | None = None
        self._pending = False
        self._next = 0

    def follow(self, streams: Iterable[str]) -> None:
        """Start with the first stream that anybody asks for."""
        self._pending = self._pending or bool(list(streams))

    def first(self, stream: str, now_ms: int) -> bytes | None:  # noqa: ARG002 - the source's signature
        """Return None: what was recorded comes in its time."""
        return None

    def due(self, now: float, now_ms: int) -> list[Event]:  # noqa: ARG002 - the source's signature
        """Take the frames whose time has come."""
        if not self._pending:
            return []
        if self._began is None:
            self._began = now
        until = (now - self._began) * self._speed + self._started if self._speed > 0 else float("inf")
        events: list[Event] = []
        while self._next < len(self._events) and self._events[self._next][0] <= until:
            _, stream, data = self._events[self._next]
            events.append((stream or self._raw_stream, data))
            self._next += 1
        return events

    def restart(self, now: float) -> None:
        """Go on where it stood."""
        if self._began is not None and self._speed > 0 and self._next < len(self._events):
            self._began = now - (self._events[self._next][0] - self._started) / self._speed

    def snapshot(self, symbol: str, levels: int) -> bytes | None:  # noqa: ARG002 - recorded with its own levels
        """Return the recorded snapshot, verbatim."""
        return self._snapshots.get(symbol)

    def symbols(self) -> tuple[str, ...]:
        """Return the symbols with a snapshot."""
        return tuple(sorted(self._snapshots))

    def trades(self, symbol: str) -> bool:
        """Return whether it was recorded."""
        return symbol in self._snapshots


def parse_url_stream(url: str) -> str:
    """Return the stream of a raw socket's URL: its frames do not name it."""
    return url.rpartition("/ws/")[2] if "/ws/" in url else ""
