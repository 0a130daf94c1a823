"""The handshake, replayed on each new socket and answered before the connection counts as live."""

from __future__ import annotations

import pytest

from tests.connections.toy_feed import feed, next_socket
from tests.connections.world import opened
from virtufin_examples.connections import (
    GenericConnector,
    HandshakeMessage,
    State,
    settle,
)
from virtufin_examples.errors import (
    InvalidInputError,
    NotFoundError,
    PreconditionError,
)
from virtufin_examples.venues import Authenticated, Disposition, Refused, Session


async def test_the_handshake_is_replayed_on_each_new_epoch_in_order(world):
    connection, peer = await opened(world)
    await connection.send(HandshakeMessage(b'{"auth":"${secret:venue/key}"}', secrets=True, json=True))
    await connection.send(HandshakeMessage(b"not again"), replay=False)
    await connection.send(HandshakeMessage(b"subscribe"))
    connection.publish_to(world)
    await connection.send(HandshakeMessage(b"later"))
    await connection.send(HandshakeMessage(b"later, for good"), replay=True)
    assert [(await peer.receive())[0] for _ in range(5)] == [
        b'{"auth":"CANARY"}',
        b"not again",
        b"subscribe",
        b"later",
        b"later, for good",
    ]
    world.secrets.values = {**world.secrets.values, "key": "ROTATED"}
    peer.cut()
    await world.clock.advance(0.5)
    second = await world.server.accept()
    assert [(await second.receive())[0] for _ in range(3)] == [
        b'{"auth":"ROTATED"}',
        b"subscribe",
        b"later, for good",
    ]
    assert second.waiting() == 0
    assert world.events[-1].kind == "connected"
    assert world.events[-1].replayed == 3
    assert not connection.restorable
    assert b"CANARY" not in b"".join(message.payload for message in connection.handshake)


async def test_a_message_that_cannot_be_resolved_is_neither_sent_nor_remembered(world):
    connection, peer = await opened(world)
    with pytest.raises(NotFoundError):
        await connection.send(HandshakeMessage(b"${secret:nobody/key}", secrets=True))
    assert (peer.waiting(), connection.handshake) == (0, ())


@pytest.mark.parametrize("replay", [None, True, False])
async def test_what_asks_for_symbols_may_hold_no_reference_to_a_secret(world, replay):
    connection, peer = await feed(world, "A")
    with pytest.raises(InvalidInputError, match="which venues send back") as refused:
        await connection.send(HandshakeMessage(b"sub ${secret:venue/key}", secrets=True), replay=replay)
    assert refused.value.message.startswith("message: ${secret:venue/key} in what asks for symbols")
    assert peer.waiting() == 0


async def test_a_symbol_that_looks_like_a_reference_is_never_resolved(world):
    connection, peer = await feed(world)
    await connection.send(HandshakeMessage(b"sub ${secret:venue/key}"))
    assert (await peer.receive())[0] == b"sub ${secret:venue/key}"
    assert connection.restorable is False  # the toy's auth went verbatim
    peer.cut()
    second, said = await next_socket(world, 5)
    assert said[-1] == "sub ${secret:venue/key}"
    assert second.closed is None


async def test_sending_needs_a_socket(world):
    connection, peer = await opened(world)
    peer.cut()
    await settle()
    with pytest.raises(PreconditionError, match="reconnecting"):
        await connection.send(HandshakeMessage(b"x"))
    assert connection.handshake == ()


class StrictConnector(GenericConnector):
    """A venue that answers `ok` to each message, and `no` (or `wait`) when it refuses."""

    name = "strict"

    def session(self, url, options):
        return StrictSession(url)


class StrictSession(Session):
    def __init__(self, url) -> None:
        super().__init__(url)
        self.outstanding = 0

    def sent(self, payload, *, binary, lasting=True):
        assert b"CANARY" not in payload
        self.outstanding += 1

    def received(self, payload, *, binary):
        if payload == b"ok":
            self.outstanding -= 1
            return Authenticated()
        if payload == b"no":
            return Refused(402, "auth failed", Disposition.PERMANENT)
        if payload == b"wait":
            return Refused(406, "connection limit exceeded", Disposition.WAIT, 90.0)
        if payload == b"note":
            return Refused(405, "symbol limit exceeded", Disposition.NOTE)
        if payload == b"break":
            raise RuntimeError("a fault of the connector")
        return None

    def is_control(self, payload):
        return len(payload) < 6

    def opened(self):
        self.outstanding = 0

    def expects(self):
        return self.outstanding


async def strict(world, *messages: bytes):
    connection, peer = await opened(world, connector=StrictConnector())
    for message in messages:
        await connection.send(HandshakeMessage(message, secrets=b"$" in message))
        peer.send_text("ok")
    await settle()
    connection.publish_to(world)
    return connection, peer


async def reconnected(world, peer):
    peer.cut()
    await world.clock.advance(0.5)
    return await world.server.accept()


async def test_the_replay_waits_for_the_venues_answer_to_each_message(world):
    connection, peer = await strict(world, b"auth ${secret:venue/key}", b"subscribe")
    second = await reconnected(world, peer)
    assert (await second.receive())[0] == b"auth CANARY"
    await settle()
    assert (second.waiting(), connection.state) == (0, State.RECONNECTING)
    second.send_text("ok")
    assert (await second.receive())[0] == b"subscribe"
    second.send_text("ok")
    await settle()
    assert connection.state is State.CONNECTED


async def test_a_venue_that_does_not_answer_is_tried_again(world):
    connection, peer = await strict(world, b"auth")
    second = await reconnected(world, peer)
    await world.clock.advance(10.1)
    assert second.closed is not None
    assert world.events[-2].error_type == "NoAnswer"
    await world.clock.advance(1.0)
    third = await world.server.accept()
    third.send_text("ok")
    await settle()
    assert connection.state is State.CONNECTED
    assert [(gap.epoch_before, gap.epoch_after, gap.ended) for gap in world.gaps] == [
        (1, 2, False),
        (1, 3, True),
    ]
    assert [item.sequence for item in world.items] == [1, 2, 3, 4]


async def test_wrong_keys_end_the_connection_with_the_venues_reason(world):
    connection, peer = await strict(world)
    await connection.send(HandshakeMessage(b"auth"))
    peer.send_text("no")
    await world.clock.advance(3600)
    assert (connection.state, connection.reason) == (State.FAILED, "402 auth failed")
    assert len(world.server.attempts) == 1
    assert world.frames == ["no"]
    assert world.kinds[-2:] == ["error", "failed"]


async def test_a_refusal_during_the_replay_counts_too(world):
    connection, peer = await strict(world, b"auth", b"subscribe")
    second = await reconnected(world, peer)
    second.send_text("no")
    await world.clock.advance(3600)
    assert connection.state is State.FAILED
    assert [second.waiting(), len(world.server.attempts)] == [1, 2]


async def test_the_wait_that_the_connector_asks_for_is_kept(world):
    _, peer = await strict(world)
    peer.send_text("wait")
    await world.clock.advance(90.4)
    assert len(world.server.attempts) == 1
    await world.clock.advance(0.2)
    assert len(world.server.attempts) == 2


async def test_a_note_and_a_failing_connector_do_not_stop_the_frames(world):
    connection, peer = await strict(world)
    for text in ("note", "break", "no", "data after"):
        peer.send_text(text)
    await settle()
    assert world.frames == ["note", "break", "no", "data after"]
    assert [e.error_type for e in world.events if e.kind == "error"] == ["VenueError", "ConnectorFailed"]
    assert connection.state is State.CONNECTED
