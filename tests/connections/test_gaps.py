"""Where a gap stands and what its bounds are, also when a clock is set."""

from __future__ import annotations

import pytest

from tests.connections.toy_feed import agree, feed
from tests.connections.toy_venue import ToyConnector
from tests.connections.world import opened
from virtufin_examples.connections import (
    settle,
)
from virtufin_examples.frames import Cause, Gap


async def test_holes_in_the_venues_numbers_are_announced_before_the_frame(world):
    _, peer = await feed(world, "A", options={"watch": "every"})
    for number in (5, 6, 9):
        peer.send_text(f"A {number}")
    await settle()
    data = [item for item in world.items if isinstance(item, Gap) or item.text.startswith("A")]
    gap = data.pop(2)  # in its place, though all came with one read
    assert (gap.cause, gap.symbols, gap.venue_from, gap.venue_to) == (
        Cause.VENUE_SEQUENCE,
        ("A",),
        7,
        8,
    )
    assert world.frames == ["A 5", "A 6", "A 9"]


async def test_data_before_the_last_answer_of_the_handshake_come_after_the_gap(world):
    _, peer = await feed(world, "A", "B")
    peer.send_text("A 1")
    await settle()
    peer.cut()
    await world.clock.advance(1)
    second = await world.server.accept()
    await settle()
    for text in ("!ok", "!set A", "A 5", "!set A B"):
        second.send_text(text)
        await settle()
    items = [item.ended if isinstance(item, Gap) else item.text for item in world.items]
    assert items == ["A 1", "!ok", "!set A", False, "A 5", "!set A B", True]


async def broken(world, *symbols):
    """A toy feed whose second socket has just been accepted; its first had brought one frame."""
    _, peer = await feed(world, *symbols)
    peer.send_text("A 1 before")
    await settle()
    peer.cut()
    await world.clock.advance(0.5)
    return await world.server.accept()


def told(world):
    """Frames by text, gaps by whether they had ended."""
    return [item.ended if isinstance(item, Gap) else item.text for item in world.items]


async def test_data_that_come_with_the_last_answer_stand_behind_the_gap(world):
    second = await broken(world, "A")
    second.send_text("!ok")
    await settle()
    second.send_text("!set A")
    second.send_text("A 7 after")
    second.send_text("A 8 later")
    await settle()
    assert told(world) == ["A 1 before", "!ok", "!set A", True, "A 7 after", "A 8 later"]
    assert world.gaps[0].to_ns == world.items[-1].received_ns


async def test_data_that_come_before_the_last_answer_stand_behind_a_gap_that_has_not_ended(world):
    second = await broken(world, "A", "B")
    second.send_text("!ok")
    second.send_text("A 7 too early")
    second.send_text("A 8 too early")
    await settle()
    for _ in range(2):
        second.send_text("!set A B")
        await settle()
    early = ["A 7 too early", "A 8 too early"]
    assert told(world) == ["A 1 before", "!ok", False, *early, "!set A B", "!set A B", True]


async def test_where_the_url_says_it_all_the_first_data_stand_behind_the_gap(world):
    connection, peer = await opened(world, connector=ToyConnector())
    connection.publish_to(world)
    peer.send_text("A 1 before")
    await settle()
    peer.cut()
    await world.clock.advance(0.5)
    second = await world.server.accept()
    second.send_text("A 7 after")
    await settle()
    assert told(world) == ["A 1 before", True, "A 7 after"]
    await world.clock.advance(1.0)
    assert connection.is_live
    assert told(world) == ["A 1 before", True, "A 7 after"]


@pytest.mark.parametrize("hours", [-5, 5])
async def test_a_clock_that_is_set_ends_no_socket_and_calls_nothing_stale(world, hours):
    connection, peer = await feed(world, "A")
    for number in range(20):
        peer.send_text(f"A {number} x")
        await world.clock.advance(1.0)
    world.clock.set_wall(hours * 3600)
    for number in range(20, 40):
        peer.send_text(f"A {number} x")
        await world.clock.advance(1.0)
    assert len(world.frames) == 40
    assert world.markers == []
    assert peer.closed is None
    assert connection.is_live
    assert connection.stream.last_received_ns == world.items[-1].received_ns


@pytest.mark.parametrize("hours", [-5, 5])
async def test_a_clock_that_is_set_during_a_break_leaves_a_gap_whose_bounds_are_in_order(world, hours):
    _, peer = await feed(world, "A")
    peer.send_text("A 1 before")
    await settle()
    peer.cut()
    await settle()
    world.clock.set_wall(hours * 3600)
    await world.clock.advance(0.5)
    second = await world.server.accept()
    await agree(second)
    second.send_text("A 2 after")
    await settle()
    (gap,) = world.gaps
    assert gap.from_ns <= gap.to_ns <= world.items[-1].received_ns
    assert world.frames[-1] == "A 2 after"


@pytest.mark.parametrize("hours", [-5, 5])
async def test_a_clock_that_is_set_holds_back_no_frame_of_two_sockets(world, hours):
    _, first = await feed(world, "A", options={"redundancy": "2"})
    second = await world.server.accept()
    await agree(second)
    for peer in (first, second):
        peer.send_text("A 1 x")
        peer.send_text("A 2 x")
    await world.clock.advance(3.0)
    first.send_text("A 5 x")  # 3 and 4 may still come by the other
    await settle()
    world.clock.set_wall(hours * 3600)
    await world.clock.advance(3.0)
    assert world.frames[-1] == "A 5 x"
