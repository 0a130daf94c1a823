"""Links and data that fall silent: found, announced and mended, on a clock moved by hand."""

from __future__ import annotations

import itertools

import pytest

from tests.connections.toy_feed import agree, doubled, feed, next_socket, steady
from tests.connections.toy_venue import ToyConnector
from tests.connections.world import opened
from virtufin_examples.connections import (
    HandshakeMessage,
    State,
    settle,
)
from virtufin_examples.frames import Cause, Gap, Restored, Stale


async def test_a_half_open_socket_is_found_by_a_ping_and_replaced(world):
    connection, peer = await opened(world)
    connection.publish_to(world)
    peer.send_text("x")
    await settle()
    peer.is_half_open = True
    await world.clock.advance(20 + 10 + 3)
    assert peer.pings == 1
    second = await world.server.accept()
    second.send_text("y")
    await settle()
    assert world.frames == ["x", "y"]
    assert [gap.cause for gap in world.gaps][-1] is Cause.RECONNECT
    assert "HalfOpen" in world.errors()


async def test_a_quiet_link_that_answers_pings_is_left_alone(world):
    connection, peer = await opened(world)
    await world.clock.advance(600)
    assert (connection.state, len(world.server.attempts)) == (State.CONNECTED, 1)
    assert peer.pings > 10


async def test_a_link_that_we_do_not_read_is_not_called_dead(world):
    connection, peer = await opened(world)
    connection.pause_reading()
    peer.answers_pings = False
    await world.clock.advance(120)
    assert (connection.state, peer.pings) == (State.CONNECTED, 0)


async def test_data_that_stop_are_marked_stale_the_socket_replaced_and_the_return_marked(world):
    connection, peer = await feed(world, "A")
    await steady(world, peer)
    await world.clock.advance(12)
    assert [type(marker) for marker in world.markers] == [Stale]
    assert world.markers[0].symbols == ()
    assert "DataStopped" in world.errors()
    second = await world.server.accept()
    await agree(second)
    second.send_text("A 0 back")
    await world.clock.advance(2)
    assert [type(marker) for marker in world.markers if not isinstance(marker, Gap)] == [Stale, Restored]
    assert any(isinstance(marker, Gap) for marker in world.markers)
    assert connection.state is State.CONNECTED


async def silent_socket(world, connector=None):
    """A feed whose data have stopped, and the socket after that: its handshake is answered, nothing comes."""
    connection, peer = await feed(world, "A", connector=connector)
    await steady(world, peer)
    second, _ = await next_socket(world, 15)
    return connection, second


async def test_what_is_confirmed_and_does_not_come_is_asked_for_again_on_the_same_socket(world):
    _, second = await silent_socket(world)
    await world.clock.advance(13)
    assert [(await second.receive())[0] for _ in range(second.waiting())] == [b"sub A"]
    second.send_text("!set A")
    second.send_text("A 0 back")
    await world.clock.advance(2)
    kinds = [type(marker) for marker in world.markers if not isinstance(marker, Gap)]
    assert kinds == [Stale, Restored]
    assert len(world.server.attempts) == 2


async def test_a_socket_that_brings_nothing_though_asked_again_is_replaced_and_the_next_one_heals(world):
    _, second = await silent_socket(world)
    await world.clock.advance(13)
    second.send_text("!set A")
    third, said = await next_socket(world, 12)
    assert said == ["auth", "sub A"]
    third.send_text("A 0 back")
    await world.clock.advance(2)
    assert world.frames[-1] == "A 0 back"
    assert isinstance(world.markers[-1], Restored)


@pytest.mark.parametrize("greeting", [None, "A 0 snapshot"])
async def test_a_feed_that_stays_dead_is_reconnected_ever_more_rarely(world, greeting):
    await silent_socket(world)
    tries = []
    for _ in range(4 * 3600):
        await world.clock.advance(1)
        if len(world.server.attempts) > 2 + len(tries):
            tries.append(world.clock.monotonic())
            socket = await world.server.accept()
            await agree(socket)
            if greeting:
                socket.send_text(greeting)
    pauses = [after - before for before, after in itertools.pairwise(tries)]
    assert len(tries) <= 22
    assert all(after >= before * 0.9 for before, after in itertools.pairwise(pauses))
    assert min(pauses[-2:]) >= 900


async def test_a_feed_of_which_nothing_is_known_is_asked_for_again_and_its_socket_left_alone(world):
    connection, peer = await feed(world, "A")
    asked = []
    for _ in range(3600):
        await world.clock.advance(1)
        while peer.waiting():
            asked.append((world.clock.monotonic(), (await peer.receive())[0]))
            peer.send_text("!set A")
    assert [payload for _, payload in asked] == [b"sub A"] * len(asked)
    assert [round(at) for at, _ in asked[:3]] == [31, 91, 211]
    assert len(asked) <= 8
    told = [event for event in world.events if event.kind == "asked_again"]
    assert [event.attempt for event in told] == list(range(1, len(asked) + 1))
    assert told[0].reason.startswith("no data for 3")
    assert connection.asked_again == len(asked)
    assert world.markers == []
    assert len(world.server.attempts) == 1


async def test_a_symbol_that_stops_or_never_comes_is_asked_for_again_without_a_gap(world):
    connection, peer = await feed(world, "A", "B", "C")
    asked = []
    for second in range(120):
        peer.send_text(f"A 0 {second}")
        if second < 40:
            peer.send_text(f"B 0 {second}")
        await world.clock.advance(1)
        while peer.waiting():
            asked.append((second, (await peer.receive())[0].decode()))
            peer.send_text("!set A B C")
    times = sorted({second for second, _ in asked})
    assert [each for _, each in asked[:3]] == ["sub A", "sub B", "sub C"]
    assert len(times) == 4  # C after 30 and 90 s, B when it is stale and a minute later
    told = [event for event in world.events if event.kind == "asked_again"]
    assert [event.attempt for event in told] == [1, 2, 3, 4]  # whole subscriptions, of three messages each
    assert {event.reason for event in told} == {"nothing of C", "nothing of B"}
    assert connection.asked_again == 4
    assert [(type(marker), marker.symbols) for marker in world.markers] == [(Stale, ("B",))]
    assert len(world.server.attempts) == 1


async def test_a_closed_market_is_not_asked_and_its_sockets_are_left_alone(world):
    connector = ToyConnector()
    _, second = await silent_socket(world, connector)
    connector.is_open = False
    await world.clock.advance(3600)
    assert (second.waiting(), len(world.server.attempts)) == (0, 2)


async def test_of_two_sockets_the_one_that_brings_nothing_is_replaced_without_a_gap(world):
    _, first, second = await doubled(world)
    for number in range(75):
        first.send_text(f"A {number + 1}")
        await world.clock.advance(1)
        if number == 40:
            assert [(await second.receive())[0] for _ in range(second.waiting())] == [b"sub A"]
            second.send_text("!set A")
        if len(world.server.attempts) == 3:
            break
    third = await world.server.accept()
    await agree(third)
    third.send_text(f"A {number + 2}")
    await world.clock.advance(3)
    assert world.frames[-1] == f"A {number + 2}"
    assert world.markers == []
    assert len(world.server.attempts) == 3


async def test_one_symbol_that_stops_is_named_and_the_socket_stays(world):
    _, peer = await feed(world, "A", "B")
    for number in range(60):
        peer.send_text(f"A 0 {number}")
        if number < 30:
            peer.send_text(f"B 0 {number}")
        await world.clock.advance(1)
    assert [(type(marker), marker.symbols) for marker in world.markers] == [(Stale, ("B",))]
    peer.send_text("B 0 again")
    await world.clock.advance(1)
    assert [(type(marker), marker.symbols) for marker in world.markers][1:] == [(Restored, ("B",))]
    assert len(world.server.attempts) == 1
    numbers = [item.sequence for item in world.items]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_a_closed_market_does_not_trip_the_watchdog(world):
    connector = ToyConnector()
    _, peer = await feed(world, "A", connector=connector)
    await steady(world, peer)
    connector.is_open = False
    await world.clock.advance(3600)
    connector.is_open = True
    await world.clock.advance(5)
    await steady(world, peer)
    assert world.markers == []


async def test_a_given_silence_holds_from_the_first_second(world):
    await feed(world, "A", options={"quiet_seconds": "30"})
    await world.clock.advance(29)
    assert world.markers == []
    await world.clock.advance(3)
    assert [type(marker) for marker in world.markers] == [Stale]
    assert len(world.server.attempts) == 1


async def test_what_is_not_wanted_any_more_may_stop(world):
    connection, peer = await feed(world, "A", "B")
    for number in range(30):
        peer.send_text(f"A 0 {number}")
        peer.send_text(f"B 0 {number}")
        await world.clock.advance(1)
    await connection.send(HandshakeMessage(b"unsub B"))
    peer.send_text("!set A")
    await steady(world, peer, seconds=60)
    await connection.send(HandshakeMessage(b"unsub A"))
    peer.send_text("!set")
    await world.clock.advance(300)
    assert world.markers == []
    assert connection.state is State.CONNECTED
