"""Numbers followed a read at a time: the same holes, symbols and state as frame by frame."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtufin_examples.connections import Continuity
from virtufin_examples.connections import _continuity as continuity_module
from virtufin_examples.venues import Seen, Session
from virtufin_examples.venues.binance import BinanceConnector

COMBINED = "wss://stream.binance.com:9443/stream?streams=btcusdt@depth"
RAW = "wss://stream.binance.com:9443/ws/btcusdt@depth"
MIXED_RAW = "wss://stream.binance.com:9443/ws/btcusdt@depth/btcusdt@depth@100ms"
FUTURES = "wss://fstream.binance.com/public/stream?streams=btcusdt@depth"
RAW_FUTURES = "wss://fstream.binance.com/public/ws/btcusdt@depth"
SYMBOLS = ("BTCUSDT", "ETHUSDT", "1INCHUSDT")


def depth(symbol, first, last, previous=None, *, combined=True, speed=""):
    event = {"e": "depthUpdate", "E": 1_700_000_000_000}
    if previous is not None:
        event["T"] = 1_700_000_000_001
    event |= {"s": symbol, "U": first, "u": last}
    if previous is not None:
        event["pu"] = previous
    event |= {"b": [["1.0", "2"]], "a": []}
    message = {"stream": f"{symbol.lower()}@depth{speed}", "data": event} if combined else event
    return json.dumps(message, separators=(",", ":")).encode()


ODD = (
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":7}}',
    b'{"e":"trade","E":1,"s":"BTCUSDT","t":7}',
    b'{"result":null,"id":1}',
    b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":007,"u":008}}',
    b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":007,"u":008}',
    b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate"',
    b'{"stream":"\xff\xfe@depth","data":{"e":"depthUpdate","E":1,"s":"\xff\xfe","U":1,"u":2,"b":[]}}',
    b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":-9,"u":-8,"b":[],"a":[]}}',
    b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":3,"u":4}}',
    b'{"stream":"a,b@depth","data":{"e":"depthUpdate","E":1,"s":"A,B","U":3,"u":4,"b":[],"a":[]}}',
    b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","u":4,"U":3,"b":[],"a":[]}}',
    b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate","s":"BTCUSDT","E":1,"U":3,"u":4,"b":[],"a":[]}}',
    b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":5,"U":3,"u":4,"b":[],"a":[]}}',
    b"\x00",
    b"",
    b",,,,,,,,,,,",
)


@st.composite
def reads(draw):
    """Reads of a connection: runs that mostly go on, now and then with a hole, a fall or garbage."""
    futures, combined = draw(st.booleans()), draw(st.booleans())
    mostly = draw(st.sampled_from([0.0, 0.02, 0.3]))
    rng = draw(st.randoms(use_true_random=False))
    ends = dict.fromkeys(SYMBOLS, rng.choice([10, 80, 1_000_000]))
    found = []
    for _ in range(rng.randint(1, 4)):
        read = []
        for _ in range(rng.choice([1, 3, 12, 60])):
            if rng.random() < mostly / 4:
                read.append(rng.choice(ODD))
                continue
            symbol = rng.choice(SYMBOLS)
            end = ends[symbol]
            skip = rng.choice([-12, -9, -1, 0, 1, 5]) if rng.random() < mostly else 0
            first = max(0, end + 1 + skip + (rng.randint(0, 3) if futures else 0))
            last = max(0, first + (rng.randint(-2, 2) if rng.random() < mostly else rng.randint(0, 2)))
            kind = futures if rng.random() >= mostly / 4 else not futures
            frame_is_combined = combined if rng.random() >= mostly / 4 else not combined
            previous = max(0, end + skip) if kind else None
            read.append(depth(symbol, first, last, previous, combined=frame_is_combined))
            ends[symbol] = last
        found.append(read)
    return found


def state(continuity):
    return continuity._last, continuity._came_ns, continuity._fell_from, continuity._symbols


@pytest.mark.parametrize(
    "url",
    [COMBINED, RAW, MIXED_RAW, FUTURES, RAW_FUTURES],
    ids=["combined", "raw", "two speeds on a raw socket", "futures", "raw futures"],
)
@settings(max_examples=150)
@given(reads=reads(), at_once=st.sampled_from([8, 16, 256]), many=st.sampled_from([1, 2, 8]))
def test_a_read_at_a_time_tells_what_frame_by_frame_tells(url, reads, at_once, many):
    session = BinanceConnector().session(url, {})
    by_read, by_frame = Continuity(), Continuity()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(continuity_module, "_AT_ONCE", at_once)
        patch.setattr(continuity_module, "_MANY", many)
        for at_ns, read in enumerate(reads, 1):
            assert by_read.follow(read, session, at_ns) == by_frame.look(read, session.peek, at_ns)
            assert not (by_read.only_data and any(map(session.is_control, read)))
            assert state(by_read) == state(by_frame)


@pytest.mark.parametrize("url", [COMBINED, RAW, FUTURES, RAW_FUTURES])
def test_runs_that_go_on_are_told_at_once(url):
    combined, futures = "/stream?" in url, "fstream" in url
    frames = [
        depth(symbol, 3 * n + 1, 3 * n + 3, 3 * n if futures else None, combined=combined)
        for n in range(34, 42)
        for symbol in SYMBOLS
    ]
    channel = "depth" if combined else "depthUpdate"
    found = BinanceConnector().session(url, {}).stretches(frames)
    assert found == [Seen(symbol, channel, 103, 126, 102 if futures else 0) for symbol in SYMBOLS]


@pytest.mark.parametrize("odd", ODD)
def test_a_read_with_anything_else_in_it_is_told_frame_by_frame(odd):
    session = BinanceConnector().session(COMBINED, {})
    frames = [depth("BTCUSDT", n, n) for n in range(101, 111)]
    assert session.stretches(frames)
    if odd.startswith((b'{"stream":"\xff', b'{"stream":"a,b')):
        return  # a name of its own, and a depth event all the same
    for read in ([*frames, odd], [odd, *frames], [*frames, odd]):
        assert session.stretches(read) is None
        assert session.stretches(frames)


def test_numbers_that_get_a_digit_more_are_told_frame_by_frame_then_at_once_again():
    session = BinanceConnector().session(COMBINED, {})
    frames = [depth("BTCUSDT", n, n) for n in range(90, 111)]
    for more in (1, 2, 5):
        assert session.stretches(frames[:10]) == [Seen("BTCUSDT", "depth", 90, 99)]
        assert session.stretches(frames[5 : 10 + more]) is None
        assert session.stretches(frames[10:]) == [Seen("BTCUSDT", "depth", 100, 110)]
        assert session.stretches(frames[:10]) is None  # a digit less


def test_a_hole_stands_before_its_frame_however_large_the_read():
    frames = [depth("BTCUSDT", n, n) for n in range(1, 1002) if n != 700]
    (hole,) = Continuity().follow(frames, BinanceConnector().session(COMBINED, {}), 5)
    assert (hole.symbol, hole.first, hole.last, hole.since_ns, hole.index) == ("BTCUSDT", 700, 700, 5, 699)


def test_a_session_that_tells_frames_one_by_one_is_asked_so():
    class Numbers(Session):
        def peek(self, payload):
            return (Seen("A", first=int(payload), last=int(payload)),)

    frames = [b"%d" % n for n in (*range(1, 300), *range(303, 400))]
    (hole,) = Continuity().follow(frames, Numbers(), 5)
    assert (hole.first, hole.last, hole.index) == (300, 302, 299)
