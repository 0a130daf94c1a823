"""Frames to structs."""

from __future__ import annotations

import pytest

from benchmarks.parsing import SAMPLES
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca import (
    CryptoTrade,
    Orderbook,
    Quote,
    Timestamp,
    Trade,
    WireEncoding,
    decode,
    encode,
    read_messages,
)

TRADE = (
    b'{"T":"t","S":"AAPL","i":96921,"x":"D","p":126.55,"s":1,"c":["@","I"],'
    b'"t":"2021-02-22T15:51:44.208123456Z","z":"C"}'
)
NS = 1_614_009_104_208_123_456


def test_messages_of_the_kinds_come_in_their_order():
    quote = SAMPLES["Alpaca quote"][0][1:-1]
    messages = read_messages(b"[" + TRADE + b"," + quote + b"]", Trade, Quote)
    assert [type(each) for each in messages] == [Trade, Quote]
    assert messages[0].t == Timestamp(NS)
    assert (messages[0].S, messages[0].p, messages[0].c) == ("AAPL", 126.55, ("@", "I"))


def test_others_are_left_out():
    frame = b'[{"T":"success","msg":"connected"},' + TRADE + b',{"T":"new","S":"X"}]'
    assert [each.S for each in read_messages(frame, Trade)] == ["AAPL"]
    assert read_messages(frame, Quote) == []


def test_msgpack_is_read_too():
    trades = read_messages(b"[" + TRADE + b"]", Trade)
    assert read_messages(encode(trades, WireEncoding.MSGPACK), Trade)[0].p == 126.55


def test_the_kinds_say_whether_a_trade_is_a_stocks_or_a_coins():
    coin = b'[{"T":"t","S":"BTC/USD","p":60000.5,"s":0.1,"t":"2021-02-22T15:51:44Z","i":1,"tks":"B"}]'
    (trade,) = read_messages(coin, CryptoTrade)
    assert trade.s == 0.1
    with pytest.raises(InvalidInputError, match="message"):
        read_messages(coin, Trade)


@pytest.mark.parametrize("frame", [b"", b"[1]", b"[{", b"\xc1", b"7"])
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(InvalidInputError):
        read_messages(frame, Trade)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2021-02-22T15:51:44.208123456Z", NS),
        ("2021-02-22T15:51:44.2Z", NS - 8_123_456),
        ("2021-02-22T16:51:44.208123456+01:00", NS),
        ("2021-02-22T15:51:44Z", NS - 208_123_456),
    ],
)
def test_times_keep_their_nanoseconds(text, ns):
    assert Timestamp.parse(text).ns == ns


@pytest.mark.parametrize(
    "text", ["", "2021-02-22T15:51:44.1_2Z", "2021-02-22T15:51:44. 2Z", "2021-13-22T15:51:44.2Z"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"Invalid isoformat|no time|must be in"):
        Timestamp.parse(text)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_structs_hold_what_the_json_holds(name):
    data, read = SAMPLES[name]
    messages = read(data)
    if name.startswith("Alpaca"):
        assert len(messages) == 1
        assert decode(encode(messages, WireEncoding.JSON)) == decode(data)
        if isinstance(messages[0], Orderbook):
            assert len(messages[0].b) == 20
    else:
        assert messages.message is not None
