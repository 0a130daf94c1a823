"""Sockets that are replaced by plan, and two sockets for one stream."""

from __future__ import annotations

import pytest

from tests.connections.toy_feed import agree, doubled, feed
from tests.connections.toy_venue import ToyConnector
from virtufin_examples.connections import (
    State,
    settle,
)
from virtufin_examples.errors import PreconditionError
from virtufin_examples.frames import Cause, Frame


async def test_a_planned_cut_is_made_before_break_without_repeat_or_gap(world):
    connection, peer = await feed(world, "A", options={"watch": "every"})
    for number in (1, 2):
        peer.send_text(f"A {number}")
    peer.send_text("!leave")
    await settle()
    second = await world.server.accept()
    await agree(second)
    peer.send_text("A 3")
    await settle()
    second.send_text("A 3")
    second.send_text("A 4")
    await settle()
    peer.send_text("A 4")
    await settle()
    assert peer.closed is None
    await world.clock.advance(3)
    assert peer.closed is not None
    second.send_text("A 5")
    await settle()
    assert [text for text in world.frames if text.startswith("A")] == [f"A {n}" for n in range(1, 6)]
    assert world.gaps == []
    assert (connection.state, connection.reconnects, connection.epoch) == (State.CONNECTED, 1, 2)
    assert "renewed" in world.kinds
    assert "reconnecting" not in world.kinds


async def test_a_successor_that_fails_leaves_the_old_socket_in_place(world):
    connection, peer = await feed(world, "A")
    from virtufin_examples.connections import SocketConnectError

    world.server.answers.append(SocketConnectError("no"))
    peer.send_text("!leave")
    await world.clock.advance(1)
    peer.send_text("A 0 still here")
    await settle()
    assert "A 0 still here" in world.frames
    assert "SuccessorFailed" in world.errors()
    await world.clock.advance(61)
    await agree(await world.server.accept())
    await world.clock.advance(3)
    assert connection.epoch == 2


async def test_an_old_socket_that_dies_hands_over_at_once(world):
    connection, peer = await feed(world, "A", options={"watch": "every"})
    peer.send_text("A 1")
    peer.send_text("!leave")
    await settle()
    second = await world.server.accept()
    await agree(second)
    second.send_text("A 2")
    peer.cut()
    await settle()
    assert [text for text in world.frames if text.startswith("A")] == ["A 1", "A 2"]
    assert world.gaps == []
    assert connection.state is State.CONNECTED


async def test_where_the_venue_allows_one_socket_the_break_comes_first_and_is_announced(world):
    connection, peer = await feed(world, "A", connector=ToyConnector(sockets=1))
    peer.send_text("A 0 x")
    peer.send_text("!leave")
    await settle()
    assert peer.closed is not None
    second = await world.server.accept()
    await agree(second)
    second.send_text("A 0 y")
    await settle()
    assert [gap.cause for gap in world.gaps] == [Cause.RECONNECT]
    assert connection.is_live


async def test_the_sockets_of_all_connections_of_a_scope_count_for_the_venues_limit(world):
    connector = ToyConnector(sockets=2)
    connection, peer = await feed(world, "A", connector=connector)
    other, _ = await feed(world, "B", connector=connector)
    connection.renew("by plan")
    await settle()
    assert peer.closed is not None  # no third socket: the old one goes first
    peer = await world.server.accept()
    await agree(peer)
    await other.close()
    await world.clock.advance(120)
    connection.renew("by plan")
    await settle()
    assert peer.closed is None  # there is room again
    await agree(await world.server.accept())
    await world.clock.advance(3)
    assert "renewed" in world.kinds


async def test_a_socket_is_renewed_at_the_time_that_the_user_chose(world):
    # the virtual clock begins at 22:13:20 UTC
    connector = ToyConnector(socket_seconds=86_400.0)
    _, peer = await feed(world, "A", connector=connector, options={"renew_at": "22:20", "quiet_seconds": "0"})
    await world.clock.advance(395)
    assert len(world.server.attempts) == 1
    await world.clock.advance(6)
    await agree(await world.server.accept())
    await world.clock.advance(3)
    assert peer.closed is not None


async def test_redundancy_is_refused_with_the_limit_where_one_socket_is_allowed(world):
    with pytest.raises(PreconditionError, match="allows 1 socket for toy"):
        world.connection(connector=ToyConnector(sockets=1), options={"redundancy": "2"})


async def test_of_two_sockets_the_first_arrival_of_each_frame_counts_and_one_may_fail(world):
    connection, first, second = await doubled(world)
    first.send_text("A 1")
    await settle()
    second.send_text("A 1")
    second.send_text("A 2")
    await settle()
    first.send_text("A 2")
    first.send_text("A 3")
    await settle()
    first.cut()
    await settle()
    second.send_text("A 3")
    second.send_text("A 4")
    await settle()
    assert world.frames == ["A 1", "A 2", "A 3", "A 4"]
    assert {item.epoch for item in world.items if isinstance(item, Frame)} == {1, 2}
    assert world.gaps == []
    assert (connection.state, "reconnecting" in world.kinds) == (State.CONNECTED, False)
    await world.clock.advance(1)
    third = await world.server.accept()
    await agree(third)
    assert connection.epoch == 3


async def test_of_two_sockets_without_numbers_content_decides(world):
    _, first, second = await doubled(world)
    for text in ("A 0 a", "A 0 b", "A 0 b"):
        first.send_text(text)
    await settle()
    for text in ("A 0 a", "A 0 b", "A 0 b", "A 0 c"):
        second.send_text(text)
    await settle()
    first.send_text("A 0 c")
    await settle()
    assert world.frames == ["A 0 a", "A 0 b", "A 0 b", "A 0 c"]


async def test_when_both_sockets_are_gone_the_gap_is_announced(world):
    connection, first, second = await doubled(world)
    first.send_text("A 1")
    await settle()
    first.cut()
    second.cut()
    await world.clock.advance(1)
    for _ in range(2):
        await agree(await world.server.accept())
    assert connection.state is State.CONNECTED
    assert "reconnecting" in world.kinds


async def test_each_of_two_sockets_is_replaced_by_plan(world):
    connection, first, second = await doubled(world)
    for number, old in ((3, second), (4, first)):
        old.send_text("!leave")
        await settle()
        await agree(await world.server.accept())
        await world.clock.advance(3)
        assert old.closed is not None
        assert connection.epoch == number
    assert world.gaps == []


async def test_what_the_connector_still_had_to_do_goes_over_to_the_successor(world):
    connector = ToyConnector()
    connection, peer = await feed(world, "A", connector=connector)
    old = connection._line.session
    peer.send_text("!leave")
    await settle()
    await agree(await world.server.accept())
    assert connector.took_over == []  # the old one still does it
    await world.clock.advance(3)
    assert connector.took_over == [(old, connection._line.session)]
    assert connection._line.session is not old


async def test_a_connector_that_cannot_take_over_is_told_and_the_feed_goes_on(world):
    connector = ToyConnector()
    connector.missed = ["broken"]
    connection, peer = await feed(world, "A", connector=connector)
    peer.send_text("!leave")
    await settle()
    successor = await world.server.accept()
    await agree(successor)
    await world.clock.advance(3)
    assert world.errors() == ["ConnectorFailed"]
    successor.send_text("A 0 after")
    await settle()
    assert world.frames[-1] == "A 0 after"
    assert connection.is_live
