"""What a venue is asked for and has confirmed, on a clock moved by hand."""

from __future__ import annotations

import pytest

from tests.connections.toy_feed import agree, feed
from tests.connections.toy_venue import ToyConnector
from tests.connections.world import opened
from virtufin_examples.connections import (
    HandshakeMessage,
    State,
    settle,
)
from virtufin_examples.errors import ResourceLimitError
from virtufin_examples.venues.alpaca import AlpacaConnector


async def test_later_changes_are_folded_so_that_the_replay_is_auth_and_the_whole_wanted_set(world):
    connection, peer = await feed(world, "A", "B")
    await connection.send(HandshakeMessage(b"sub C"))
    await connection.send(HandshakeMessage(b"unsub A"))
    await connection.send(HandshakeMessage(b"sub D"), replay=False)
    peer.cut()
    await world.clock.advance(0.5)
    second = await world.server.accept()
    assert await agree(second) == ["auth", "sub B", "sub C"]
    assert world.events[-2].replayed == 3


async def test_a_connection_counts_as_live_when_the_venue_has_answered_all(world):
    connection, peer = await opened(world, connector=ToyConnector())
    assert (connection.state, connection.is_live) == (State.CONNECTED, False)
    await connection.send(HandshakeMessage(b"auth"))
    assert not connection.is_live
    peer.send_text("!ok")
    await settle()
    assert connection.is_live
    assert world.kinds[-1] == "live"


async def test_the_symbols_that_the_venue_left_out_are_reported(world):
    connection, peer = await opened(world, connector=ToyConnector())
    await connection.send(HandshakeMessage(b"sub A B"))
    peer.send_text("!set A")
    await settle()
    assert connection.missing == ("B",)
    assert ("SymbolsMissing", "the venue left out B") in [(e.error_type, e.reason) for e in world.events]


async def test_one_part_that_is_refused_does_not_stop_the_others(world):
    connection, peer = await feed(world, "A", "B")
    peer.cut()
    await world.clock.advance(0.5)
    second = await world.server.accept()
    for answer in ("!ok", "!refused", "!set A B"):
        await second.receive()
        second.send_text(answer)
        await settle()
    assert connection.is_live
    assert "VenueError" in world.errors()


async def test_each_part_has_its_time_limit(world):
    _, peer = await feed(world, "A")
    peer.cut()
    await world.clock.advance(0.5)
    second = await world.server.accept()
    await second.receive()
    second.send_text("!ok")
    await world.clock.advance(2.9)
    assert second.closed is None
    await world.clock.advance(0.2)
    assert second.closed is not None
    assert world.errors()[-1] == "NoAnswer"


async def test_a_message_that_the_venue_leaves_unanswered_is_reported_once(world):
    connection, _ = await feed(world)
    await connection.send(HandshakeMessage(b"sub A"))
    await world.clock.advance(30)
    assert world.errors() == ["NoAnswer"]
    assert connection.state is State.CONNECTED


async def test_a_message_that_the_connector_refuses_is_not_sent(world):
    connection, peer = await feed(world)
    with pytest.raises(ResourceLimitError):
        await connection.send(HandshakeMessage(b"sub " + b"x " * 12))
    assert peer.waiting() == 0


async def test_what_was_written_down_gives_the_wanted_set_back(world):
    messages = (HandshakeMessage(b"auth", secrets=True), HandshakeMessage(b"sub A B", secrets=True))
    connection = world.connection(connector=ToyConnector(), handshake=messages)
    assert [message.payload for message in connection.handshake] == [b"auth", b"sub A", b"sub B"]
    assert connection.restorable


async def test_a_greeting_alone_makes_nothing_live(world):
    connection, peer = await opened(world, connector=ToyConnector())
    peer.send_text("!hello")
    await world.clock.advance(5)
    assert not connection.is_live


async def test_what_is_sent_while_a_successor_is_on_its_way_reaches_that_too(world):
    connection, peer = await feed(world, "A")
    peer.send_text("!leave")
    await settle()
    second = await world.server.accept()
    assert (await second.receive())[0] == b"auth"
    await connection.send(HandshakeMessage(b"sub B"))
    await connection.send(HandshakeMessage(b"unsub A"))
    second.send_text("!ok")
    assert await agree(second) == ["sub A", "sub B", "unsub A"]
    await world.clock.advance(3)
    assert connection.epoch == 2
    assert [message.payload for message in connection.handshake] == [b"auth", b"sub B"]


async def test_a_refused_change_is_not_replayed_and_the_record_is_told(world):
    url = "wss://stream.data.alpaca.markets/v2/iex"
    server = world.network.serve(url)
    connection = world.connection(connector=AlpacaConnector(), url=url)
    written = []
    connection.on_handshake = lambda: written.append(len(connection.handshake))
    await connection.start()
    peer = await server.accept()
    await connection.send(HandshakeMessage(b'{"action":"subscribe","trades":["A"]}'))
    assert connection.restorable
    peer.send_text('[{"T":"error","code":405,"msg":"symbol limit exceeded"}]')
    await settle()
    assert (written, connection.handshake) == ([1, 0], ())


async def test_an_acknowledgement_of_something_never_asked_changes_nothing(world):
    connection, peer = await feed(world, "A")
    peer.send_text("!set A B C")
    peer.send_text("A 1 x")
    await world.clock.advance(5.0)
    assert connection.is_live
    assert peer.closed is None
    assert connection.missing == ()
    assert [text for text in world.frames if not text.startswith("!")] == ["A 1 x"]
