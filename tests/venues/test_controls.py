"""Which frames of a read may be control messages: told of a whole read as of each of its frames."""

import json

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.connections import GenericConnector
from virtufin_examples.venues import Session
from virtufin_examples.venues.alpaca import AlpacaConnector
from virtufin_examples.venues.binance import BinanceConnector
from virtufin_examples.venues.binance import _control as binance_control

STOCKS = "wss://stream.data.alpaca.markets/v2/iex"
TRADING = "wss://paper-api.alpaca.markets/stream"
COMBINED = "wss://stream.binance.com:9443/stream?streams=btcusdt@depth"
RAW = "wss://stream.binance.com:9443/ws/btcusdt@depth"

BINANCE_FRAMES = (
    b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":1}}',
    b'{"stream":"1inchusdt@trade","data":{"e":"trade"}}',
    b'{"stream":"!ticker@arr","data":[]}',
    b'{"stream":"!bookTicker","data":{}}',
    b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}',
    b'{"e":"serverShutdown","E":1}',
    b'{"e":"serverShutdow',
    b'{"e":"depthUpdate","E":1}',
    b'{"e":"trade","E":1}',
    b'{"u":1,"s":"BTCUSDT"}',
    b'{"lastUpdateId":1}',
    b'{"result":null,"id":1}',
    b'{"id":1,"result":null}',
    b'{"error":{"code":2,"msg":"x"}}',
    b'{"code":2,"msg":"x"}',
    b'{"msg":"x","code":2}',
    b"[]",
    b"[{",
    b"",
)
ALPACA_MESSAGES = (
    {"T": "t", "S": "AAPL", "p": 1.0},
    {"T": "q", "S": "AAPL"},
    {"T": "n", "headline": '"error"'},
    {"T": "success", "msg": "authenticated"},
    {"T": "subscription", "trades": []},
    {"T": "error", "code": 406, "msg": "x"},
    {"msg": "connected", "T": "success"},
    {"T": ""},
    {"T": '"'},
)


def starts_near(whole):
    """The frames that differ from one in what comes behind some of its bytes."""
    return st.builds(
        lambda frame, end, rest: frame[:end] + rest,
        st.sampled_from(whole),
        st.integers(0, 40),
        st.binary(max_size=8),
    )


def alpaca_frames():
    arrays = st.lists(st.sampled_from(ALPACA_MESSAGES), max_size=3)
    spaced = arrays.map(lambda array: json.dumps(array).encode())
    tight = arrays.map(lambda array: json.dumps(array, separators=(",", ":")).encode())
    packed = arrays.map(msgpack.packb)
    return st.one_of(
        tight, tight, spaced, packed, st.builds(lambda frame, end: frame[:end], tight, st.integers(0, 12))
    )


SESSIONS = {
    "combined": (BinanceConnector().session(COMBINED, {}), BINANCE_FRAMES),
    "raw": (BinanceConnector().session(RAW, {}), BINANCE_FRAMES),
    "trading": (AlpacaConnector().session(TRADING, {}), (b'{"stream":"listening"}', b'{"stream":"x"}')),
    "generic": (GenericConnector().session("wss://a/b", {"reply": "ok"}), (b"ok", b"data")),
    "default": (Session(), (b"data",)),
}


def one_by_one(session, payloads):
    return [place for place, payload in enumerate(payloads) if session.is_control(payload)]


@pytest.mark.parametrize(("session", "frames"), SESSIONS.values(), ids=SESSIONS)
@given(data=st.data())
def test_a_read_has_the_control_messages_that_its_frames_are(session, frames, data):
    frame = st.sampled_from(frames) | starts_near(frames) | st.binary(max_size=12)
    payloads = data.draw(st.lists(frame, max_size=12))
    assert list(session.controls(payloads)) == one_by_one(session, payloads)


@given(payloads=st.lists(alpaca_frames() | st.binary(max_size=12), max_size=12))
def test_a_read_of_alpaca_has_the_control_messages_that_its_frames_are(payloads):
    session = AlpacaConnector().session(STOCKS, {})
    assert list(session.controls(payloads)) == one_by_one(session, payloads)


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("frame", [each for each in BINANCE_FRAMES if binance_control.is_control(each)])
@pytest.mark.parametrize("data", [each for each in BINANCE_FRAMES if not binance_control.is_control(each)])
def test_one_control_message_among_any_data_is_found(frame, data, place):
    payloads = [data] * 5
    payloads[place] = frame
    assert binance_control.controls(payloads) == [place]


@pytest.mark.parametrize("kind", "tqbduoslcxin")
@pytest.mark.parametrize("control", ALPACA_MESSAGES[3:7], ids=str)
def test_one_control_message_of_alpaca_among_data_is_found(kind, control):
    data = json.dumps([{"T": kind, "S": "A"}], separators=(",", ":")).encode()
    session = AlpacaConnector().session(STOCKS, {})
    for written in (json.dumps([control], separators=(",", ":")).encode(), msgpack.packb([control])):
        assert list(session.controls([data, written, data])) == [1]


def test_a_read_of_data_alone_is_told_without_looking_at_each_frame(monkeypatch):
    """What makes watching cheap: neither session falls back to its frames where all are usual data."""
    for session, frame in (
        (AlpacaConnector().session(STOCKS, {}), b'[{"T":"t","S":"AAPL"}]'),
        (BinanceConnector().session(COMBINED, {}), BINANCE_FRAMES[0]),
        (BinanceConnector().session(RAW, {}), b'{"e":"depthUpdate","E":1}'),
    ):
        monkeypatch.setattr(type(session), "is_control", None)
        assert session.controls([frame] * 3) == ()


def test_the_starts_of_binances_control_messages_are_in_order_and_none_starts_another():
    starts = binance_control._STARTS
    assert list(starts) == sorted(starts)
    assert not any(a != b and b.startswith(a) for a in starts for b in starts)
