"""Books rebuilt from what Binance sent, against the naive model; the scan against the parser."""

from decimal import Decimal

import pytest

from tests.books.naive import NaiveBook, levels_of
from virtufin_examples.books import Book, Outcome, State
from virtufin_examples.simulators import BinanceRecording
from virtufin_examples.venues.binance import DepthUpdate, diff_of, peek, read_event, read_snapshot

PAIRS = {
    "spot": {"NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"},
    "us": {"CRVUSDT", "COMPUSDT", "OMGBUSD", "ZRXUSDT"},
}
SITES = sorted(PAIRS)


@pytest.fixture(params=SITES)
def recording(request, folder):
    return request.param, BinanceRecording.load(folder / f"{request.param}.ws.txt")


def items(recording):
    """Frames and snapshots in order of time."""
    return sorted([*recording.frames, *recording.snapshots], key=lambda item: item.at)


def test_the_books_of_all_pairs_are_the_naive_ones_after_every_event(recording):
    site, recorded = recording
    books, naives, compared = {}, {}, dict.fromkeys(PAIRS[site], 0)

    def feed(symbol, item):
        book, naive = books[symbol], naives[symbol]
        if isinstance(item, DepthUpdate):
            naive.events.append((item.U, item.u, None, item.b, item.a))
            assert book.apply(diff_of(item)) is not Outcome.GAP
        else:
            snapshot = read_snapshot(item.body)
            naive.snapshot = (snapshot.last_id, snapshot.bids, snapshot.asks)
            assert book.take_snapshot(snapshot)
        expected = naive.levels()
        assert (expected is not None) == (book.state is State.TRUE)
        if expected is not None:
            assert levels_of(book) == expected
            assert book.best_bid.price == max(expected[0])
            assert book.best_ask.price == min(expected[1])
            assert book.best_bid.price < book.best_ask.price
            compared[symbol] += 1

    for symbol in PAIRS[site]:
        books[symbol], naives[symbol] = Book(symbol), NaiveBook()
    for item in items(recorded):
        if hasattr(item, "symbol"):
            feed(item.symbol, item)
        elif isinstance(message := read_event(item.data).message, DepthUpdate):
            feed(message.s, message)
    assert all(compared.values()), compared


def test_the_best_of_a_book_is_what_the_book_ticker_said(recording):
    """Where a ticker's update is the last of the book: exact, by the venue's own numbers."""
    site, recorded = recording
    tickers = {}
    for frame in recorded.frames:
        event = read_event(frame.data)
        if event.stream.endswith("@bookTicker"):
            tickers[event.message.s, event.message.u] = event.message
    books, matched = {symbol: Book(symbol) for symbol in PAIRS[site]}, 0
    for item in items(recorded):
        if hasattr(item, "symbol"):
            symbol = item.symbol
            books[symbol].take_snapshot(read_snapshot(item.body))
        elif isinstance(message := read_event(item.data).message, DepthUpdate):
            symbol = message.s
            books[symbol].apply(diff_of(message))
        else:
            continue
        book = books[symbol]
        ticker = tickers.get((symbol, book.last_id)) if book.state is State.TRUE else None
        if ticker is not None:
            matched += 1
            assert book.best_bid == (Decimal(ticker.b), Decimal(ticker.B))
            assert book.best_ask == (Decimal(ticker.a), Decimal(ticker.A))
    assert matched


def test_the_scan_finds_what_the_parser_finds(recording):
    _, recorded = recording
    last = {}
    for frame in recorded.frames:
        event = read_event(frame.data)
        (seen,) = peek(frame.data)
        assert seen.symbol == event.message.s
        assert f"{seen.symbol.lower()}@{seen.channel}" == event.stream
        if isinstance(event.message, DepthUpdate):
            assert (seen.first, seen.last) == (event.message.U, event.message.u)
            assert last.get(seen.symbol, seen.first - 1) == seen.first - 1
            last[seen.symbol] = seen.last
