"""Feeds of the toy venue, brought so far that a test can begin."""

from __future__ import annotations

from tests.connections.toy_venue import ToyConnector
from tests.connections.world import opened
from virtufin_examples.connections import (
    HandshakeMessage,
    settle,
)


async def feed(world, *symbols, connector=None, **parts):
    """A toy feed that is authenticated, subscribed and published."""
    connection, peer = await opened(world, connector=connector or ToyConnector(), **parts)
    await connection.send(HandshakeMessage(b"auth"))
    peer.send_text("!ok")
    if symbols:
        await connection.send(HandshakeMessage(f"sub {' '.join(symbols)}".encode()))
        peer.send_text(f"!set {' '.join(symbols)}")
    while peer.waiting():
        await peer.receive()
    await settle()
    connection.publish_to(world)
    world.items.clear()
    return connection, peer


async def agree(peer, answers=20):
    """Answer the whole handshake."""
    said = []
    for _ in range(answers):
        await settle()
        while peer.waiting():
            said.append((await peer.receive())[0].decode())
            peer.send_text(f"!set {said[-1][4:]}" if said[-1].startswith("sub") else "!ok")
    return said


async def steady(world, peer, symbol="A", seconds=60, every=1.0):
    number = 0
    while number * every < seconds:
        number += 1
        peer.send_text(f"{symbol} 0 {number}")
        await world.clock.advance(every)


async def next_socket(world, seconds):
    """Wait for one more socket, at most so long, and answer its handshake; return both."""
    before = len(world.server.attempts)
    for _ in range(seconds):
        await world.clock.advance(1)
        if len(world.server.attempts) > before:
            peer = await world.server.accept()
            return peer, await agree(peer)
    raise AssertionError(f"no socket within {seconds} s")


async def doubled(world):
    connection, first = await feed(world, "A", options={"redundancy": "2"})
    second = await world.server.accept()
    await agree(second)
    world.items.clear()
    return connection, first, second
