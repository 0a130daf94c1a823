"""Frames read for people."""

import msgpack
import pytest

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca import parse_frame


def only(text):
    (item,) = parse_frame(text if isinstance(text, bytes) else text.encode())
    return item


def test_a_trade_shows_price_and_size():
    item = only('[{"T":"t","S":"AAPL","p":1.5,"s":3}]')
    assert (item.type, item.symbol, item.price, item.size, item.bid) == ("t", "AAPL", 1.5, 3.0, None)


def test_a_quote_shows_both_sides():
    item = only('[{"T":"q","S":"AAPL","bp":1,"bs":2,"ap":3,"as":4}]')
    assert (item.bid, item.bid_size, item.ask, item.ask_size, item.price) == (1, 2, 3, 4, None)


def test_a_book_shows_the_best_of_its_levels_without_deleted_ones():
    item = only(
        '[{"T":"o","S":"X/USD","b":[{"p":1,"s":2},{"p":2,"s":1},{"p":3,"s":0}],"a":[{"p":4,"s":0}],"r":true}]'
    )
    assert (item.bid, item.bid_size, item.ask, item.ask_size) == (2.0, 1.0, None, None)
    assert item.raw["r"] is True


def test_bars_and_corrections_show_what_holds_now():
    assert only('[{"T":"d","S":"A","c":2,"v":9}]').price == 2.0
    assert only('[{"T":"c","S":"A","op":1,"cp":2,"cs":9}]').size == 9.0


def test_several_messages_of_a_frame_stay_in_order():
    frame = msgpack.packb([{"T": "t", "S": "A", "p": 1.0, "s": 1}, {"T": "t", "S": "B", "p": 2.0, "s": 1}])
    assert [item.symbol for item in parse_frame(frame)] == ["A", "B"]


@pytest.mark.parametrize(
    ("frame", "kind", "text"),
    [
        ('[{"T":"success","msg":"connected"}]', "success", "connected"),
        ('[{"T":"error","code":402,"msg":"auth failed"}]', "error", "402 auth failed"),
        ('[{"T":"subscription","trades":["A"],"quotes":[]}]', "subscription", "trades: ['A']"),
        ('[{"T":"n","headline":"Up","symbols":["A","B"]}]', "n", "Up"),
        ('[{"T":"s","S":"A","sm":"Trading Halt"}]', "s", "Trading Halt"),
        ('[{"T":"l","S":"A","u":2,"d":1}]', "l", "down 1 up 2"),
        ('{"stream":"listening","data":{"streams":["trade_updates"]}}', "listening", "['trade_updates']"),
        ('{"stream":"trade_updates","data":{"event":"fill"}}', "trade_updates", "fill"),
        ('[{"T":"new","S":"A"}]', "new", ""),
    ],
)
def test_messages_without_prices_show_text(frame, kind, text):
    item = only(frame)
    assert (item.type, item.text) == (kind, text)


def test_news_shows_its_symbols():
    assert only('[{"T":"n","headline":"Up","symbols":["A","B"]}]').symbol == "A,B"


@pytest.mark.parametrize("frame", [b"", b"nonsense", b"[1]", b"7"])
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(InvalidInputError):
        parse_frame(frame)
