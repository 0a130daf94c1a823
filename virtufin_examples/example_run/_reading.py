"""Frames of a venue read for people: what a line or a row shows of each message. Pure."""

from __future__ import annotations

from typing import Protocol

import msgspec

from virtufin_examples.books import Book, BookUntrueError
from virtufin_examples.client import FeedSettings
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca import FrameItem, OrderBook, parse_frame
from virtufin_examples.venues.binance import (
    AggTrade,
    BinanceConnector,
    BookTicker,
    DepthUpdate,
    Market,
    Trade,
    diff_of,
    parse_stream,
    read_event,
    read_snapshot,
    rule_of,
)

_SHOWN_BYTES = 80


class Reader(Protocol):
    """Reads the frames of one feed; it keeps the books that changes belong to."""

    def read(self, data: bytes) -> list[FrameItem]:
        """Return a frame's messages, books with the best of the whole book; `InvalidInputError`."""

    def doubt(self, symbol: str) -> None:
        """Frames of a symbol may be missing."""

    def wants_snapshots(self) -> tuple[str, ...]:
        """The symbols whose book cannot be told without one."""

    def take_snapshot(self, symbol: str, body: bytes) -> None:
        """Take one, as the venue's HTTP answer."""


class AlpacaReader:
    """Alpaca sends whole books by itself."""

    def __init__(self) -> None:
        self._books: dict[str, OrderBook] = {}

    def read(self, data: bytes) -> list[FrameItem]:
        """Read a frame."""
        return [self._whole(item) for item in parse_frame(data)]

    def doubt(self, symbol: str) -> None:
        """Nothing: after a break whole books come."""

    def wants_snapshots(self) -> tuple[str, ...]:
        """None."""
        return ()

    def take_snapshot(self, symbol: str, body: bytes) -> None:
        """Never asked for."""

    def _whole(self, item: FrameItem) -> FrameItem:
        if item.type != "o" or not item.symbol:
            return item
        book = self._books.setdefault(item.symbol, OrderBook(item.symbol))
        book.apply(item.raw)
        bid, ask = book.best_bid, book.best_ask
        return FrameItem(
            item.type,
            item.symbol,
            item.raw,
            bid=float(bid.price) if bid else None,
            ask=float(ask.price) if ask else None,
        )


class BinanceReader:
    """Binance sends changes: a book is true once its snapshot is there, and no longer after a hole."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._books: dict[str, Book] = {}

    def read(self, data: bytes) -> list[FrameItem]:
        """Read a frame; answers to requests have no symbol."""
        event = read_event(data)
        match event.message:
            case DepthUpdate() as depth:
                return [self._changed(depth)]
            case Trade() | AggTrade() as trade:
                return [FrameItem(_kind(trade), trade.s, {}, price=float(trade.p), size=float(trade.q))]
            case BookTicker() as ticker:
                return [FrameItem("bookTicker", ticker.s, {}, bid=float(ticker.b), ask=float(ticker.a))]
            case None:
                text = data[:_SHOWN_BYTES].decode("utf-8", "replace")
                return [FrameItem("answer", parse_stream(event.stream).symbol, {}, text=text)]
            case other:
                symbol = parse_stream(event.stream).symbol or str(getattr(other, "s", ""))
                return [FrameItem(type(other).__name__, symbol, {})]

    def doubt(self, symbol: str) -> None:
        """Refuse to tell the book until the next change shows that nothing is missing."""
        if symbol in self._books:
            self._books[symbol].doubt("frames may be missing")

    def wants_snapshots(self) -> tuple[str, ...]:
        """The books that have none yet, or had a hole."""
        return tuple(symbol for symbol, book in self._books.items() if book.needs_snapshot)

    def take_snapshot(self, symbol: str, body: bytes) -> None:
        """Take a snapshot; one that is too old is asked for again."""
        if symbol in self._books:
            self._books[symbol].take_snapshot(read_snapshot(body))

    def _changed(self, depth: DepthUpdate) -> FrameItem:
        book = self._books.get(depth.s)
        if book is None:
            book = self._books[depth.s] = Book(depth.s, rule=rule_of(self._market))
        book.apply(diff_of(depth))
        try:
            bid, ask = book.best_bid, book.best_ask
        except BookUntrueError:
            return FrameItem(_kind(depth), depth.s, {}, text=f"u={depth.u}")
        return FrameItem(
            _kind(depth),
            depth.s,
            {},
            bid=float(bid.price) if bid else None,
            ask=float(ask.price) if ask else None,
        )


def _kind(message: msgspec.Struct) -> str:
    """The name of a message as it stands on the wire."""
    return str(message.__struct_config__.tag)


def reader_for(settings: FeedSettings) -> Reader:
    """Return the reader of a feed's frames."""
    if settings.venue.name == "binance":
        return BinanceReader(BinanceConnector().session(settings.url, settings.options).market)
    return AlpacaReader()


def is_two_sided(settings: FeedSettings) -> bool:
    """Return whether a channel has bids and asks."""
    return settings.channel.startswith(("orderbooks", "quotes", "depth", "bookTicker"))


def unreadable(error: InvalidInputError) -> FrameItem:
    """Return the one message of a frame that cannot be read."""
    return FrameItem("?", "", {}, text=error.message)
