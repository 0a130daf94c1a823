"""Messages as the documents show them, and the scan that does without parsing them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.books import Rule
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import Seen
from virtufin_examples.venues.binance import (
    AggTrade,
    BookTicker,
    DepthUpdate,
    Kline,
    Market,
    MiniTicker,
    PartialDepth,
    ServerShutdown,
    Ticker,
    Trade,
    combined,
    diff_of,
    encode,
    peek,
    read_event,
    read_snapshot,
    rule_of,
)

DEPTH = b'{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10"]],"a":[]}'
FUTURES = (
    b'{"e":"depthUpdate","E":123456789,"T":123456788,"s":"BTCUSDT","U":157,"u":160,"pu":149,'
    b'"b":[["0.0024","10"]],"a":[["0.0026","100"]]}'
)
TRADE = b'{"e":"trade","E":1,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":2,"m":true,"M":true}'
AGG = (
    b'{"e":"aggTrade","E":1,"s":"BNBBTC","a":12345,"p":"0.001","q":"100","f":100,"l":105,'
    b'"T":2,"m":true,"M":true}'
)
TICKER = (
    b'{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}'
)
FUTURES_TICKER = b'{"e":"bookTicker","u":400,"s":"BNBUSDT","b":"1","B":"2","a":"3","A":"4","T":5,"E":6}'
PARTIAL = b'{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}'
SHUTDOWN = b'{"e":"serverShutdown","E":1770123456789}'
MINI = b'{"e":"24hrMiniTicker","E":1,"s":"A","c":"1","o":"2","h":"3","l":"4","v":"5","q":"6"}'
KLINE = (
    b'{"e":"kline","E":1,"s":"A","k":{"t":1,"T":2,"s":"A","i":"1m","f":100,"L":200,"o":"1","c":"2","h":"3",'
    b'"l":"1","v":"5","n":100,"x":false,"q":"1","V":"5","Q":"5","B":"123456"}}'
)
DAY = (
    b'{"e":"24hrTicker","E":1,"s":"A","p":"1","P":"2","w":"3","c":"4","Q":"5","o":"6","h":"7","l":"8",'
    b'"v":"9","q":"10","O":0,"C":86400000,"F":0,"L":18150,"n":18151}'
)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (DEPTH, DepthUpdate),
        (FUTURES, DepthUpdate),
        (TRADE, Trade),
        (AGG, AggTrade),
        (TICKER, BookTicker),
        (FUTURES_TICKER, BookTicker),
        (PARTIAL, PartialDepth),
        (SHUTDOWN, ServerShutdown),
        (MINI, MiniTicker),
        (KLINE, Kline),
        (DAY, Ticker),
    ],
)
def test_a_documented_message_is_read_and_written_with_the_same_fields(payload, kind):
    raw = read_event(payload)
    wrapped = read_event(combined("a@b", payload))
    assert type(raw.message) is kind
    assert (raw.stream, raw.raw) == ("", payload)
    assert (wrapped.stream, wrapped.raw, wrapped.message) == ("a@b", payload, raw.message)
    assert json.loads(encode(raw.message)) == json.loads(payload)


def test_what_has_no_struct_is_passed_on_and_what_is_no_json_refused():
    assert read_event(b'{"e":"avgPrice","s":"A"}').message is None
    assert read_event(b"[]").message is None
    assert read_event(b'{"e":"trade","s":5}').message is None
    for payload in (
        b"",
        b"{",
        b'{"e":',
        b'{"stream":"a","data":',
        b"\xff",
        b'{"stream":5,"data":{}}',
        b'{"u":',
    ):
        with pytest.raises(InvalidInputError, match="cannot be read"):
            read_event(payload)


def test_a_book_is_fed_from_messages():
    diff = diff_of(read_event(FUTURES).message)
    assert (diff.first_id, diff.last_id, diff.previous_id, diff.asks) == (157, 160, 149, (("0.0026", "100"),))
    assert read_snapshot(PARTIAL).last_id == 160
    with pytest.raises(InvalidInputError, match="Invalid symbol"):
        read_snapshot(b'{"code":-1121,"msg":"Invalid symbol."}')
    assert [rule_of(market) for market in Market] == [Rule.SPOT, Rule.SPOT, Rule.FUTURES]


@pytest.mark.parametrize(
    ("payload", "seen"),
    [
        (DEPTH, Seen("BNBBTC", "depthUpdate", 157, 160)),
        (combined("bnbbtc@depth@100ms", DEPTH), Seen("BNBBTC", "depth@100ms", 157, 160)),
        (combined("btcusdt@depth", FUTURES), Seen("BTCUSDT", "depth", 157, 160, 149)),
        (
            DEPTH.replace(b'"E":1672515782136,"s":"BNBBTC"', b'"s":"BNBBTC","E":1672515782136'),
            Seen("BNBBTC", "depthUpdate", 157, 160),
        ),
        (TRADE, Seen("BNBBTC", "trade", 12345, 12345, gapless=False)),
        (AGG, Seen("BNBBTC", "aggTrade", 12345, 12345, gapless=False)),
        (
            combined("bnbusdt@bookTicker", TICKER),
            Seen("BNBUSDT", "bookTicker", 400900217, 400900217, gapless=False),
        ),
        (TICKER, Seen("BNBUSDT", "bookTicker", 400900217, 400900217, gapless=False)),
        (FUTURES_TICKER, Seen("BNBUSDT", "bookTicker", 400, 400, gapless=False)),
        (combined("btcusdt@depth20", PARTIAL), Seen("BTCUSDT", "depth20", 160, 160, gapless=False)),
        (KLINE, Seen("A", "kline", 0, 0, gapless=False)),
    ],
)
def test_peek_finds_symbol_and_numbers(payload, seen):
    assert list(peek(payload)) == [seen]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{",
        PARTIAL,
        SHUTDOWN,
        combined("!ticker@arr", b"[" + DAY + b"]"),
        b'{"e":"depthUpdate","s":"A"}',
    ],
)
def test_peek_finds_nothing_where_there_is_nothing(payload):
    assert list(peek(payload)) == []


def test_peek_concludes_no_hole_where_runs_mix():
    assert peek(DEPTH, exact_runs=False) == (Seen("BNBBTC", "depthUpdate", gapless=False),)
    assert peek(combined("bnbbtc@depth", DEPTH), exact_runs=False)[0].gapless


@st.composite
def events(draw):
    """An event in Binance's order of fields, raw or combined, with any names and numbers of 64 bits."""
    number = st.integers(1, 2**63 - 1)
    kind = draw(st.sampled_from(["depthUpdate", "trade", "aggTrade", "kline"]))
    name = draw(st.text("ABCXYZ0123456789_币", min_size=1, max_size=12))
    event = {"e": kind, "E": draw(number)}
    if kind == "depthUpdate" and draw(st.booleans()):
        event["T"] = draw(number)
    event["s"] = name
    if kind == "depthUpdate":
        event |= {"U": draw(number), "u": draw(number)}
        event |= {"pu": draw(number)} if draw(st.booleans()) else {}
        event |= {"b": [["1.0", "2.0"]], "a": []}
    elif kind != "kline":
        event |= {{"trade": "t", "aggTrade": "a"}[kind]: draw(number), "p": "1.0"}
    stream = draw(st.sampled_from(["", f"{name.lower()}@depth@100ms", f"{name.lower()}@x"]))
    return event, stream


@given(events())
def test_peek_finds_what_a_full_parse_finds(case):
    event, stream = case
    encoded = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
    (seen,) = peek(combined(stream, encoded) if stream else encoded)
    assert (seen.symbol, seen.channel) == (event["s"], stream.partition("@")[2] or event["e"])
    number = event.get("t", 0) or (event["a"] if event["e"] == "aggTrade" else 0)
    expected = (event["U"], event["u"], event.get("pu", 0)) if "U" in event else (number, number, 0)
    assert (seen.first, seen.last, seen.previous) == expected
    assert seen.gapless == (event["e"] == "depthUpdate")


@given(
    st.binary(max_size=400)
    | st.sampled_from([DEPTH, FUTURES, TICKER, PARTIAL]).flatmap(
        lambda payload: st.integers(0, len(payload)).map(lambda cut: payload[:cut])
    )
)
def test_peek_never_fails(payload):
    peek(payload)
    peek(combined("a@b", payload))
