"""WebSocket compliance of the connection core: the case groups of the Autobahn suite, by their numbers.

A server that is no library's sends the bytes. What is valid is delivered verbatim; what is not ends the
socket with the code of RFC 6455, section 7.4.1, and what came before it is kept.
"""

from __future__ import annotations

import asyncio
import itertools
import zlib
from contextlib import asynccontextmanager

import pytest

from tests.connections.raw_peer import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawServer,
    close_frame,
    fragments,
    frame,
)
from tests.connections.world import new_world
from virtufin_examples.connections import PicowsNetwork, SocketConnectError, SystemClock
from virtufin_examples.frames import Cause

LIMIT = 8 * 1024 * 1024
PROTOCOL_ERROR, INVALID_TEXT, TOO_BIG = 1002, 1007, 1009


class Sink:
    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bool]] = []
        self.end = asyncio.get_running_loop().create_future()

    def opened(self, socket, headers) -> None:
        pass

    def received(self, payloads, received_ns, *, binary) -> None:
        self.messages += [(payload, binary) for payload in payloads]

    def closed(self, end) -> None:
        self.end.set_result(end)


@asynccontextmanager
async def linked(**server_parts):
    async with RawServer(**server_parts) as server:
        sink = Sink()
        socket = await PicowsNetwork().connect(server.url, {}, sink)
        peer = await server.accept()
        try:
            yield sink, peer
        finally:
            socket.close(1000, "")
            await socket.wait_closed()


async def delivered(*frames: bytes, chop: int = 0) -> list[tuple[bytes, bool]]:
    """Send frames that are fine, close in order; return what came out."""
    async with linked() as (sink, peer):
        await peer.send(*frames, close_frame(1000), chop=chop)
        end = await asyncio.wait_for(sink.end, 20)
        assert (end.code, end.violation) == (1000, False)
        assert await peer.closed() == 1000
        return sink.messages


async def refused(*frames: bytes, code: int, chop: int = 0, kept: tuple[bytes, ...] = (b"good",)) -> None:
    """Send a good message, frames that are not, and one more: it must end with `code`, before that one."""
    async with linked() as (sink, peer):
        await peer.send(frame(TEXT, b"good"), *frames, frame(TEXT, b"after"), chop=chop)
        end = await asyncio.wait_for(sink.end, 20)
        assert (end.code, end.violation) == (code, True), end
        assert end.reason
        assert [payload for payload, _ in sink.messages] == list(kept)
        assert await peer.closed() == code


# --- 1: framing ---

SIZES = (0, 125, 126, 127, 128, 65535, 65536)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_1_a_message_of_any_size_comes_out_as_it_was(opcode, size):
    payload = (b"*" if opcode == TEXT else b"\xfe") * size
    assert await delivered(frame(opcode, payload)) == [(payload, opcode == BINARY)]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_1_8_however_the_network_cuts_it(opcode):
    payload = b"*" * 65536
    assert await delivered(frame(opcode, payload), chop=997) == [(payload, opcode == BINARY)]


async def test_1_octet_by_octet():
    messages = [frame(TEXT, b"first"), frame(BINARY, b"\x00" * 200), frame(TEXT, b"")]
    assert await delivered(*messages, chop=1) == [(b"first", False), (b"\x00" * 200, True), (b"", False)]


@pytest.mark.parametrize(
    "bad",
    [
        frame(TEXT, b"short", length_bytes=2),
        frame(TEXT, b"short", length_bytes=8),
        frame(BINARY, b"*" * 300, length_bytes=8),
        b"\x82\x7f" + (1 << 63).to_bytes(8, "big"),
        frame(TEXT, b"\x00\x00", mask=b"\x01\x02\x03\x04"),
    ],
    ids=["16 bits for 5", "64 bits for 5", "64 bits for 300", "highest bit of the length", "masked"],
)
async def test_1_lengths_are_minimal_and_servers_do_not_mask(bad):
    await refused(bad, code=PROTOCOL_ERROR)


# --- 2: pings and pongs ---


@pytest.mark.parametrize(
    "payload",
    [b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125],
    ids=["empty", "text", "binary", "125 bytes"],
)
@pytest.mark.parametrize("chop", [0, 1])
async def test_2_a_ping_is_answered_with_its_payload(payload, chop):
    async with linked() as (_, peer):
        await peer.send(frame(PING, payload), chop=chop)
        assert await peer.until_pongs(1) == [payload]


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_2_5_a_control_frame_has_125_bytes_at_most(opcode):
    await refused(frame(opcode, b"\xfe" * 126), code=PROTOCOL_ERROR)


@pytest.mark.parametrize("payload", [b"", b"unsolicited"])
async def test_2_7_a_pong_nobody_asked_for_is_ignored(payload):
    assert await delivered(frame(PONG, payload), frame(TEXT, b"on")) == [(b"on", False)]


@pytest.mark.parametrize("chop", [0, 1])
async def test_2_10_ten_pings_have_ten_answers_in_order(chop):
    payloads = [b"payload-%d" % number for number in range(10)]
    async with linked() as (_, peer):
        await peer.send(
            frame(PONG, b"unsolicited"), *(frame(PING, payload) for payload in payloads), chop=chop
        )
        assert await peer.until_pongs(10) == payloads


# --- 3: reserved bits ---


@pytest.mark.parametrize("bits", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
@pytest.mark.parametrize("chop", [0, 1])
async def test_3_a_reserved_bit_ends_the_socket(opcode, bits, chop):
    payload = (1000).to_bytes(2, "big") if opcode == CLOSE else b"*"
    await refused(frame(opcode, payload, reserved=bits), code=PROTOCOL_ERROR, chop=chop)


@pytest.mark.parametrize("bits", [1, 4])
async def test_3_a_reserved_bit_in_a_continuation_ends_the_socket(bits):
    await refused(
        frame(TEXT, b"a", final=False), frame(CONTINUATION, b"b", reserved=bits), code=PROTOCOL_ERROR
    )


# --- 4: opcodes ---


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"reserved opcode payload"])
@pytest.mark.parametrize("chop", [0, 1])
async def test_4_a_reserved_opcode_ends_the_socket(opcode, payload, chop):
    await refused(frame(opcode, payload), code=PROTOCOL_ERROR, chop=chop)


# --- 5: fragments ---


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
async def test_5_1_a_control_frame_comes_whole(opcode):
    await refused(frame(opcode, b"ab", final=False), frame(CONTINUATION, b"cd"), code=PROTOCOL_ERROR)


@pytest.mark.parametrize("chop", [0, 1])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("pieces", [[b"one", b"two"], [b"", b"", b""], [b"a", b"", b"b", b"c", b"d"]])
async def test_5_3_fragments_become_the_message(opcode, pieces, chop):
    expected = [(b"".join(pieces), opcode == BINARY), (b"next", False)]
    assert await delivered(*fragments(opcode, pieces), frame(TEXT, b"next"), chop=chop) == expected


@pytest.mark.parametrize("chop", [0, 1])
async def test_5_6_pings_between_fragments_are_answered_at_once(chop):
    parts = fragments(TEXT, [b"fragment1", b"fragment2", b"fragment3"])
    async with linked() as (sink, peer):
        await peer.send(parts[0], frame(PING, b"one"), parts[1], frame(PING, b"two"), chop=chop)
        assert await peer.until_pongs(2) == [b"one", b"two"]
        assert sink.messages == []
        await peer.send(frame(PONG, b"three"), parts[2], close_frame(1000), chop=chop)
        await asyncio.wait_for(sink.end, 5)
        assert sink.messages == [(b"fragment1fragment2fragment3", False)]


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("chop", [0, 1])
async def test_5_9_a_continuation_of_nothing_ends_the_socket(final, chop):
    await refused(frame(CONTINUATION, b"of nothing", final=final), code=PROTOCOL_ERROR, chop=chop)


async def test_5_15_a_continuation_after_the_last_fragment_ends_the_socket():
    await refused(
        *fragments(TEXT, [b"a", b"b"]),
        frame(CONTINUATION, b"c", final=False),
        code=PROTOCOL_ERROR,
        kept=(b"good", b"ab"),
    )


@pytest.mark.parametrize(("first", "second"), list(itertools.product((TEXT, BINARY), repeat=2)))
@pytest.mark.parametrize("final", [True, False])
async def test_5_18_a_message_inside_a_message_ends_the_socket(first, second, final):
    await refused(frame(first, b"a", final=False), frame(second, b"b", final=final), code=PROTOCOL_ERROR)


# --- 6: UTF-8 ---

KOSME = bytes.fromhex("cebae1bdb9cf83cebcceb5")
VALID_TEXTS = {
    "6.2": "Hello-µ@ßöäüàá-UTF-8!!".encode(),
    "6.5 two bytes": "hello\u00a2world".encode(),
    "6.5 three": "hello\u20acworld".encode(),
    "6.5 four": "hello\U00024b62world".encode(),
    "6.5 word": KOSME,
    "BOM": b"\xef\xbb\xbfx",
    **{
        f"6.7 and 6.9 U+{point:04X}": chr(point).encode()
        for point in (0x0, 0x80, 0x800, 0x10000, 0x7F, 0x7FF, 0xFFFF, 0x10FFFF)
    },
    **{f"6.11 U+{point:04X}": chr(point).encode() for point in (0xD7FF, 0xE000, 0xFFFD)},
    **{
        f"6.22 U+{plane:02X}{low:04X}": chr(plane << 16 | low).encode()
        for plane in range(17)
        for low in (0xFFFE, 0xFFFF)
    },
    **{f"6.23 U+{point:04X}": chr(point).encode() for point in range(0xFFF9, 0xFFFD)},
}
_LONELY = [(0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD)]
_CUT_SHORT = [
    b"\xc0",
    b"\xe0\x80",
    b"\xf0\x80\x80",
    b"\xf8\x80\x80\x80",
    b"\xfc\x80\x80\x80\x80",
    b"\xdf",
    b"\xef\xbf",
    b"\xf7\xbf\xbf",
    b"\xfb\xbf\xbf\xbf",
    b"\xfd\xbf\xbf\xbf\xbf",
]
_OVERLONG = [
    *["c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"],
    *["c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"],
    *["c080", "e08080", "f0808080", "f880808080", "fc8080808080"],
]
_SURROGATES = ["eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"]
INVALID_TEXTS = {
    "6.3": KOSME + b"\xed\xa0\x80edited",
    "6.4": KOSME + b"\xf4\x90\x80\x80edited",
    **{f"6.6 prefix {n}": KOSME[:n] for n in range(1, len(KOSME)) if n not in (2, 5, 7, 9)},
    **{
        f"6.8 and 6.10 {each}": bytes.fromhex(each)
        for each in ["f888808080", "fc8480808080", "f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf", "f4908080"]
    },
    **{f"6.12 {n} continuations": b"\x80\xbf\x80\xbf\x80\xbf"[:n] for n in range(1, 7)},
    "6.12 last": b"\xbf",
    "6.12 all": bytes(range(0x80, 0xC0)),
    **{f"6.13 {a:x}": b"".join(bytes((n, 0x20)) for n in range(a, b + 1)) for a, b in _LONELY},
    **{f"6.14 {each.hex()}": each for each in _CUT_SHORT},
    "6.15": b"".join(_CUT_SHORT),
    **{f"6.16 {each}": bytes.fromhex(each) for each in ["fe", "ff", "fefeffff"]},
    **{f"6.17 to 6.19 {each}": bytes.fromhex(each) for each in _OVERLONG},
    **{f"6.20 {each}": bytes.fromhex(each) for each in _SURROGATES},
    **{
        f"6.21 {a}{b}": bytes.fromhex(a + b)
        for a in ("eda080", "edadbf", "edae80", "edafbf")
        for b in ("edb080", "edbfbf")
    },
}


@pytest.mark.parametrize("text", VALID_TEXTS.values(), ids=VALID_TEXTS.keys())
async def test_6_text_of_any_code_point_comes_out_verbatim_however_it_is_cut(text):
    octets = fragments(TEXT, [text[n : n + 1] for n in range(len(text))])
    assert await delivered(frame(TEXT, text), *octets) == [(text, False)] * 2


@pytest.mark.parametrize("text", INVALID_TEXTS.values(), ids=INVALID_TEXTS.keys())
@pytest.mark.parametrize("cut", [False, True])
async def test_6_text_that_is_no_utf8_ends_the_socket(text, cut):
    octets = fragments(TEXT, [text[n : n + 1] for n in range(len(text))])
    await refused(*(octets if cut else [frame(TEXT, text)]), code=INVALID_TEXT)


async def test_6_binary_may_be_anything():
    assert await delivered(frame(BINARY, INVALID_TEXTS["6.3"])) == [(INVALID_TEXTS["6.3"], True)]


@pytest.mark.parametrize("bad", [b"\xf4\x90\x80\x80", b"\xed\xa0\x80", b"\xff"])
async def test_6_4_text_that_can_become_no_utf8_is_refused_before_its_last_fragment(bad):
    async with linked() as (sink, peer):
        await peer.send(frame(TEXT, KOSME, final=False), frame(CONTINUATION, bad, final=False))
        end = await asyncio.wait_for(sink.end, 5)
        assert (end.code, end.violation) == (INVALID_TEXT, True)


# --- 7: closing ---


async def test_7_1_nothing_counts_after_a_close():
    async with linked() as (sink, peer):
        later = [frame(PING, b"ping"), frame(TEXT, b"late"), close_frame(1000), close_frame(1001)]
        await peer.send(frame(TEXT, b"good"), close_frame(1001, b"bye"), *later)
        end = await asyncio.wait_for(sink.end, 5)
        assert (end.code, end.reason, end.violation) == (1001, "bye", False)
        assert await peer.closed() == 1001
        assert peer.pongs == []
        assert sink.messages == [(b"good", False)]


async def test_7_1_a_close_inside_a_message_drops_what_came_of_it():
    async with linked() as (sink, peer):
        await peer.send(frame(TEXT, b"half", final=False), close_frame(1000))
        assert (await asyncio.wait_for(sink.end, 5)).code == 1000
        assert sink.messages == []


async def test_7_3_a_close_may_be_empty():
    async with linked() as (sink, peer):
        await peer.send(close_frame())
        end = await asyncio.wait_for(sink.end, 5)
        assert (end.code, end.violation) == (1005, False)
        assert await peer.closed() is None


@pytest.mark.parametrize("reason", [b"", b"Hello World!", b"*" * 123])
async def test_7_3_a_close_may_say_why(reason):
    async with linked() as (sink, peer):
        await peer.send(close_frame(1000, reason))
        assert (await asyncio.wait_for(sink.end, 5)).reason == reason.decode()


async def test_7_3_2_a_close_of_one_byte_ends_the_socket():
    await refused(frame(CLOSE, b"a"), code=PROTOCOL_ERROR)


async def test_7_3_6_a_close_has_125_bytes_at_most():
    await refused(close_frame(1000, b"*" * 124), code=PROTOCOL_ERROR)


async def test_7_5_1_the_reason_of_a_close_is_utf8():
    await refused(close_frame(1000, INVALID_TEXTS["6.3"]), code=INVALID_TEXT)


@pytest.mark.parametrize("code", [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999])
async def test_7_7_a_close_code_is_told_and_echoed(code):
    async with linked() as (sink, peer):
        await peer.send(close_frame(code))
        end = await asyncio.wait_for(sink.end, 5)
        assert (end.code, end.violation) == (code, False)
        assert await peer.closed() == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
async def test_7_9_a_close_code_that_must_not_be_sent_ends_the_socket(code):
    await refused(close_frame(code), code=PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "close", [frame(CLOSE, b"a"), close_frame(999), close_frame(1000, INVALID_TEXTS["6.3"])]
)
async def test_7_nothing_is_taken_behind_a_close_that_breaks_the_rules(close):
    async with linked() as (sink, peer):
        await peer.send(frame(TEXT, b"good"), close)
        while not peer.closes:
            await peer.send(frame(TEXT, b"after"))
            await asyncio.sleep(0)
        await peer.send(*[frame(TEXT, b"after")] * 10)
        assert (await asyncio.wait_for(sink.end, 5)).violation
        assert sink.messages == [(b"good", False)]


# --- 9: limits ---


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [65536, 1024 * 1024, LIMIT])
async def test_9_1_large_messages_come_out_up_to_the_limit(opcode, size):
    payload = b"*" * size
    assert await delivered(frame(opcode, payload)) == [(payload, opcode == BINARY)]


@pytest.mark.parametrize(("size", "piece"), [(256 * 1024, 64), (4 * 1024 * 1024, 4096), (LIMIT, 1024 * 1024)])
async def test_9_3_also_in_many_fragments(size, piece):
    payload = b"*" * size
    pieces = [payload[n : n + piece] for n in range(0, size, piece)]
    assert await delivered(*fragments(TEXT, pieces)) == [(payload, False)]


async def test_9_5_also_when_the_network_brings_it_in_small_pieces():
    payload = b"*" * (1024 * 1024)
    assert await delivered(frame(TEXT, payload), chop=2048) == [(payload, False)]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_9_one_byte_above_the_limit_ends_the_socket_before_it_is_read(opcode):
    async with linked() as (sink, peer):
        head = frame(opcode, b"*" * 65536)[:2] + (LIMIT + 1).to_bytes(8, "big")
        await peer.send(frame(TEXT, b"good"), head)
        end = await asyncio.wait_for(sink.end, 5)
        assert (end.code, end.violation) == (TOO_BIG, True)
        assert sink.messages == [(b"good", False)]


async def test_9_fragments_above_the_limit_end_the_socket_with_the_one_that_is_too_much():
    half = b"*" * (LIMIT // 2)
    async with linked() as (sink, peer):
        await peer.send(
            frame(TEXT, half, final=False),
            frame(CONTINUATION, half, final=False),
            frame(CONTINUATION, b"*", final=False),
        )
        end = await asyncio.wait_for(sink.end, 20)
        assert (end.code, end.violation) == (TOO_BIG, True)


@pytest.mark.parametrize("size", [0, 16, 1024])
async def test_9_7_a_thousand_messages_in_a_row(size):
    payloads = [(b"%07d" % number).ljust(size, b"*")[: max(size, 0)] for number in range(1000)]
    got = await delivered(*(frame(TEXT, payload) for payload in payloads))
    assert [payload for payload, _ in got] == payloads


# --- 10: what else may be ---


async def test_10_1_a_message_in_fragments_of_1300():
    payload = b"*" * 65536
    pieces = [payload[n : n + 1300] for n in range(0, len(payload), 1300)]
    assert await delivered(*fragments(TEXT, pieces)) == [(payload, False)]


async def test_10_frames_that_come_with_the_answer_to_the_upgrade_count():
    async with linked(after=frame(TEXT, b"hello")) as (sink, peer):
        await peer.send(frame(TEXT, b"next"), close_frame(1000))
        await asyncio.wait_for(sink.end, 5)
        assert sink.messages == [(b"hello", False), (b"next", False)]


# --- 12 and 13: compression, which is not offered ---


async def test_12_no_extension_is_offered():
    async with linked() as (_, peer):
        assert "sec-websocket-extensions" not in peer.request


@pytest.mark.parametrize(
    "extension",
    [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=15",
        "x-unknown",
    ],
)
async def test_13_an_extension_that_was_not_offered_is_not_accepted(extension):
    async with RawServer(f"Sec-WebSocket-Extensions: {extension}\r\n") as server:
        with pytest.raises(SocketConnectError, match="Extensions"):
            await PicowsNetwork().connect(server.url, {}, Sink())


async def test_13_a_subprotocol_that_was_not_offered_is_not_accepted():
    async with RawServer("Sec-WebSocket-Protocol: chat\r\n") as server:
        with pytest.raises(SocketConnectError, match="Protocol: chat"):
            await PicowsNetwork().connect(server.url, {}, Sink())


@pytest.mark.parametrize("window_bits", [-9, -15])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_12_a_compressed_message_is_refused_and_never_inflated(opcode, window_bits):
    compress = zlib.compressobj(9, zlib.DEFLATED, window_bits)
    bomb = compress.compress(b"\0" * (64 * 1024 * 1024)) + compress.flush(zlib.Z_SYNC_FLUSH)
    await refused(frame(opcode, bomb[:-4], reserved=4), code=PROTOCOL_ERROR)


# --- what a subscriber sees of it ---


VIOLATIONS = pytest.mark.parametrize(
    ("bad", "code"),
    [
        (frame(TEXT, b"*", reserved=2), PROTOCOL_ERROR),
        (frame(3), PROTOCOL_ERROR),
        (close_frame(999), PROTOCOL_ERROR),
        (frame(TEXT, b"\xff"), INVALID_TEXT),
        (b"\x82\x7f" + (LIMIT + 1).to_bytes(8, "big"), TOO_BIG),
    ],
    ids=["reserved bit", "opcode", "close code", "no UTF-8", "too large"],
)


@VIOLATIONS
async def test_a_violation_is_a_gap_of_its_own_cause_and_the_feed_goes_on(bad, code):
    async with new_world() as world, RawServer() as server:
        world.network, world.clock = PicowsNetwork(), SystemClock()
        connection = world.connection(url=server.url, randomness=lambda: 0.0)
        await connection.start()
        connection.publish_to(world)
        peer = await server.accept()
        await peer.send(frame(TEXT, b"before"), bad, frame(TEXT, b"after"))
        assert await peer.closed() == code
        peer = await server.accept()
        await peer.send(frame(TEXT, b"again"))
        await peer.send(close_frame(1000))
        await peer.closed()  # what it sent before has been read by then
        assert world.frames == ["before", "again"]
        (gap,) = world.gaps
        assert (gap.cause, gap.epoch_before, gap.epoch_after, gap.ended) == (Cause.PROTOCOL, 1, 2, True)
        await connection.close()


@VIOLATIONS
async def test_a_violation_on_one_connection_is_noticed_by_no_other(bad, code):
    network, clock = PicowsNetwork(), SystemClock()
    async with new_world() as one, new_world() as other, RawServer() as server:
        peers, connections = [], []
        for world in (one, other):
            world.network, world.clock = network, clock
            connection = world.connection(url=server.url, randomness=lambda: 0.0)
            await connection.start()
            connection.publish_to(world)
            connections.append(connection)
            peers.append(await server.accept())
        await peers[1].send(frame(TEXT, b"1"), frame(TEXT, b"2, its ", final=False))
        await peers[0].send(frame(TEXT, b"before"), bad)
        assert await peers[0].closed() == code
        successor = await server.accept()
        await successor.send(frame(TEXT, b"again"), close_frame(1000))
        await successor.closed()
        await peers[1].send(frame(CONTINUATION, b"rest"), close_frame(1000))
        assert await peers[1].closed() == 1000  # what it sent before has been read by then
        assert (one.frames, other.frames) == (["before", "again"], ["1", "2, its rest"])
        assert ([gap.cause for gap in one.gaps], other.gaps) == ([Cause.PROTOCOL], [])
        for connection in connections:
            await connection.close()
