"""How a connection heals: each story on a clock moved by hand."""

from __future__ import annotations

import itertools

import pytest

from tests.connections.toy_venue import ToyConnector
from tests.connections.world import URL, new_world, opened
from virtufin_examples.connections import (
    GenericConnector,
    HandshakeMessage,
    State,
    UpgradeRefusedError,
    settle,
)
from virtufin_examples.errors import InvalidInputError, PreconditionError, ResourceLimitError
from virtufin_examples.frames import Cause, Frame, Gap, Restored, Stale
from virtufin_examples.venues import Budget, HttpRequest, HttpResponse
from virtufin_examples.venues.alpaca import AlpacaConnector
from virtufin_examples.venues.binance import BinanceConnector


@pytest.fixture
async def world():
    async with new_world() as world:
        yield world


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


# --- the handshake ---


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


async def test_what_was_written_down_gives_the_wanted_set_back(world):
    messages = (HandshakeMessage(b"auth", secrets=True), HandshakeMessage(b"sub A B", secrets=True))
    connection = world.connection(connector=ToyConnector(), handshake=messages)
    assert [message.payload for message in connection.handshake] == [b"auth", b"sub A", b"sub B"]
    assert connection.restorable


# --- effects ---


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


# --- budgets ---


# --- what a gap has missed ---


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


# --- watchdogs ---


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


async def steady(world, peer, symbol="A", seconds=60, every=1.0):
    number = 0
    while number * every < seconds:
        number += 1
        peer.send_text(f"{symbol} 0 {number}")
        await world.clock.advance(every)


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


async def next_socket(world, seconds):
    """Wait for one more socket, at most so long, and answer its handshake; return both."""
    before = len(world.server.attempts)
    for _ in range(seconds):
        await world.clock.advance(1)
        if len(world.server.attempts) > before:
            peer = await world.server.accept()
            return peer, await agree(peer)
    raise AssertionError(f"no socket within {seconds} s")


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
    _, peer = await feed(world, "A")
    asked = []
    for _ in range(3600):
        await world.clock.advance(1)
        while peer.waiting():
            asked.append((world.clock.monotonic(), (await peer.receive())[0]))
            peer.send_text("!set A")
    assert [payload for _, payload in asked] == [b"sub A"] * len(asked)
    assert [round(at) for at, _ in asked[:3]] == [31, 91, 211]
    assert len(asked) <= 8
    assert world.markers == []
    assert len(world.server.attempts) == 1


async def test_a_symbol_that_stops_or_never_comes_is_asked_for_again_without_a_gap(world):
    _, peer = await feed(world, "A", "B", "C")
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


# --- successors and two sockets ---


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


async def doubled(world):
    connection, first = await feed(world, "A", options={"redundancy": "2"})
    second = await world.server.accept()
    await agree(second)
    world.items.clear()
    return connection, first, second


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


# --- where the gap of a break stands ---


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


# --- clocks that jump ---


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


# --- answers to nothing, symbols that are not there ---


async def test_an_acknowledgement_of_something_never_asked_changes_nothing(world):
    connection, peer = await feed(world, "A")
    peer.send_text("!set A B C")
    peer.send_text("A 1 x")
    await world.clock.advance(5.0)
    assert connection.is_live
    assert peer.closed is None
    assert connection.missing == ()
    assert [text for text in world.frames if not text.startswith("!")] == ["A 1 x"]
