"""A connection through its life, on the network in memory and a clock moved by hand."""

from __future__ import annotations

import asyncio

import pytest

from tests.connections.world import opened
from virtufin_examples.connections import (
    Grant,
    HandshakeMessage,
    SocketConnectError,
    State,
    UpgradeRefusedError,
    settle,
)
from virtufin_examples.errors import (
    ConflictError,
    DeadlineError,
    UnavailableError,
    VenueError,
)
from virtufin_examples.frames import Cause, Gap
from virtufin_examples.venues.alpaca import AlpacaConnector

# --- opening ---


async def test_opening_tells_the_observer_and_numbers_from_1(world):
    connection, peer = await opened(world)
    connection.publish_to(world)
    peer.send_text("a")
    peer.send_text("b")
    await settle()
    assert world.kinds == ["connecting", "connected"]
    assert [(f.sequence, f.epoch, f.text, f.received_ns) for f in world.items] == [
        (1, 1, "a", world.clock.now_ns()),
        (2, 1, "b", world.clock.now_ns()),
    ]
    assert world.events[1].owner == "worker"


async def test_without_auto_reconnect_a_first_attempt_that_fails_is_the_end(world):
    world.server.answers.append(SocketConnectError("connection refused"))
    connection = world.connection(auto_reconnect=False)
    with pytest.raises(UnavailableError, match="connection refused"):
        await connection.start()
    assert connection.state is State.FAILED
    assert world.kinds == ["connecting", "error", "failed"]


async def test_with_auto_reconnect_it_is_retried_with_a_true_count_and_no_epoch_is_wasted(world):
    world.server.answers += [SocketConnectError("no"), SocketConnectError("no"), None]
    connection = world.connection()
    await connection.start()
    assert connection.state is State.RECONNECTING
    await world.clock.advance(0.5 + 1.0)
    await world.server.accept()
    assert connection.state is State.CONNECTED
    assert connection.epoch == 1
    retries = [event.attempt for event in world.events if event.kind == "reconnecting"]
    assert retries == [2, 3]


async def test_what_the_venue_refuses_for_good_is_not_tried_again(world):
    world.server.answers.append(UpgradeRefusedError(401, {}))
    connection = world.connection()
    with pytest.raises(VenueError, match="401"):
        await connection.start()
    await world.clock.advance(3600)
    assert len(world.server.attempts) == 1
    assert (connection.state, "401" in connection.reason) == (State.FAILED, True)


async def test_retry_after_is_honoured(world):
    world.server.answers += [UpgradeRefusedError(429, {"retry-after": "60"}), None]
    connection = world.connection(randomness=lambda: 0.0)
    await connection.start()
    await world.clock.advance(59.9)
    assert len(world.server.attempts) == 1
    await world.clock.advance(0.2)
    assert connection.state is State.CONNECTED


# --- breaks ---


async def test_a_break_is_announced_between_the_last_and_the_first_receive(world):
    connection, peer = await opened(world)
    connection.publish_to(world)
    await world.clock.advance(1)
    peer.send_text("before")
    await settle()
    last_ns = world.clock.now_ns()
    await world.clock.advance(5)
    peer.cut()
    await world.clock.advance(0.5)
    second = await world.server.accept()
    await world.clock.advance(2)
    second.send_text("after")
    await settle()

    before, gap, after = world.items
    assert (before.text, before.epoch, before.sequence) == ("before", 1, 1)
    assert (gap.cause, gap.epoch_before, gap.epoch_after, gap.sequence) == (Cause.RECONNECT, 1, 2, 2)
    assert (gap.from_ns, gap.to_ns, gap.ended) == (last_ns, after.received_ns, True)
    assert (after.text, after.epoch, after.sequence) == ("after", 2, 3)
    assert world.kinds[2:] == ["error", "reconnecting", "connected"]
    assert world.events[3].attempt == 1
    assert connection.reconnects == 1


async def test_a_break_that_lasts_is_announced_once_as_not_ended(world):
    connection, peer = await opened(world)
    connection.publish_to(world)
    peer.send_text("x")
    await settle()
    world.server.answers += [SocketConnectError("down")] * 5
    peer.close(1001, "restart")
    await world.clock.advance(60)
    (await world.server.accept()).send_text("y")
    await settle()
    assert [(gap.ended, gap.from_ns) for gap in world.gaps] == [
        (False, world.items[0].received_ns),
        (True, world.items[0].received_ns),
    ]
    assert [item.sequence for item in world.items] == [1, 2, 3, 4]


async def test_a_protocol_violation_is_a_gap_of_that_cause(world):
    connection, peer = await opened(world)
    connection.publish_to(world)
    peer.send_text("fine")
    peer.send_frame(1, b"\xff")
    await settle()
    assert peer.closed[0] == 1007
    await world.clock.advance(0.5)
    (await world.server.accept()).send_text("again")
    await settle()
    assert [gap.cause for gap in world.gaps] == [Cause.PROTOCOL]
    assert world.frames == ["fine", "again"]
    assert next(e for e in world.events if e.kind == "error").error_type == "ProtocolViolation"


async def test_a_socket_that_dies_young_does_not_reset_the_back_off(world):
    connection, peer = await opened(world)
    for bound in (0.5, 1.0, 2.0):
        peer.cut()
        await world.clock.advance(bound - 0.01)
        assert connection.state is State.RECONNECTING
        await world.clock.advance(0.02)
        peer = await world.server.accept()
    await world.clock.advance(31)
    peer.cut()
    await world.clock.advance(0.5)
    assert connection.state is State.CONNECTED


async def test_without_auto_reconnect_the_peers_close_is_the_end_and_is_announced(world):
    connection, peer = await opened(world, auto_reconnect=False)
    connection.publish_to(world)
    peer.send_text("last")
    peer.close(1000, "done")
    await world.clock.advance(60)
    assert connection.state is State.DISCONNECTED
    assert "done" in connection.reason
    assert [gap.ended for gap in world.gaps] == [False]
    assert world.kinds[-1] == "disconnected"


async def test_closing_is_an_end_without_an_error(world):
    connection, peer = await opened(world)
    await connection.close(code=1001, reason="stop")
    assert peer.closed == (1001, "stop")
    assert world.kinds == ["connecting", "connected", "disconnected"]
    await world.clock.advance(100)
    assert len(world.server.attempts) == 1


async def test_closing_while_the_first_socket_opens_ends_the_wait(world):
    world.ledger.errors = [UnavailableError("store down")] * 3
    world.server.answers += [SocketConnectError("no")]
    connection = world.connection()
    starting = asyncio.ensure_future(connection.start())
    await asyncio.sleep(0)
    await connection.close(reason="changed my mind")
    with pytest.raises(UnavailableError):
        await starting


# --- holding ---


async def test_what_comes_before_the_first_publish_is_published_first(world):
    connection, peer = await opened(world)
    for number in range(5):
        peer.send_text(f"held {number}")
    await settle()
    assert connection.stream.held_bytes > 0
    connection.publish_to(world)
    peer.send_text("live")
    await settle()
    assert [item.sequence for item in world.items] == [1, 2, 3, 4, 5, 6]
    assert world.frames[0] == "held 0"
    assert connection.stream.held_bytes == 0


async def test_what_was_held_too_long_is_a_gap_of_cause_unpublished(world):
    connection, peer = await opened(world)
    peer.send_text("old")
    await world.clock.advance(29)
    peer.send_text("young")
    await world.clock.advance(2)
    connection.publish_to(world)
    gap, young = world.items
    assert (young.text, young.sequence) == ("young", 2)
    assert (gap.cause, gap.first_sequence, gap.last_sequence, gap.sequence) == (Cause.UNPUBLISHED, 1, 1, 1)


@pytest.mark.parametrize("hours", [-5, 5])
async def test_a_clock_that_is_set_does_not_shorten_what_is_held(world, hours):
    connection, peer = await opened(world)
    peer.send_text("before")
    await world.clock.advance(1)
    world.clock.set_wall(hours * 3600)
    peer.send_text("after")
    await world.clock.advance(1)
    connection.publish_to(world)
    assert world.frames == ["before", "after"]
    assert world.gaps == []


async def test_what_comes_while_publishing_is_stopped_is_announced_when_it_resumes(world):
    connection, peer = await opened(world)
    connection.publish_to(world)
    peer.send_text("1")
    await settle()
    connection.unpublish()
    peer.send_text("2")
    peer.send_text("3")
    await settle()
    assert connection.stream.held_bytes == 0
    connection.publish_to(world)
    peer.send_text("5")
    await settle()
    assert [item.sequence for item in world.items] == [1, 3, 4]
    assert (world.gaps[0].first_sequence, world.gaps[0].last_sequence) == (2, 3)


async def test_frames_of_a_simulator_are_flagged(world):
    world.server.response_headers["x-virtufin-simulated"] = "1"
    connection, peer = await opened(world)
    connection.publish_to(world)
    peer.send_text("fake")
    await settle()
    assert world.items[0].simulated
    assert connection.simulated


# --- the record ---


async def test_the_epoch_is_taken_before_the_socket_opens(world):
    world.ledger.errors = [UnavailableError("store down")]
    connection = world.connection()
    await connection.start()
    assert (connection.state, world.server.attempts) == (State.RECONNECTING, [])
    await world.clock.advance(0.5)
    assert connection.state is State.CONNECTED


async def test_who_loses_the_record_stops_for_good(world):
    connection, peer = await opened(world)
    world.ledger.errors = [ConflictError("taken over")]
    peer.cut()
    await world.clock.advance(3600)
    assert (connection.state, len(world.server.attempts)) == (State.FAILED, 1)
    assert "taken over" in connection.reason


async def test_an_epoch_that_waits_for_its_socket_is_confirmed_before_each_try(world):
    world.server.answers += [SocketConnectError("down")]
    connection = world.connection()
    await connection.start()
    world.ledger.errors = [ConflictError("taken over meanwhile")]
    await world.clock.advance(60)
    assert (connection.state, len(world.server.attempts)) == (State.FAILED, 1)


async def test_a_record_lost_while_connected_ends_the_connection(world):
    connection, peer = await opened(world)
    connection.lose("somebody else has it")
    await world.clock.advance(60)
    assert (connection.state, peer.closed[0]) == (State.FAILED, 1001)
    assert len(world.server.attempts) == 1


async def test_a_restart_is_announced_with_the_numbers_that_it_skips(world):
    async def after_restart():
        world.ledger.epoch = 8
        return Grant(8, 1001, 9000, lost_since_ns=77, lost_first_sequence=401, lost_epoch=7)

    world.ledger.begin_epoch = after_restart
    connection, peer = await opened(world)
    connection.publish_to(world)
    peer.send_text("x")
    await settle()
    gap, end, frame = world.items
    assert (gap.cause, gap.epoch_before, gap.epoch_after, gap.ended) == (Cause.RESTART, 7, 8, False)
    assert (gap.sequence, gap.first_sequence, gap.last_sequence, gap.from_ns) == (1001, 401, 1000, 77)
    assert (end.cause, end.sequence, end.from_ns, end.ended) == (Cause.RESTART, 1002, 77, True)
    assert end.to_ns == frame.received_ns
    assert (frame.sequence, frame.epoch) == (1003, 8)


async def test_a_gap_lasts_until_the_venue_has_taken_the_handshake_again(world):
    """Neither its greeting nor a refused login ends it: data come only after the acknowledgement."""
    url = "wss://stream.data.alpaca.markets/v2/iex"
    world.server = world.network.serve(url)
    connection = world.connection(connector=AlpacaConnector(), url=url)
    starting = asyncio.create_task(connection.start())
    await settle()

    async def greet():
        peer = await world.server.accept()
        peer.send_text('[{"T":"success","msg":"connected"}]')
        await settle()
        return peer

    async def take(peer):
        await peer.receive()
        peer.send_text('[{"T":"success","msg":"authenticated"}]')
        await settle()
        await peer.receive()
        peer.send_text('[{"T":"subscription","trades":["A"],"quotes":[],"bars":[]}]')
        await settle()

    peer = await greet()
    await starting
    await connection.send(HandshakeMessage(b'{"action":"auth","key":"k","secret":"s"}'))
    await connection.send(HandshakeMessage(b'{"action":"subscribe","trades":["A"]}'))
    await take(peer)
    connection.publish_to(world)
    peer.send_text('[{"T":"t","S":"A","p":1}]')
    await settle()
    last_before = world.clock.now_ns()
    peer.cut()
    await world.clock.advance(2)
    peer = await greet()
    await peer.receive()
    peer.send_text('[{"T":"error","code":406,"msg":"connection limit exceeded"}]')
    await settle()
    peer.close(1008)
    await world.clock.advance(100)
    await take(await greet())
    gaps = [item for item in world.items if isinstance(item, Gap)]
    assert {gap.from_ns for gap in gaps} == {last_before}
    assert [gap.ended for gap in gaps] == [False, True]
    assert gaps[-1].to_ns == world.clock.now_ns()
    await connection.close()


async def test_sequences_are_reserved_ahead(world, monkeypatch):
    monkeypatch.setattr("virtufin_examples.connections._sequencer.LOW_WATER", 5)
    monkeypatch.setattr("virtufin_examples.connections._sequencer.MARKER_RESERVE", 0)
    world.ledger.block = 10
    world.ledger.errors = []
    connection, peer = await opened(world)
    connection.publish_to(world)
    for _ in range(3):
        for _ in range(4):
            peer.send_text("x")
        await settle()
    assert [item.sequence for item in world.items] == list(range(1, 13))
    assert world.ledger.extensions == 1


async def test_when_numbers_run_out_the_socket_is_closed_and_the_loss_announced(world, monkeypatch):
    monkeypatch.setattr("virtufin_examples.connections._sequencer.LOW_WATER", 5)
    monkeypatch.setattr("virtufin_examples.connections._sequencer.MARKER_RESERVE", 2)
    world.ledger.block = 12
    connection, peer = await opened(world)
    connection.publish_to(world)
    world.ledger.errors = [UnavailableError("store down")] * 2
    peer.send_text("x")
    for _ in range(8):
        peer.send_text("x")
        await settle()
    for _ in range(2):
        peer.send_text("x")
    await settle()
    assert peer.closed[0] == 1013
    assert len(world.frames) == 9
    assert any(event.error_type == "SequencesExhausted" for event in world.events)
    world.ledger.errors = []
    await world.ledger.extend()
    connection.stream.extend(world.ledger.reserved)
    await world.clock.advance(0.5)
    (await world.server.accept()).send_text("y")
    await settle()
    assert [item.sequence for item in world.items] == list(range(1, 12))
    assert world.gaps[0].to_ns == world.items[-1].received_ns


# --- asking ---


async def test_a_request_gets_the_message_that_starts_with_its_id(world):
    connection, peer = await opened(world)
    asking = asyncio.ensure_future(connection.request(b"ping", binary=False, seconds=10))
    message, binary = await peer.receive()
    assert (len(message), message[16:], binary) == (20, b"ping", False)
    peer.send_text("0" * 16 + "not for you")
    peer.send_text(message[:16].decode() + "pong")
    assert await asking == b"pong"


async def test_a_request_without_an_answer_times_out(world):
    connection, _ = await opened(world)
    asking = asyncio.ensure_future(connection.request(b"ping", binary=True, seconds=10))
    await world.clock.advance(10)
    with pytest.raises(DeadlineError, match="10 s"):
        await asking


async def test_a_request_ends_with_its_socket(world):
    connection, peer = await opened(world)
    asking = asyncio.ensure_future(connection.request(b"ping", binary=True, seconds=10))
    await settle()
    peer.cut()
    with pytest.raises(UnavailableError, match="closed before the answer"):
        await asking
