"""The server half: requests, limits, pings, bans; and that both halves agree."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.venues import Leaving
from virtufin_examples.venues.binance import (
    SPOT,
    USD_M,
    BinanceConnector,
    Limits,
    Market,
    find_endpoint,
    list_message,
    read_event,
    subscribe_message,
    unsubscribe_message,
)
from virtufin_examples.venues.binance.server import (
    CLOSE_GOING_AWAY,
    CLOSE_POLICY,
    OFFENCES_TO_BAN,
    Bans,
    ConnectGate,
    RestServer,
    StreamServer,
    WeightGate,
)


def opened(path="/stream?streams=btcusdt@depth", limits=SPOT, now=0.0):
    server = StreamServer(find_endpoint(path), limits)
    server.opened(now)
    return server


def ask(server, payload, now=10.0):
    outcome = server.received(payload, now)
    return json.loads(outcome.answers[0]) if outcome.answers else outcome


def test_the_urls_streams_are_subscribed_to_and_others_can_be():
    server = opened()
    assert server.streams == ("btcusdt@depth",)
    outcome = server.received(subscribe_message(["a@trade", "btcusdt@depth"], 7), 0.0)
    assert json.loads(outcome.answers[0]) == {"result": None, "id": 7}
    assert outcome.added == ("a@trade",)
    assert ask(server, list_message(8)) == {"result": ["btcusdt@depth", "a@trade"], "id": 8}
    assert ask(server, unsubscribe_message(["btcusdt@depth"], 9)) == {"result": None, "id": 9}
    assert server.wants("a@trade")
    assert not server.wants("btcusdt@depth")


def test_frames_are_wrapped_as_the_socket_wants():
    raw, wrapped = opened("/ws/a@trade"), opened("/stream?streams=a@trade")
    assert raw.frame("a@trade", b"{}") == b"{}"
    assert wrapped.frame("a@trade", b"{}") == b'{"stream":"a@trade","data":{}}'
    assert ask(raw, b'{"method":"GET_PROPERTY","params":["combined"],"id":1}')["result"] is False
    assert ask(raw, b'{"method":"SET_PROPERTY","params":["combined",true],"id":2}')["result"] is None
    assert raw.frame("a@trade", b"{}") == wrapped.frame("a@trade", b"{}")
    assert read_event(wrapped.shutdown(5).answers[0]).stream == "!serverShutdown"


@pytest.mark.parametrize(
    ("payload", "code", "text"),
    [
        (b"no json", 3, "Invalid JSON"),
        (b"[]", 2, "expected an object"),
        (b"{}", 2, "missing field `method`"),
        (b'{"method":"SUBSCRIBE_","id":1}', 2, "unknown variant `SUBSCRIBE_`"),
        (b'{"method":"SUBSCRIBE","params":["a@trade"]}', 2, "request ID must be"),
        (b'{"method":"SUBSCRIBE","params":["a@trade"],"id":1.5}', 2, "request ID must be"),
        (b'{"method":"SUBSCRIBE","params":["a@trade"],"id":true}', 2, "request ID must be"),
        (b'{"method":"SUBSCRIBE","params":["a@nope"],"id":1}', 2, "invalid stream"),
        (b'{"method":"SUBSCRIBE","params":[5],"id":1}', 2, "invalid stream"),
        (b'{"method":"SUBSCRIBE","params":[],"id":1}', 2, "invalid stream"),
        (b'{"method":"SUBSCRIBE","params":"a@trade","id":1}', 2, "params must be a list"),
        (b'{"method":"LIST_SUBSCRIPTIONS","params":["a"],"id":1}', 2, "too many parameters"),
        (b'{"method":"GET_PROPERTY","params":["x"],"id":1}', 0, "Unknown property"),
        (b'{"method":"GET_PROPERTY","params":[],"id":1}', 2, "property name must be a string"),
        (b'{"method":"SET_PROPERTY","params":["combined"],"id":1}', 1, "expected Boolean"),
        (b'{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1, "expected Boolean"),
        (b'{"method":"SET_PROPERTY","params":["combined",true,1],"id":1}', 2, "too many parameters"),
    ],
)
def test_bad_requests_get_the_documented_errors_and_change_nothing(payload, code, text):
    server = opened()
    error = ask(server, payload)["error"]
    assert error["code"] == code
    assert text in error["msg"]
    assert server.streams == ("btcusdt@depth",)


@pytest.mark.parametrize("request_id", [0, -5, 2**63 - 1, "abc-123", None])
def test_ids_come_back_as_they_were(request_id):
    payload = json.dumps({"method": "SUBSCRIBE", "params": ["a@trade"], "id": request_id}).encode()
    assert ask(opened(), payload) == {"result": None, "id": request_id}


def test_a_client_that_sends_too_much_is_cut():
    server = opened()
    for number in range(5):
        assert not server.received(list_message(number), 1.0).close
    assert server.received(list_message(6), 1.9).close == CLOSE_POLICY
    server = opened()
    for tick in range(10):
        assert not server.ponged(b"", tick / 4).close
    assert not server.pinged(2.5).close
    assert opened(limits=USD_M).received(list_message(1), 0.0).close == 0


def test_no_more_streams_than_allowed():
    server = opened("/ws", Limits(streams=2))
    assert (
        "too many streams"
        in ask(server, subscribe_message(["a@trade", "b@trade", "c@trade"], 1))["error"]["msg"]
    )
    assert server.streams == ()
    assert StreamServer(find_endpoint("/ws/a@trade/b@trade/c@trade"), Limits(streams=2)).opened(0).close


def test_pings_want_pongs_with_their_payload_and_a_day_is_the_end():
    server = opened()
    assert server.tick(19.9).ping == b""
    first = server.tick(20.0).ping
    assert first
    assert server.tick(40.0).ping not in (b"", first)
    server.ponged(first, 41.0)
    assert not server.tick(81.0).close
    assert server.tick(100.0).close == CLOSE_POLICY
    server = opened()
    assert not server.tick(86_399.0).close
    assert server.tick(86_400.0).close == CLOSE_GOING_AWAY


def test_what_the_venue_takes_and_never_sends():
    server = opened("/public/ws")
    server.received(subscribe_message(["a@markPrice", "a@depth"], 1), 0.0)
    server.received(b'{"method":"SUBSCRIBE","params":["BTCUSDT@depth"],"id":2}', 0.0)
    assert [name for name in server.streams if server.wants(name)] == ["a@depth"]


def test_attempts_are_counted_by_address_and_bans_grow():
    bans = Bans()
    gate = ConnectGate(Limits(connects=3, connects_seconds=300), bans)
    assert [gate.enter("a", float(now)) for now in range(3)] == [None] * 3
    assert gate.enter("b", 3.0) is None
    refused = gate.enter("a", 3.0)
    assert (refused.status, refused.retry_after_seconds) == (429, 297)
    assert gate.enter("a", 301.0) is None  # the first two are older than five minutes
    assert gate.enter("a", 301.0) is None
    statuses = [gate.enter("a", 301.5).status for _ in range(OFFENCES_TO_BAN)]
    assert statuses[-1] == 418
    assert gate.enter("a", 420.0).status == 418
    assert gate.enter("a", 1000.0) is None


def rest(market=Market.SPOT, limits=SPOT):
    gate = WeightGate(limits, Bans())
    return RestServer(
        market, limits, gate, lambda symbol, levels: b"%d" % levels if symbol == "BTCUSDT" else None
    )


@pytest.mark.parametrize(
    ("market", "limits", "query", "weight", "body"),
    [
        (Market.SPOT, SPOT, {}, 5, b"100"),
        (Market.SPOT, SPOT, {"limit": "500"}, 25, b"500"),
        (Market.SPOT, SPOT, {"limit": "1000"}, 50, b"1000"),
        (Market.SPOT, SPOT, {"limit": "99999"}, 250, b"5000"),
        (Market.USD_M, USD_M, {}, 10, b"500"),
        (Market.USD_M, USD_M, {"limit": "5"}, 2, b"5"),
    ],
)
def test_a_snapshot_costs_its_documented_weight(market, limits, query, weight, body):
    answer = rest(market, limits).depth({"symbol": "BTCUSDT", **query}, "a", 0.0)
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


@pytest.mark.parametrize(
    ("market", "query", "code"),
    [
        (Market.SPOT, {}, -1102),
        (Market.SPOT, {"symbol": "NOPE"}, -1121),
        (Market.SPOT, {"symbol": "btcusdt"}, -1121),
        (Market.SPOT, {"symbol": "BTCUSDT", "limit": "x"}, -1100),
        (Market.SPOT, {"symbol": "BTCUSDT", "limit": "0"}, -1100),
        (Market.USD_M, {"symbol": "BTCUSDT", "limit": "7"}, -1130),
    ],
)
def test_a_bad_request_gets_binances_code(market, query, code):
    answer = rest(market).depth(query, "a", 0.0)
    assert (answer.status, json.loads(answer.body)["code"]) == (400, code)


def test_too_much_weight_is_429_then_418_with_retry_after():
    server = rest()
    query = {"symbol": "BTCUSDT", "limit": "5000"}
    assert {server.depth(query, "a", 90.0).status for _ in range(24)} == {200}
    answers = [server.depth(query, "a", 90.0) for _ in range(OFFENCES_TO_BAN)]
    assert [answer.status for answer in answers] == [429] * (OFFENCES_TO_BAN - 1) + [418]
    assert answers[0].headers["Retry-After"] == "30"
    assert answers[-1].headers["Retry-After"] == "120"
    assert json.loads(answers[-1].body)["code"] == -1003
    assert server.depth(query, "b", 90.0).status == 200
    assert server.depth(query, "a", 200.0).status == 418
    assert server.depth(query, "a", 211.0).status == 200
    assert server.exchange_info(("BTCUSDT",), "a", 211.0).status == 200


NAMES = st.sampled_from(["a@trade", "b@depth", "c@depth@100ms", "bad", "d@nope"])


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove", "lie", "cut"]), st.lists(NAMES, min_size=1, max_size=3))
    )
)
def test_both_halves_agree_and_lies_are_found(steps):
    client = BinanceConnector().session("ws://127.0.0.1/stream?streams=z@depth", {})
    server, now = opened("/stream?streams=z@depth"), 0.0
    for number, (step, names) in enumerate(steps):
        now += 2
        if step == "cut":
            url = client.target(0).url
            server = opened(url.removeprefix("ws://127.0.0.1"), now=now)
            client.opened()
            messages = [out.payload for out in client.subscriptions()]
        else:
            make = unsubscribe_message if step == "remove" else subscribe_message
            messages = [make(names, number)]
        for message in messages:
            client.sent(message, binary=False)
            outcome = server.received(message, now)
            if step == "lie":
                server.withhold(outcome.added)
            for answer in outcome.answers:
                assert client.received(answer, binary=False) is not None
        assert client.expects() == 0
    lies = {name for name in client.streams if name not in server.streams}
    assert set(server.streams) <= set(client.streams)
    for effect in client.live(0):
        (answer,) = server.received(effect.payload, now + 2).answers
        assert set(client.received(answer, binary=False).missing) == lies
    assert isinstance(client.received(server.shutdown(1).answers[0], binary=False), Leaving)
