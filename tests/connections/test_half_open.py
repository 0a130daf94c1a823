"""Two sockets of which one or both are half-open: the venue sends, nothing comes, and nobody is told."""

from __future__ import annotations

import pytest

from tests.connections.toy_feed import doubled, feed, next_socket
from virtufin_examples.connections import GenericConnector, HandshakeMessage, settle
from virtufin_examples.frames import Cause, Frame


def told(world):
    """Data, and of each gap whether it has ended; without the venue's answers."""
    return [
        item.text if isinstance(item, Frame) else item.ended
        for item in world.items
        if not (isinstance(item, Frame) and item.text.startswith("!"))
    ]


async def both_say(world, text, *peers):
    for peer in peers:
        peer.send_text(text)
    await settle()


async def lose_both(world):
    """Both sockets are half-open from now on; five seconds later the second is cut. Returns when that was."""
    connection, first, second = await doubled(world)
    await both_say(world, "A 0 before", first, second)
    silent_ns = world.clock.now_ns()
    first.is_half_open = second.is_half_open = True
    await world.clock.advance(5)
    second.cut()
    third, _ = await next_socket(world, 2)
    return connection, first, third, silent_ns


async def silent_and_a_third(world):
    """The first socket is half-open, the second was cut, a third is opening. Returns since when."""
    _, first, second = await doubled(world)
    await both_say(world, "A 0 before", first, second)
    silent_ns = world.clock.now_ns()
    first.is_half_open = True
    second.cut()
    await world.clock.advance(1)
    return first, await world.server.accept(), silent_ns


async def test_what_two_silent_sockets_lost_is_announced_before_the_data_of_the_third(world):
    _, _, third, silent_ns = await lose_both(world)
    up_ns = world.clock.now_ns()
    third.send_text("A 0 after")
    await settle()
    assert told(world) == ["A 0 before"]  # the first socket may still bring it, and what came before it
    await world.clock.advance(3)
    (gap,) = world.gaps
    assert (gap.cause, gap.from_ns, gap.to_ns) == (Cause.RECONNECT, silent_ns, up_ns)
    assert (gap.epoch_before, gap.epoch_after) == (1, 3)
    assert told(world) == ["A 0 before", True, "A 0 after"]


async def test_it_is_announced_once_though_the_other_socket_is_found_dead_later(world):
    connection, first, third, _ = await lose_both(world)
    fourth, _ = await next_socket(world, 40)
    third.send_text("A 0 after")
    fourth.send_text("A 0 after")
    await world.clock.advance(3)
    assert first.closed is not None
    assert told(world) == ["A 0 before", True, "A 0 after"]
    assert connection.is_live


async def test_when_the_other_socket_is_gone_nothing_is_waited_for(world):
    _, first, third, silent_ns = await lose_both(world)
    third.send_text("A 0 after")
    await settle()
    first.cut()
    await settle()
    assert told(world) == ["A 0 before", True, "A 0 after"]
    assert world.gaps[0].from_ns == silent_ns


@pytest.mark.parametrize("sign", ["frame", "pong"])
async def test_a_sign_of_life_of_the_other_socket_proves_that_nothing_is_missing(world, sign):
    _, first, second = await doubled(world)
    await both_say(world, "A 0 before", first, second)
    first.answers_pings = sign == "pong"
    await world.clock.advance(5)
    second.cut()
    third, _ = await next_socket(world, 2)
    if sign == "frame":
        first.send_text("A 0 still here")
        await settle()
    first.is_half_open = True
    await world.clock.advance(3)
    third.send_text("A 0 after")
    await next_socket(world, 60)
    await world.clock.advance(3)
    assert world.gaps == []
    assert told(world)[-1] == "A 0 after"


async def test_every_time_that_no_socket_vouches_for_is_announced(world):
    _, first, third, _ = await lose_both(world)
    third.send_text("A 0 after")
    await world.clock.advance(3)
    third_ns = world.clock.now_ns()
    third.send_text("A 0 last of the third")
    await settle()
    third.cut()
    fourth, _ = await next_socket(world, 2)
    up_ns = world.clock.now_ns()
    fourth.send_text("A 0 fourth")
    await world.clock.advance(3)
    assert told(world) == ["A 0 before", True, "A 0 after", "A 0 last of the third", True, "A 0 fourth"]
    assert (world.gaps[1].from_ns, world.gaps[1].to_ns) == (third_ns, up_ns)
    assert first.closed is None


async def test_what_waited_for_a_socket_that_is_gone_needs_no_gap_where_one_vouches_for_it(world):
    _, first, second = await doubled(world)
    await both_say(world, "A 0 before", first, second)
    first.answers_pings = True
    second.cut()
    third, _ = await next_socket(world, 2)
    third.send_text("A 0 after")
    await settle()
    assert told(world) == ["A 0 before"]
    third.cut()
    first.cut()
    await settle()
    assert told(world) == ["A 0 before", "A 0 after"]


async def test_data_before_the_last_answer_of_the_handshake_come_behind_a_gap_that_goes_on(world):
    _, third, silent_ns = await silent_and_a_third(world)
    third.send_text("!ok")
    third.send_text("A 0 early")
    await world.clock.advance(2.5)
    assert told(world) == ["A 0 before", False, "A 0 early"]
    third.send_text("!set A")
    await settle()
    up_ns = world.clock.now_ns()
    await world.clock.advance(3)
    assert told(world) == ["A 0 before", False, "A 0 early", True]
    assert (world.gaps[-1].from_ns, world.gaps[-1].to_ns) == (silent_ns, up_ns)


async def test_a_socket_that_was_never_confirmed_vouches_for_nothing(world):
    first, third, silent_ns = await silent_and_a_third(world)
    third.send_text("A 0 early")
    await settle()
    first.cut()
    await settle()
    assert told(world) == ["A 0 before", False, "A 0 early"]
    third.cut()
    fourth, _ = await next_socket(world, 5)
    fourth.send_text("A 0 after")
    await world.clock.advance(3)
    assert told(world) == ["A 0 before", False, "A 0 early", True, "A 0 after"]
    assert world.gaps[-1].from_ns == silent_ns


async def test_an_old_socket_that_is_silent_while_its_successor_comes_up_leaves_a_gap(world):
    _, old = await feed(world, "A", options={"renew_at": "22:14"})  # the clock begins at 22:13:20 UTC
    old.send_text("A 0 before")
    await world.clock.advance(25)
    silent_ns = world.clock.now_ns()
    old.send_text("A 0 last")
    await settle()
    old.is_half_open = True
    successor, _ = await next_socket(world, 60)
    up_ns = world.clock.now_ns()
    assert old.closed is None
    successor.send_text("A 0 after")
    await world.clock.advance(3)
    assert old.closed is not None
    assert told(world) == ["A 0 before", "A 0 last", True, "A 0 after"]
    assert (world.gaps[0].from_ns, world.gaps[0].to_ns) == (silent_ns, up_ns)


async def test_a_quiet_old_socket_that_answers_a_ping_leaves_none(world):
    _, old = await feed(world, "A", options={"renew_at": "22:14"})
    old.send_text("A 0 before")
    successor, _ = await next_socket(world, 60)
    successor.send_text("A 0 after")
    await world.clock.advance(3)
    assert old.closed is not None
    assert told(world) == ["A 0 before", "A 0 after"]


async def test_the_same_holds_where_the_venue_answers_nothing(world):
    connection = world.connection(connector=GenericConnector(), options={"redundancy": "2"})
    await connection.start()
    first = await world.server.accept()
    await connection.send(HandshakeMessage(b"subscribe"))
    connection.publish_to(world)
    second = await world.server.accept()
    await settle()
    await both_say(world, "before", first, second)
    silent_ns = world.clock.now_ns()
    first.is_half_open = second.is_half_open = True
    await world.clock.advance(5)
    second.cut()
    third, _ = await next_socket(world, 2)
    third.send_text("after")
    await world.clock.advance(3)
    assert told(world) == ["before", True, "after"]
    assert world.gaps[0].from_ns == silent_ns


@pytest.mark.parametrize("hours", [-5, 5])
async def test_a_clock_that_is_set_hides_none(world, hours):
    _, first, second = await doubled(world)
    await both_say(world, "A 0 before", first, second)
    first.is_half_open = second.is_half_open = True
    world.clock.set_wall(hours * 3600)
    await world.clock.advance(4)
    second.cut()
    third, _ = await next_socket(world, 2)
    third.send_text("A 0 after")
    await world.clock.advance(3)
    assert told(world) == ["A 0 before", True, "A 0 after"]
    assert world.gaps[0].from_ns <= world.gaps[0].to_ns
