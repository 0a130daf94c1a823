"""The fault proxy itself: what each fault does to the bytes of a link, and that a seed repeats it."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connections.raw_peer import TEXT, frame
from tests.faults.plan import LOSING, PAUSE_SECONDS, Fault, Kind, Line, Weather, corrupted, random_plan
from tests.faults.proxy import FaultProxy
from tests.faults.tap import VenueTap
from virtufin_examples.audit import VenueAccount, content_digest


class Server:
    """Greets, sends back what it gets, and notes how its links ended."""

    def __init__(self) -> None:
        self.ends: asyncio.Queue[str] = asyncio.Queue()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            self.ends.put_nowait("closed")
        except ConnectionError:
            self.ends.put_nowait("reset")
        finally:
            writer.close()

    async def ended(self) -> str:
        return await asyncio.wait_for(self.ends.get(), 5)


@asynccontextmanager
async def linked(**parts):
    async with Server() as server, FaultProxy(server.address, seed=1, **parts) as proxy:
        host, _, port = proxy.address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        try:
            yield proxy, server, reader, writer
        finally:
            writer.close()


async def test_without_a_fault_bytes_pass_as_they_are():
    payload = bytes(range(256)) * 2000
    async with linked() as (_, server, reader, writer):
        writer.write(payload)
        assert await asyncio.wait_for(reader.readexactly(len(payload)), 5) == payload
        writer.close()
        assert await server.ended() == "closed"


async def test_a_cut_ends_both_sides_in_order_and_refuses_new_links_until_it_is_over():
    async with linked() as (proxy, server, reader, _):
        await proxy.strike(Fault(Kind.CUT, 0, 0.2))
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert await server.ended() == "closed"
        host, _, port = proxy.address.partition(":")
        async with asyncio.timeout(5):
            while True:
                again, writer = await asyncio.open_connection(host, int(port))
                try:
                    writer.write(b"again")
                    assert await again.readexactly(5) == b"again"
                    break
                except (ConnectionError, asyncio.IncompleteReadError):
                    assert proxy.refused
                finally:
                    writer.close()
        assert proxy.refused


async def test_a_reset_is_one_on_both_sides():
    async with linked() as (proxy, server, reader, _):
        await proxy.strike(Fault(Kind.RESET, 0, 0.1))
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
        assert await server.ended() == "reset"


async def test_half_open_swallows_everything_and_resets_at_the_end():
    async with linked() as (proxy, server, reader, writer):
        striking = asyncio.create_task(proxy.strike(Fault(Kind.HALF_OPEN, 0, 0.3)))
        await asyncio.sleep(0)
        writer.write(b"into the void")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.readexactly(1), 5)
        await striking
        assert await server.ended() == "reset"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.STALL, 0, 0.3),
        Fault(Kind.LATENCY, 0, 5, 0.2),
        Fault(Kind.BANDWIDTH, 0, 0.3, 1000),
        Fault(Kind.SLICING, 0, 5, 7),
    ],
    ids=lambda fault: fault.kind,
)
async def test_what_is_delayed_or_cut_small_arrives_whole(fault):
    payload = bytes(range(256)) * 8
    async with linked() as (proxy, _, reader, writer):
        await proxy.strike(fault)
        began = time.monotonic()
        writer.write(payload)
        assert await asyncio.wait_for(reader.readexactly(len(payload)), 10) == payload
        if fault.kind is not Kind.SLICING:
            assert time.monotonic() - began >= 0.2


async def test_corruption_turns_one_bit_of_what_the_server_sent():
    async with linked() as (proxy, _, reader, writer):
        await proxy.strike(Fault(Kind.CORRUPT, 0, 0))
        writer.write(b"0123456789")
        got = await asyncio.wait_for(reader.readexactly(10), 5)
        assert [(a, b) for a, b in zip(b"0123456789", got, strict=True) if a ^ b] == [
            (each ^ 0x80, each) for each in got if each & 0x80
        ]
        assert sum(each & 0x80 != 0 for each in got) == 1


async def test_the_account_of_a_link_is_what_came_and_what_passed():
    account = VenueAccount()

    def tap():
        return VenueTap(account, lane="venue", is_control=lambda payload: payload == b"hi")

    async with linked(new_tap=tap) as (proxy, _, reader, writer):
        stream = [b"\r\n\r\n", frame(TEXT, b"hi"), frame(TEXT, b"one"), frame(TEXT, b"x" * 300)]
        writer.write(b"".join(stream))
        await asyncio.wait_for(reader.readexactly(sum(map(len, stream))), 5)
        assert account.others == {content_digest(b"hi")}
        assert [(each.digest, each.copies) for each in account.entries] == [
            (content_digest(b"one"), 1),
            (content_digest(b"x" * 300), 1),
        ]
        await proxy.strike(Fault(Kind.STALL, 0, 0.2))
        writer.write(frame(TEXT, b"held"))
        async with asyncio.timeout(5):
            while len(account.entries) < 3:  # noqa: ASYNC110 - the account is no event
                await asyncio.sleep(0)
        await proxy.strike(Fault(Kind.RESET, 0, 0.0))
        with pytest.raises(ConnectionResetError):
            await reader.read()
    assert account.entries[2].sent_ns == account.sockets[0].closed_ns


async def test_a_frame_that_never_left_the_proxy_counts_as_sent_when_the_link_ended():
    account, times = VenueAccount(), iter(range(1, 100))
    tap = VenueTap(account, lane="venue", is_control=lambda _: False, now_ns=lambda: next(times))
    first, second = frame(TEXT, b"one"), frame(TEXT, b"two")
    tap.came(b"\r\n\r\n" + first + second)
    tap.passed(4 + len(first))
    passed_ns = account.entries[0].sent_ns
    tap.closed()
    assert [each.copies for each in account.entries] == [1, 1]
    assert account.entries[1].sent_ns == account.sockets[0].closed_ns > passed_ns


def test_a_seed_gives_the_same_plan_and_twenty_give_all_kinds():
    assert random_plan(3) == random_plan(3)
    assert random_plan(3) != random_plan(4)
    assert {fault.kind for seed in range(20) for fault in random_plan(seed)} == set(Kind)


def test_a_plan_has_the_asked_number_of_faults_and_they_do_not_overlap():
    for seed in range(20):
        plan = random_plan(seed, losing=1, slowing=3, corrupts=False)
        assert len([fault for fault in plan if fault.kind in LOSING]) == 1
        assert len(plan) == 4
        for before, after in itertools.pairwise(plan):
            assert after.at >= before.at + before.seconds + PAUSE_SECONDS


@given(
    faults=st.lists(
        st.tuples(
            st.sampled_from([Kind.LATENCY, Kind.BANDWIDTH, Kind.SLICING, Kind.STALL]),
            st.floats(0, 3),
            st.floats(1, 50),
        ),
        max_size=5,
    ),
    arrivals=st.lists(st.tuples(st.floats(0, 2), st.binary(min_size=1, max_size=200)), max_size=8),
)
def test_a_line_keeps_every_byte_and_their_order(faults, arrivals):
    weather = Weather()
    for kind, seconds, amount in faults:
        weather.begin(Fault(kind, 0, seconds, amount), 0.0)
    line = Line(weather)
    now, out = 0.0, []
    for pause, data in arrivals:
        now += pause
        pieces = line.admit(data, now)
        assert all(due >= now for due, _ in pieces)
        out += pieces
    assert b"".join(piece for _, piece in out) == b"".join(data for _, data in arrivals)
    assert [due for due, _ in out] == sorted(due for due, _ in out)


@given(st.binary(min_size=1), st.integers(0, 10_000))
def test_corruption_makes_ascii_no_utf8(data, position):
    ascii_only = bytes(each & 0x7F for each in data)
    with pytest.raises(UnicodeDecodeError):
        corrupted(ascii_only, position).decode()
