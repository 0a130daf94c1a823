"""What a venue allows: symbols, connects, messages, and its waits."""

from __future__ import annotations

import pytest

from tests.connections.toy_feed import agree, feed
from tests.connections.toy_venue import ToyConnector
from tests.connections.world import opened
from virtufin_examples.connections import (
    HandshakeMessage,
    State,
    UpgradeRefusedError,
    settle,
)
from virtufin_examples.errors import ResourceLimitError
from virtufin_examples.venues import Budget
from virtufin_examples.venues.alpaca import AlpacaConnector
from virtufin_examples.venues.binance import BinanceConnector


async def test_no_socket_is_given_more_symbols_than_the_venue_allows(world):
    connection, peer = await feed(world, "A", "B", connector=ToyConnector(symbols=3))
    await connection.send(HandshakeMessage(b"sub C B"))
    peer.send_text("!set A B C")
    await settle()
    assert peer.waiting() == 1
    with pytest.raises(ResourceLimitError, match=r"4 on one socket; toy allows 3 \(spread them"):
        await connection.send(HandshakeMessage(b"sub D"))
    assert peer.waiting() == 1
    assert connection.handshake[-1].payload == b"sub C"
    await connection.send(HandshakeMessage(b"unsub A"))
    await connection.send(HandshakeMessage(b"sub D"))


def test_a_url_that_asks_for_too_much_is_refused_before_a_socket_opens(world):
    url = "wss://stream.binance.com:9443/stream?streams=" + "/".join(f"s{n}@trade" for n in range(1025))
    with pytest.raises(ResourceLimitError, match="1025 on one socket; binance allows 1024"):
        world.connection(connector=BinanceConnector(), url=url)


async def test_connections_of_one_venue_share_its_connect_budget(world):
    connector = ToyConnector(connects=Budget(3, 60.0))
    connections = [world.connection(connector=connector) for _ in range(7)]
    for connection in connections:
        await connection.start()
    await world.clock.advance(0)
    assert len(world.server.attempts) == 3
    assert [each.state for each in connections].count(State.CONNECTED) == 3
    assert "connect budget" in connections[-1].reason
    await world.clock.advance(60)
    assert len(world.server.attempts) == 6
    await world.clock.advance(60)
    assert all(each.state is State.CONNECTED for each in connections)


async def test_without_auto_reconnect_a_spent_budget_is_an_error_at_once(world):
    connector = ToyConnector(connects=Budget(1, 60.0))
    await world.connection(connector=connector).start()
    with pytest.raises(Exception, match="budget"):
        await world.connection(connector=connector, auto_reconnect=False).start()


async def test_the_replay_keeps_the_message_budget(world):
    connector = ToyConnector(messages=Budget(2, 10.0))
    connection, peer = await opened(world, connector=connector, auto_reconnect=True)
    for symbol in ("A", "B"):
        await connection.send(HandshakeMessage(f"sub {symbol}".encode()))
        peer.send_text("!ok")
    peer.cut()
    await world.clock.advance(0.5)
    second = await world.server.accept()
    assert await agree(second) == ["sub A", "sub B"]
    await world.clock.advance(1)
    peer_said = connection.send(HandshakeMessage(b"sub C"))
    import asyncio

    sending = asyncio.ensure_future(peer_said)
    await world.clock.advance(8)
    assert second.waiting() == 0
    await world.clock.advance(2)
    await sending
    assert second.waiting() == 1


async def test_alpacas_connection_limit_is_waited_out_and_then_tried_again(world):
    url = "wss://stream.data.alpaca.markets/v2/iex"
    server = world.network.serve(url)
    connection = world.connection(connector=AlpacaConnector(), url=url)
    await connection.start()
    peer = await server.accept()
    await connection.send(HandshakeMessage(b'{"action":"auth","key":"k","secret":"s"}'))
    peer.send_text('[{"T":"error","code":406,"msg":"connection limit exceeded"}]')
    await world.clock.advance(89)
    assert (connection.state, len(server.attempts)) == (State.RECONNECTING, 1)
    await world.clock.advance(2)
    peer = await server.accept()
    await peer.receive()
    peer.send_text('[{"T":"success","msg":"authenticated"}]')
    await settle()
    assert (connection.state, connection.is_live) == (State.CONNECTED, True)


async def test_alpacas_429_holds_back_every_connection_to_that_endpoint(world):
    url = "wss://stream.data.alpaca.markets/v2/iex"
    server = world.network.serve(url)
    server.answers.append(UpgradeRefusedError(429, {"retry-after": "30"}))
    connections = [world.connection(connector=AlpacaConnector(), url=url) for _ in range(2)]
    for connection in connections:
        await connection.start()
    await world.clock.advance(29)
    assert len(server.attempts) == 1
    await world.clock.advance(3)
    assert [each.state for each in connections] == [State.CONNECTED] * 2


@pytest.mark.parametrize("limits", [{}, {"sockets": 1}], ids=["make first", "break first"])
async def test_a_venue_that_sends_every_socket_away_is_not_stormed(world, limits):
    _, peer = await feed(world, "A", connector=ToyConnector(**limits))
    for _ in range(240):
        if not peer.closed:
            peer.send_text("!leave")
        await settle()
        if len(world.server.attempts) > 1 and world.server._arrived.qsize():
            peer = await world.server.accept()
        await agree(peer, 3)
        await world.clock.advance(0.5)
    assert 3 < len(world.server.attempts) < 25
