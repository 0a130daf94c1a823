from __future__ import annotations

import msgspec
import pytest

from tests.example_run.samples import GAP, NOW, NUMBERED_GAP, SECOND, book, frame, trade
from virtufin_examples.example_run._market import Market


def test_book_keeps_its_best_over_updates() -> None:
    market = Market(("BTC/USD",))
    market.add(frame(1, book("BTC/USD", 100, 101.25, full=True)))
    (item,) = market.add(frame(2, book("BTC/USD", 99, 102)))
    assert (item.bid, item.ask) == (100, 101.25)
    (row,) = market.rows
    assert (row.bid, row.ask, row.frames, row.sequence) == (100, 101.25, 2, 2)
    assert (row.price(row.bid), row.price(None)) == ("100.00", "-")


def test_trade_is_the_last_price() -> None:
    market = Market(())
    market.add(frame(1, trade("AAPL", 10.5, 3), trade("AAPL", 11, 4), trade("MSFT", 1, 1)))
    rows = {row.symbol: row for row in market.rows}
    assert (rows["AAPL"].last, rows["AAPL"].size, rows["AAPL"].frames) == (11, 4, 1)
    assert list(rows) == ["AAPL", "MSFT"]


def test_wildcard_is_no_row() -> None:
    assert Market(("*",)).rows == ()


def test_frame_that_cannot_be_read_says_so() -> None:
    (item,) = Market(()).add(frame(1, data=b"\xc1"))
    assert item.type == "?"
    assert "neither JSON nor msgpack" in item.text


def test_gap_counts_for_its_symbols_or_for_all() -> None:
    market = Market(("BTC/USD", "ETH/USD"))
    market.add_gap(GAP)
    market.add_gap(NUMBERED_GAP)
    assert {row.symbol: row.gaps for row in market.rows} == {"BTC/USD": 2, "ETH/USD": 1}


def test_gap_without_symbols_is_its_connections() -> None:
    market = Market(("AAPL", "MSFT"))
    market.add(frame(1, trade("AAPL", 1, 1)))
    market.add(msgspec.structs.replace(frame(1, trade("MSFT", 1, 1)), connection_id="c-2"))
    market.add_gap(GAP)
    assert {row.symbol: row.gaps for row in market.rows} == {"AAPL": 1, "MSFT": 0}


def test_removed_symbol_stays_away_until_it_is_added_again() -> None:
    market = Market(("AAPL", "MSFT"))
    market.change(("SOL",), ("AAPL",))
    market.add(frame(1, trade("AAPL", 1, 1)))
    assert [row.symbol for row in market.rows] == ["MSFT", "SOL"]
    market.change(("AAPL",), ())
    market.add(frame(2, trade("AAPL", 1, 1)))
    assert [row.symbol for row in market.rows] == ["MSFT", "SOL", "AAPL"]


def test_rate_approaches_the_truth() -> None:
    market = Market(("AAPL",))
    for n in range(40):
        market.measure_rates(NOW + n * SECOND // 4)
        for _ in range(5):
            market.add(frame(n + 1, trade("AAPL", 1, 1)))
    (row,) = market.rows
    assert row.rate == pytest.approx(20, rel=0.01)
