"""The generated market, pure: the same seed, the same events; books by both rules."""

import itertools

import pytest

from tests.books.naive import levels_of
from virtufin_examples.books import Book, Diff, Outcome, State
from virtufin_examples.simulators._binance_recording import parse_recording
from virtufin_examples.simulators._binance_source import GeneratedSource, RecordedSource
from virtufin_examples.simulators._binance_symbol import is_symbol
from virtufin_examples.venues.binance import DepthUpdate, Market, diff_of, read_event, read_snapshot, rule_of

STREAMS = ["btcusdt@depth", "btcusdt@depth@100ms", "btcusdt@bookTicker", "ethusdt@trade"]


def events(source, count):
    """Each as it comes about."""
    due = (source.due(tick / 1000, 1_700_000_000_000 + tick) for tick in itertools.count(1))
    return itertools.islice(itertools.chain.from_iterable(due), count)


def test_a_seed_gives_the_same_events():
    def first(seed):
        source = GeneratedSource(Market.SPOT, seed, 1000)
        source.follow(STREAMS)
        return list(events(source, 300))

    assert first(1) == first(1)
    assert first(1) != first(2)


@pytest.mark.parametrize("market", [Market.SPOT, Market.USD_M])
def test_both_speeds_of_a_book_are_without_holes_and_end_in_the_same_book(market):
    source = GeneratedSource(market, 3, 1000)
    source.follow(STREAMS)
    books = {name: Book(name, rule_of(market)) for name in STREAMS[:2]}
    for stream, data in events(source, 500):
        message = read_event(data).message
        if isinstance(message, DepthUpdate):
            book = books[stream]
            assert book.apply(diff_of(message)) is not Outcome.GAP
            if book.needs_snapshot:
                book.take_snapshot(read_snapshot(source.snapshot("BTCUSDT", 5000)))
    assert all(book.state is State.TRUE for book in books.values())
    snapshot = read_snapshot(source.snapshot("BTCUSDT", 5000))
    own = Book("BTCUSDT")
    own.apply(Diff(snapshot.last_id, snapshot.last_id))
    own.take_snapshot(snapshot)
    for name, book in books.items():
        if book.last_id < snapshot.last_id:
            book.apply(diff_of(read_event(source.first(name, 0)).message))
            continue
        assert levels_of(book) == levels_of(own)


def test_only_what_can_be_traded_has_a_book():
    assert is_symbol("BTCUSDT")
    assert not is_symbol("btcusdt")
    assert not is_symbol("USDT")
    source = GeneratedSource(Market.SPOT, 1, 10)
    assert source.snapshot("NOPE", 5) is None
    assert source.first("nope@trade", 0) is None
    assert source.first("btcusdt@avgPrice", 0) is None


def test_a_recording_waits_for_a_subscriber_and_for_its_time():
    text = "wss://x/ws/a@trade <-> 100\n101: one\n102: two\n104: three"
    source = RecordedSource(parse_recording(text), 2.0)
    assert source.due(50, 0) == []
    source.follow(["a@trade"])
    assert source.due(60, 0) == []
    assert source.due(60.5, 0) == [("a@trade", b"one")]
    assert source.due(61.5, 0) == [("a@trade", b"two")]
    source.restart(100)  # after a pause the next one is due at once
    assert source.due(100, 0) == [("a@trade", b"three")]
    assert source.due(999, 0) == []
