"""The book rule, case by case and against a naive model."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.books.naive import NaiveBook, levels_of
from virtufin_examples.books import Book, BookUntrueError, Diff, Outcome, Rule, Snapshot, State
from virtufin_examples.errors import InvalidInputError

SNAPSHOT = Snapshot(100, (("9.9", "1"), ("9.8", "2")), (("10.1", "3"), ("10.2", "4")))


def true_book(rule=Rule.SPOT):
    book = Book("BTCUSDT", rule)
    book.apply(Diff(99, 100, previous_id=98))
    book.take_snapshot(SNAPSHOT)
    return book


def test_a_book_is_built_from_buffer_snapshot_and_events():
    book = Book("BTCUSDT")
    assert book.apply(Diff(95, 98, (("9.9", "7"),))) is Outcome.BUFFERED
    assert book.apply(Diff(99, 102, (("9.9", "0"),), (("10.1", "5.5"),))) is Outcome.BUFFERED
    assert book.needs_snapshot
    assert book.take_snapshot(SNAPSHOT)
    assert (book.state, book.last_id) == (State.TRUE, 102)
    assert book.best_bid == (Decimal("9.8"), 2)
    assert book.best_ask == (Decimal("10.1"), Decimal("5.5"))
    assert book.apply(Diff(103, 103, (("9.85", "1"), ("1", "0")))) is Outcome.APPLIED
    assert [level.price for level in book.bids] == [Decimal("9.85"), Decimal("9.8")]
    assert [level.price for level in book.asks] == [Decimal("10.1"), Decimal("10.2")]


def test_a_snapshot_older_than_the_first_event_is_refused_and_another_is_wanted():
    book = Book("BTCUSDT")
    book.apply(Diff(102, 103))
    assert not book.take_snapshot(SNAPSHOT)
    assert book.needs_snapshot
    assert book.take_snapshot(Snapshot(103, (), ()))
    assert book.best_bid is None
    assert book.best_ask is None


def test_a_snapshot_before_any_event_waits_for_the_event_that_joins_on():
    book = Book("BTCUSDT")
    book.take_snapshot(SNAPSHOT)
    with pytest.raises(BookUntrueError, match="joins on"):
        _ = book.best_bid
    assert book.apply(Diff(99, 100)) is Outcome.OLD
    assert book.apply(Diff(101, 101)) is Outcome.APPLIED
    assert book.best_bid.size == 1
    book = Book("BTCUSDT")
    book.take_snapshot(SNAPSHOT)
    assert book.apply(Diff(102, 102)) is Outcome.GAP
    assert book.needs_snapshot


def test_after_a_gap_nothing_can_be_read_until_it_is_true_again():
    book = true_book()
    assert book.apply(Diff(102, 103)) is Outcome.GAP
    for read in (
        lambda: book.best_bid,
        lambda: book.best_ask,
        lambda: list(book.bids),
        lambda: list(book.asks),
        lambda: book.last_id,
    ):
        with pytest.raises(BookUntrueError, match="between 100 and 102"):
            read()
    assert book.gaps == 1
    assert book.take_snapshot(Snapshot(102, (("5", "1"),), ()))
    assert levels_of(book) == [{Decimal(5): 1}, {}]
    assert book.last_id == 103


def test_a_repeat_changes_nothing():
    book = true_book()
    book.apply(Diff(101, 105, (("9.9", "3"),)))
    assert book.apply(Diff(101, 105, (("9.9", "4"),))) is Outcome.OLD
    assert book.best_bid.size == 3


def test_a_doubted_book_needs_only_the_next_event():
    book = true_book()
    book.doubt("the connection was lost")
    with pytest.raises(BookUntrueError, match="connection was lost"):
        _ = book.best_bid
    assert book.apply(Diff(90, 100)) is Outcome.OLD
    assert book.state is State.DOUBTED
    assert book.apply(Diff(101, 101)) is Outcome.APPLIED
    assert book.best_bid.size == 1
    book.reset("asked for")
    assert book.needs_snapshot


def test_futures_follow_by_the_previous_id():
    book = Book("BTCUSDT", Rule.FUTURES)
    book.apply(Diff(80, 90, previous_id=70))
    book.apply(Diff(95, 110, (("9.9", "6"),), previous_id=90))
    assert book.take_snapshot(SNAPSHOT)
    assert book.best_bid.size == 6
    assert book.apply(Diff(200, 210, previous_id=110)) is Outcome.APPLIED
    assert book.apply(Diff(200, 210, previous_id=110)) is Outcome.OLD
    assert book.apply(Diff(211, 220, previous_id=209)) is Outcome.GAP


def test_futures_do_not_trust_a_snapshot_without_the_event_around_it():
    book = Book("BTCUSDT", Rule.FUTURES)
    book.apply(Diff(80, 90, previous_id=70))
    book.take_snapshot(SNAPSHOT)
    assert book.state is State.PENDING
    assert book.apply(Diff(101, 110, previous_id=90)) is Outcome.GAP  # 100 does not lie within


def test_a_hole_in_the_buffer_makes_what_was_before_it_useless():
    book = Book("BTCUSDT")
    book.apply(Diff(1, 5, (("9.9", "7"),)))
    book.apply(Diff(101, 102))
    assert book.take_snapshot(SNAPSHOT)
    assert book.best_bid.size == 1


def test_the_buffer_is_bounded():
    book = Book("BTCUSDT", most_buffered=3)
    for number in range(1, 6):
        book.apply(Diff(number, number))
    assert not book.take_snapshot(Snapshot(1, (), ()))
    assert book.take_snapshot(Snapshot(2, (), ()))
    assert book.last_id == 5


@pytest.mark.parametrize(
    "text", ["", ".", "-1", "+1", "1e5", "nan", " 1", "1_0", "\u0661", "1.2.3", "9" * 41]
)
def test_what_is_no_decimal_is_refused(text):
    book = true_book()
    with pytest.raises(InvalidInputError, match="no decimal"):
        book.apply(Diff(101, 101, ((text, "1"),)))
    assert book.needs_snapshot
    with pytest.raises(InvalidInputError):
        book.take_snapshot(Snapshot(1, ((text, "1"),), ()))
    assert book.needs_snapshot
    with pytest.raises(InvalidInputError, match="from 5 to 4"):
        book.apply(Diff(5, 4))


def test_the_scale_grows_with_the_finest_number_and_stays_exact():
    book = true_book()
    book.apply(Diff(101, 101, (("9.90", "1.50"), ("0.000000000000000001", "0.00000001"))))
    assert levels_of(book)[0] == {
        Decimal("9.9"): Decimal("1.5"),
        Decimal("9.8"): Decimal(2),
        Decimal("1e-18"): Decimal("1e-8"),
    }
    with pytest.raises(InvalidInputError, match="more than 18 decimals"):
        book.apply(Diff(102, 102, (("0." + "0" * 18 + "1", "1"),)))


PRICES = st.sampled_from(["1", "1.0", "1.5", "2.25", "2.250", "3.00000001", "10"])
SIZES = st.sampled_from(["0", "0.000", "1", "1.5", "20.125"])
LEVELS = st.lists(st.tuples(PRICES, SIZES), max_size=4).map(tuple)


@st.composite
def feeds(draw):
    """Events of a feed, some repeated, some left out, and where the snapshot comes from."""
    futures = draw(st.booleans())
    events, last = [], draw(st.integers(1, 5))
    for _ in range(draw(st.integers(0, 12))):
        first = last + 1 + (draw(st.integers(0, 3)) if futures else 0)
        end = first + draw(st.integers(0, 3))
        events.append((first, end, last, draw(LEVELS), draw(LEVELS)))
        last = end
    fed = []
    for event in events:
        kind = draw(st.sampled_from(["one"] * 12 + ["repeat", "lost"]))
        fed += [event] * {"one": 1, "repeat": 2, "lost": 0}[kind]
    snapshot = (draw(st.integers(0, last + 2)), draw(LEVELS), draw(LEVELS))
    return futures, fed, draw(st.integers(0, len(fed))), snapshot


@given(feeds())
def test_it_is_the_naive_book_or_refuses(feed):
    futures, events, at, snapshot = feed
    book, naive = Book("X", Rule.FUTURES if futures else Rule.SPOT), NaiveBook(futures)
    restarted = False
    for index in range(len(events) + 1):
        if index == at:
            if book.take_snapshot(Snapshot(*snapshot)):
                naive.snapshot = snapshot
            else:
                naive.snapshot = snapshot
                assert naive.levels() is None
                naive.snapshot = None
        if index < len(events):
            first, last, previous, bids, asks = events[index]
            restarted |= book.apply(Diff(first, last, bids, asks, previous)) is Outcome.GAP
            naive.events.append(events[index])
        if book.state is State.TRUE:
            assert not restarted
            assert levels_of(book) == naive.levels()
        elif naive.snapshot is not None:
            assert restarted or naive.levels() is None
