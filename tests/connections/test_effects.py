"""What connectors ask for besides messages: logins, heartbeats, history, options."""

from __future__ import annotations

import pytest

from tests.connections.toy_feed import agree, feed
from tests.connections.toy_venue import ToyConnector
from tests.connections.world import URL, opened
from virtufin_examples.connections import (
    GenericConnector,
    HandshakeMessage,
    State,
    settle,
)
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import Frame, Stale
from virtufin_examples.venues import Budget, HttpRequest, HttpResponse


async def test_a_login_precedes_the_socket_and_its_token_is_renewed_in_time(world):
    connector = ToyConnector()
    connector.login = True
    tokens = iter(["T 1", "T2"])
    world.http.answers["login"] = lambda _: HttpResponse(200, {}, next(tokens).encode())
    for token in ("T 1", "T2"):
        world.network.serve(f"{URL}?token={token}")
    first = world.network._servers[f"{URL}?token=T 1"]
    second = world.network._servers[f"{URL}?token=T2"]
    connection = world.connection(connector=connector)
    await connection.start()
    peer = await first.accept()
    assert (world.http.requests[0].body, peer.request_headers["x-toy"]) == (b"CANARY", "1")
    peer.cut()
    await world.clock.advance(1)
    peer = await first.accept()
    assert len(world.http.requests) == 1
    await world.clock.advance(61)
    peer.cut()
    await world.clock.advance(5)
    await second.accept()
    assert connection.state is State.CONNECTED
    assert "token" not in connection.template


async def test_a_login_that_is_refused_for_good_ends_the_connection(world):
    connector = ToyConnector()
    connector.login = True
    world.http.answers["login"] = HttpResponse(403)
    connection = world.connection(connector=connector)
    with pytest.raises(Exception, match="403"):
        await connection.start()
    assert (connection.state, world.server.attempts) == (State.FAILED, [])


async def test_heartbeats_are_sent_and_questions_answered(world):
    connector = ToyConnector()
    connector.beat_seconds = 10
    _, peer = await feed(world, connector=connector)
    await world.clock.advance(30)
    peer.send_text("!ask")
    await settle()
    said = [(await peer.receive())[0] for _ in range(peer.waiting())]
    assert said.count(b"beat") >= 3
    assert said[-1] == b"answer"


async def test_the_generic_connector_waits_for_a_described_answer_and_pings(world):
    options = {"reply_path": "$.r[0]", "reply_value": "yes", "ping": "hello", "heartbeat_seconds": "5"}
    connection, peer = await opened(world, connector=GenericConnector(), options=options)
    await connection.send(HandshakeMessage(b"subscribe"))
    for text in ("{}", '{"r":["no"]}', "["):
        peer.send_text(text)
    await settle()
    assert not connection.is_live
    peer.send_text('{"r":["yes"]}')
    await settle()
    assert connection.is_live
    await world.clock.advance(11)
    assert [(await peer.receive())[0] for _ in range(3)] == [b"subscribe", b"hello", b"hello"]


@pytest.mark.parametrize(
    "options",
    [
        {"reply_path": "status"},
        {"reply": "a", "reply_path": "$.a"},
        {"reply_value": "x"},
        {"heartbeat_seconds": "0"},
        {"redundancy": "3"},
        {"watch": "all"},
        {"renew_at": "24:00"},
        {"quiet_seconds": "-1"},
        {"ping_seconds": "nan"},
    ],
)
async def test_bad_options_are_refused_by_name(world, options):
    with pytest.raises(InvalidInputError, match=rf"options: .*{min(options)}"):
        world.connection(options=options)


async def test_what_a_connector_fetches_for_a_gap_is_marked_numbered_and_no_sign_of_life(
    world,
):
    connector = ToyConnector(requests=Budget(1, 60.0))
    connector.observes = True
    world.http.answers["history"] = HttpResponse(200, body=b"A 0 one|A 0 two")
    connection, peer = await feed(world, "A", connector=connector, options={"quiet_seconds": "30"})
    peer.send_text("A 0 before")
    await settle()
    began_ns = world.clock.now_ns()
    peer.cut()
    await world.clock.advance(2)
    peer = await world.server.accept()
    await agree(peer)
    peer.send_text("A 0 after")
    await settle()
    ((from_ns, to_ns),) = connector.missed
    assert (from_ns, to_ns) == (world.gaps[-1].from_ns, world.gaps[-1].to_ns)
    assert from_ns == began_ns
    assert b"A 0 before" in connector.observed
    history = HttpRequest("history", "https://venue.example/history", headers={"key": "${secret:venue/key}"})
    connector.asks = [history, history]
    frames = connection.stream.frames
    await world.clock.advance(10)
    marked = [item for item in world.items if isinstance(item, Frame) and item.backfilled]
    assert [item.text for item in marked] == ["A 0 one", "A 0 two"]
    assert connection.stream.frames == frames
    assert world.http.requests[0].headers == {"key": "CANARY"}
    assert len(world.http.requests) == 1  # the budget: the second waits for its minute
    sequences = [item.sequence for item in world.items]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    await world.clock.advance(25)
    assert any(isinstance(item, Stale) for item in world.items)


async def test_a_connector_that_cannot_observe_does_not_stop_the_frames(world):
    connector = ToyConnector()
    connector.observes = True
    _, peer = await feed(world, "A", connector=connector)
    for text in ("A 0 observe fails", "A 0 next"):
        peer.send_text(text)
        await settle()
    assert world.frames == ["A 0 observe fails", "A 0 next"]
    assert world.errors() == ["ConnectorFailed"]
    assert connector.observed[-1] == b"A 0 observe fails"
