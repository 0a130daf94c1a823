"""Binance's frames as a person sees them."""

from __future__ import annotations

import json

import pytest

from virtufin_examples.client import FeedSettings
from virtufin_examples.example_run._reading import AlpacaReader, BinanceReader, is_two_sided, reader_for
from virtufin_examples.venues.binance import Market


def depth(first: int, last: int, bid: str, ask: str, symbol: str = "BTCUSDT") -> bytes:
    event = {"e": "depthUpdate", "E": 1, "s": symbol, "U": first, "u": last}
    event |= {"b": [[bid, "1"]], "a": [[ask, "1"]]}
    return json.dumps({"stream": f"{symbol.lower()}@depth", "data": event}, separators=(",", ":")).encode()


SNAPSHOT = json.dumps({"lastUpdateId": 10, "bids": [["99", "1"]], "asks": [["101", "1"]]}).encode()


def test_a_book_is_told_from_its_snapshot_on() -> None:
    reader = BinanceReader(Market.SPOT)
    (item,) = reader.read(depth(11, 11, "98", "102"))
    assert (item.type, item.symbol, item.bid, item.text) == ("depthUpdate", "BTCUSDT", None, "u=11")
    assert reader.wants_snapshots() == ("BTCUSDT",)
    reader.take_snapshot("BTCUSDT", SNAPSHOT)
    assert reader.wants_snapshots() == ()
    (item,) = reader.read(depth(12, 12, "100", "101"))
    assert (item.bid, item.ask) == (100, 101)


def test_after_a_hole_a_book_is_told_no_more_and_wants_a_snapshot() -> None:
    reader = BinanceReader(Market.SPOT)
    reader.read(depth(11, 11, "98", "102"))
    reader.take_snapshot("BTCUSDT", SNAPSHOT)
    reader.doubt("BTCUSDT")
    (item,) = reader.read(depth(20, 20, "100", "101"))
    assert item.bid is None
    assert reader.wants_snapshots() == ("BTCUSDT",)


def test_trades_and_answers() -> None:
    reader = BinanceReader(Market.SPOT)
    trade = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": 1, "p": "1.5", "q": "2", "T": 1, "m": True}
    (item,) = reader.read(json.dumps(trade, separators=(",", ":")).encode())
    assert (item.type, item.symbol, item.price, item.size) == ("trade", "BTCUSDT", 1.5, 2)
    (item,) = reader.read(b'{"result":null,"id":1}')
    assert (item.type, item.symbol, item.text) == ("answer", "", '{"result":null,"id":1}')


@pytest.mark.parametrize(
    ("channel", "two_sided"),
    [
        ("depth@100ms", True),
        ("bookTicker", True),
        ("orderbooks", True),
        ("trade", False),
        ("kline_1m", False),
    ],
)
def test_which_channels_have_two_sides(channel: str, two_sided: bool) -> None:
    binance = FeedSettings(url="ws://h/stream", channel=channel, symbols=(), topic="t", connector="binance")
    assert is_two_sided(binance) is two_sided
    assert isinstance(reader_for(binance), BinanceReader)
    alpaca = FeedSettings(url="ws://h/v2/iex", channel="trades", symbols=(), topic="t", connector="alpaca")
    assert isinstance(reader_for(alpaca), AlpacaReader)
