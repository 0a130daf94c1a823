"""Books built from `o` messages."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca import BookLevel, Level, OrderBook, Orderbook, Timestamp


def message(bids=(), asks=(), *, full=False, symbol="BTC/USD"):
    value = {
        "T": "o",
        "S": symbol,
        "t": "2023-11-14T22:13:20Z",
        "b": [{"p": p, "s": s} for p, s in bids],
        "a": [{"p": p, "s": s} for p, s in asks],
    }
    return value | {"r": True} if full else value


def test_a_full_book_replaces_and_changes_apply():
    book = OrderBook("BTC/USD")
    assert book.best_bid is None
    assert book.best_ask is None
    book.apply(message([(1, 9)]))
    assert not book.complete
    book.apply(message([(100.1, 1), (100, 2)], [(100.2, 3)], full=True))
    assert book.complete
    assert book.best_bid == BookLevel(Decimal("100.1"), Decimal(1))
    assert [level.price for level in book.bids] == [Decimal("100.1"), Decimal(100)]
    book.apply(message([(100.1, 0)], [(100.15, 0.5)]))
    assert book.best_bid == BookLevel(Decimal(100), Decimal(2))
    assert book.best_ask == BookLevel(Decimal("100.15"), Decimal("0.5"))
    assert [level.price for level in book.asks] == [Decimal("100.15"), Decimal("100.2")]


def test_deleting_a_level_that_is_not_there_changes_nothing():
    book, other = OrderBook("BTC/USD"), OrderBook("BTC/USD")
    book.apply(message([(5, 0)]))
    assert book == other
    assert book != "BTC/USD"
    assert book != OrderBook("ETH/USD")
    assert "0 bids" in repr(book)


def test_prices_are_exact_whatever_their_spelling():
    book, other = OrderBook("BTC/USD"), OrderBook("BTC/USD")
    book.apply(message([(0.1, 1), (0.30000000000000004, 1)]))
    other.apply(message([(0.1, 1.0), (0.30000000000000004, 1)]))
    assert book == other
    assert [level.price for level in book.bids] == [Decimal("0.30000000000000004"), Decimal("0.1")]


@pytest.mark.parametrize(
    "wrong",
    [
        message(symbol="ETH/USD"),
        message() | {"T": "t"},
        message([("1", 1)]),
        message([(1, True)]),
        message() | {"b": {"p": 1}},
        message() | {"a": [1]},
    ],
)
def test_a_message_that_does_not_belong_here_changes_nothing(wrong):
    book, before = OrderBook("BTC/USD"), OrderBook("BTC/USD")
    for each in (book, before):
        each.apply(message([(1, 1)], full=True))
    with pytest.raises(InvalidInputError, match="orderbook"):
        book.apply(wrong)
    assert book == before


levels = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5)), max_size=6)


@given(st.lists(st.tuples(levels, levels, st.booleans()), max_size=12))
def test_structs_and_decoded_messages_agree_with_a_plain_model(updates):
    decoded, typed = OrderBook("X/USD"), OrderBook("X/USD")
    bids, asks = {}, {}
    for new_bids, new_asks, full in updates:
        decoded.apply(message(new_bids, new_asks, full=full, symbol="X/USD"))
        typed.apply(
            Orderbook(
                "X/USD",
                Timestamp(0),
                tuple(Level(float(p), float(s)) for p, s in new_bids),
                tuple(Level(float(p), float(s)) for p, s in new_asks),
                r=full,
            )
        )
        if full:
            bids, asks = {}, {}
        for side, changes in ((bids, new_bids), (asks, new_asks)):
            for price, size in changes:
                side.pop(price, None)
                if size:
                    side[price] = size
    assert decoded == typed
    assert {int(level.price): int(level.size) for level in decoded.bids} == bids
    assert (decoded.best_bid.price if decoded.best_bid else None) == max(bids, default=None)
    assert (decoded.best_ask.price if decoded.best_ask else None) == min(asks, default=None)
