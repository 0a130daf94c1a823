"""The socket port: one suite for picows on real sockets and for the network in memory."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connections.picows_peer import PicowsServer
from virtufin_examples.connections import (
    MemoryNetwork,
    PicowsNetwork,
    SocketConnectError,
    SystemClock,
    UpgradeRefusedError,
)
from virtufin_examples.connections._assembly import MessageAssembler, ProtocolViolationError
from virtufin_examples.connections._picows_network import HANDED_ON_FRAMES
from virtufin_examples.errors import UnavailableError

LIMIT = 1000
TEXT, BINARY, CONTINUATION, PING, PONG = 1, 2, 0, 9, 10


class Sink:
    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bool]] = []
        self.batches: list[int] = []
        self.times: list[int] = []
        self.headers = None
        self.socket = None
        self.end = asyncio.get_running_loop().create_future()
        self._arrived = asyncio.Event()

    def opened(self, socket, headers) -> None:
        assert self.socket is None
        self.socket, self.headers = socket, headers

    def received(self, payloads, received_ns, *, binary) -> None:
        assert self.socket is not None
        assert not self.end.done()
        self.messages += [(payload, binary) for payload in payloads]
        self.batches.append(len(payloads))
        self.times.append(received_ns)
        self._arrived.set()

    def closed(self, end) -> None:
        self.end.set_result(end)

    async def until(self, count: int):
        while len(self.messages) < count:
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 5)
        return self.messages

    async def ended(self):
        return await asyncio.wait_for(asyncio.shield(self.end), 5)


class MemoryWorld:
    url = "ws://exchange/feed"

    def __init__(self) -> None:
        self.network = MemoryNetwork(SystemClock(), max_message_bytes=LIMIT)
        self.server = self.network.serve(self.url, {"x-virtufin-simulated": "1"})
        self.nowhere = "ws://nobody/"

    async def stop(self) -> None:
        pass


class PicowsWorld:
    def __init__(self, server) -> None:
        self.server = server
        self.url = server.url
        self.network = PicowsNetwork(max_message_bytes=LIMIT, connect_timeout_seconds=5)
        self.nowhere = "ws://127.0.0.1:1/"

    async def stop(self) -> None:
        await self.server.stop()


@pytest.fixture(params=["memory", "picows"])
async def world(request):
    if request.param == "memory":
        world = MemoryWorld()
    else:
        world = PicowsWorld(await PicowsServer({"x-virtufin-simulated": "1"}).start())
    yield world
    await world.stop()


@pytest.fixture
async def link(world):
    sink = Sink()
    socket = await world.network.connect(world.url, {"User-Agent": "test"}, sink)
    yield sink, socket, await world.server.accept()
    socket.close(1000, "")
    await socket.wait_closed()


async def test_the_upgrade_shows_the_headers_of_both_sides(link):
    sink, socket, peer = link
    assert sink.socket is socket
    assert sink.headers["x-virtufin-simulated"] == "1"
    assert {name.lower(): value for name, value in peer.request_headers.items()}["user-agent"] == "test"


async def test_messages_arrive_whole_and_in_order(link):
    sink, _, peer = link
    peer.send_text("one")
    peer.send_binary(b"\xff\x00")
    peer.send_text("drei ä€𝄞")
    peer.send_text("")
    assert await sink.until(4) == [
        (b"one", False),
        (b"\xff\x00", True),
        ("drei ä€𝄞".encode(), False),
        (b"", False),
    ]


async def test_messages_of_one_read_share_a_batch_even_when_a_ping_ends_it(link):
    sink, _, peer = link
    for number in range(5):
        peer.send_text(str(number))
    peer.send_frame(PING, b"are you there")
    await sink.until(5)
    assert sum(sink.batches) == 5
    assert len(sink.batches) < 5 or len(set(sink.times)) == len(sink.batches)


async def test_a_large_read_is_handed_on_in_parts():
    world = PicowsWorld(await PicowsServer({}).start())
    sink = Sink()
    socket = await world.network.connect(world.url, {}, sink)
    peer = await world.server.accept()
    socket.pause_reading()
    count = 8 * HANDED_ON_FRAMES
    for number in range(count):
        peer.send_text(str(number))
    socket.resume_reading()
    assert await sink.until(count) == [(b"%d" % number, False) for number in range(count)]
    assert max(sink.batches) == HANDED_ON_FRAMES
    assert sink.times == sorted(sink.times)
    socket.close(1000, "")
    await socket.wait_closed()
    await world.stop()


async def test_what_is_sent_arrives(link):
    _, socket, peer = link
    socket.send_text(b'{"a":1}')
    socket.send_binary(b"\x00\x01")
    assert await peer.receive() == (b'{"a":1}', False)
    assert await peer.receive() == (b"\x00\x01", True)


async def test_fragments_become_one_message_with_control_frames_between(link):
    sink, _, peer = link
    euro = "€".encode()
    peer.send_frame(TEXT, b"price " + euro[:1], final=False)
    peer.send_frame(PING, b"")
    peer.send_frame(CONTINUATION, euro[1:2], final=False)
    peer.send_frame(CONTINUATION, euro[2:])
    assert await sink.until(1) == [("price €".encode(), False)]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(TEXT, b"\xc3\x28", True, False)], 1007),
        ([(TEXT, b"\xc3", False, False), (CONTINUATION, b"\x28", True, False)], 1007),
        ([(TEXT, b"compressed?", True, True)], 1002),
        ([(PING, b"", True, True)], 1002),
        ([(CONTINUATION, b"of nothing", True, False)], 1002),
        ([(TEXT, b"a", False, False), (TEXT, b"b", True, False)], 1002),
        ([(3, b"", True, False)], 1002),
        ([(BINARY, b"x" * (LIMIT + 1), True, False)], 1009),
        ([(BINARY, b"x" * LIMIT, False, False), (CONTINUATION, b"x", True, False)], 1009),
    ],
    ids=[
        "not UTF-8",
        "not UTF-8 across fragments",
        "reserved bit",
        "reserved bit in a ping",
        "continuation of nothing",
        "message inside a message",
        "unknown opcode",
        "too large",
        "too large in fragments",
    ],
)
async def test_a_violation_closes_and_what_came_before_is_kept(link, frames, code):
    sink, socket, peer = link
    peer.send_text("good")
    await sink.until(1)
    peer.send_text("also good")
    for opcode, payload, final, reserved in frames:
        peer.send_frame(opcode, payload, final=final, reserved=reserved)
    peer.send_text("after")

    end = await sink.ended()

    assert (end.code, end.violation) == (code, True)
    assert sink.messages == [(b"good", False), (b"also good", False)]
    assert peer.closed[0] == code if peer.closed else True
    with pytest.raises(UnavailableError):
        socket.send_text(b"too late")


async def test_an_orderly_close_of_the_peer_names_its_code(link):
    sink, _, peer = link
    peer.send_text("last")
    peer.close(1001, "maintenance")
    end = await sink.ended()
    assert (end.code, end.reason, end.violation) == (1001, "maintenance", False)
    assert sink.messages == [(b"last", False)]


async def test_a_cut_link_is_an_abnormal_end(link):
    sink, _, peer = link
    peer.cut()
    assert (await sink.ended()).code == 1006


async def test_our_close_reaches_the_peer_and_nothing_comes_after_it(link):
    sink, socket, peer = link
    socket.close(1001, "bye")
    socket.close(1000, "again")
    end = await sink.ended()
    await socket.wait_closed()
    assert (end.code, end.reason) == (1001, "bye")
    assert peer.closed == (1001, "bye")


async def test_a_refused_upgrade_shows_status_and_headers(world):
    world.server.answers.append(UpgradeRefusedError(429, {"retry-after": "7"}))
    with pytest.raises(UpgradeRefusedError) as caught:
        await world.network.connect(world.url, {}, Sink())
    assert caught.value.status == 429
    assert caught.value.headers["retry-after"] == "7"


async def test_nobody_there(world):
    with pytest.raises(SocketConnectError):
        await world.network.connect(world.nowhere, {}, Sink())


async def test_pausing_holds_the_peer_back(link):
    sink, socket, peer = link
    socket.pause_reading()
    peer.send_text("waits")
    for _ in range(20):
        await asyncio.sleep(0)
    assert sink.messages == []
    socket.resume_reading()
    await sink.until(1)


async def test_a_redirect_is_a_refusal():
    server = await PicowsServer().start()
    try:
        from picows import WSUpgradeResponse, WSUpgradeResponseWithListener

        def redirect(_request):
            response = WSUpgradeResponse.create_redirect_response(302, "ws://elsewhere.example/")
            return WSUpgradeResponseWithListener(response, None)

        server._upgrade = redirect
        await server.stop()
        await server.start()
        with pytest.raises(UpgradeRefusedError) as caught:
            await PicowsNetwork().connect(server.url, {}, Sink())
        assert caught.value.status == 302
    finally:
        await server.stop()


async def test_a_server_that_never_answers_is_given_up():
    left = asyncio.Event()

    async def hang(reader, writer):
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SocketConnectError):
            await PicowsNetwork(connect_timeout_seconds=0.05).connect(f"ws://127.0.0.1:{port}/", {}, Sink())
        await asyncio.wait_for(left.wait(), 5)
    finally:
        server.close()
        await server.wait_closed()


@given(payload=st.binary(max_size=60), cuts=st.lists(st.integers(0, 60), max_size=6), binary=st.booleans())
def test_however_a_message_is_cut_it_comes_out_as_it_was_or_is_refused(payload, cuts, binary):
    bounds = [0, *sorted(min(cut, len(payload)) for cut in cuts), len(payload)]
    pieces = [payload[a:b] for a, b in itertools.pairwise(bounds)]

    def assemble():
        assembler = MessageAssembler(60)
        for number, piece in enumerate(pieces):
            opcode = CONTINUATION if number else (BINARY if binary else TEXT)
            result = assembler.accept(opcode, piece, final=number == len(pieces) - 1, reserved=False)
        return result

    if binary or is_utf8(payload):
        assert assemble() == (payload, binary)
    else:
        with pytest.raises(ProtocolViolationError, match="not UTF-8"):
            assemble()


def is_utf8(payload: bytes) -> bool:
    return payload.decode(errors="replace").encode() == payload


async def test_a_ping_of_ours_is_answered_and_counted():
    server = await PicowsServer().start()
    try:
        sink = Sink()
        socket = await PicowsNetwork().connect(server.url, {}, sink)
        peer = await server.accept()
        socket.ping()
        socket.ping()
        socket.send_text(b"after the pings")
        await peer.receive()
        peer.send_text("after the pongs")
        assert await sink.until(1) == [(b"after the pongs", False)]
        assert socket.pongs == 2
        socket.close(1000, "")
        await socket.wait_closed()
        with pytest.raises(UnavailableError):
            socket.ping()
    finally:
        await server.stop()


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("after_request", [False, True])
async def test_a_link_that_ends_before_the_upgrade_is_answered_is_a_failed_try(reset, after_request):
    async def end(reader, writer):
        if after_request:
            await reader.readuntil(b"\r\n\r\n")
        if reset:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    server = await asyncio.start_server(end, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SocketConnectError):
            await PicowsNetwork().connect(f"ws://127.0.0.1:{port}/", {}, Sink())
    finally:
        server.close()
        await server.wait_closed()
