"""The client half: ids matched, the wanted set remembered, lies found out."""

import json

import pytest

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import Acknowledged, Disposition, Leaving, Refused
from virtufin_examples.venues.binance import (
    BinanceConnector,
    subscribe_message,
    unsubscribe_message,
)

URL = "wss://stream.binance.com:9443/stream?streams=btcusdt@depth/ethusdt@depth"


def session(url=URL, **options):
    return BinanceConnector().session(url, options)


def answer(request_id, result=None, **more):
    return json.dumps({"result": result, "id": request_id, **more}, separators=(",", ":")).encode()


def take(client, payload):
    assert client.is_control(payload)
    return client.received(payload, binary=False)


def subscribe(client, *streams, request_id=1, lasting=True):
    message = subscribe_message(streams, request_id)
    assert client.folds(message)
    client.check(message, binary=False)
    client.sent(message, binary=False, lasting=lasting)


def test_answers_are_matched_by_their_ids():
    client = session()
    subscribe(client, "a@trade", request_id=1)
    subscribe(client, "b@trade", request_id=2)
    assert client.expects() == 2
    assert take(client, answer(2)) == Acknowledged()
    assert take(client, answer(1)) == Acknowledged()
    assert client.expects() == 0
    assert client.streams == ("btcusdt@depth", "ethusdt@depth", "a@trade", "b@trade")
    assert client.wanted() == {"BTCUSDT", "ETHUSDT", "A", "B"}


def test_an_answer_to_nothing_is_noted():
    client = session()
    subscribe(client, "a@trade", request_id=1)
    verdict = take(client, answer(9))
    assert isinstance(verdict, Refused)
    assert "id 9, which nothing was sent with" in verdict.reason
    assert client.expects() == 1


@pytest.mark.parametrize(
    "error",
    [
        b'{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}',
        b'{"code":2,"msg":"Invalid request: invalid stream","id":1}',
        b'{"code":2,"msg":"Invalid request: invalid stream"}',
        b'{"id":1,"error":{"code":2,"msg":"Invalid request: invalid stream"}}',
    ],
)
def test_a_refused_change_is_undone(error):
    client = session()
    subscribe(client, "nope@x", "btcusdt@depth")
    assert take(client, error) == Refused(
        2, "Invalid request: invalid stream (left as it was: nope@x, btcusdt@depth)", Disposition.NOTE
    )
    assert client.streams == ("btcusdt@depth", "ethusdt@depth")
    client.sent(unsubscribe_message(["btcusdt@depth"], 1), binary=False)
    take(client, error)
    assert set(client.streams) == {"btcusdt@depth", "ethusdt@depth"}


def test_a_new_socket_asks_for_all_that_is_wanted():
    client = session()
    assert client.target(0).url == URL
    assert client.subscriptions() == []
    subscribe(client, "a@trade", "b@trade")
    subscribe(client, "c@trade", request_id=2, lasting=False)
    client.sent(unsubscribe_message(["ethusdt@depth", "b@trade"], 3), binary=False)
    client.opened()
    assert client.expects() == 0
    assert client.target(0).url == "wss://stream.binance.com:9443/stream?streams=btcusdt@depth"
    (message,) = client.subscriptions()
    assert json.loads(message.payload)["params"] == ["a@trade"]


def test_many_streams_are_asked_for_in_parts_with_ids_of_their_own():
    client = session("wss://stream.binance.com:9443/ws")
    names = [f"s{number}@trade" for number in range(450)]
    subscribe(client, *names)
    parts = [json.loads(message.payload) for message in client.subscriptions()]
    assert [len(part["params"]) for part in parts] == [200, 200, 50]
    assert len({part["id"] for part in parts}) == 3
    more = subscribe_message([f"t{number}@trade" for number in range(600)], 2)
    assert (client.symbols_with(b""), client.symbols_with(more)) == (450, 1050)
    with pytest.raises(InvalidInputError, match="upper case"):
        client.check(b'{"method":"SUBSCRIBE","params":["BTCUSDT@trade"],"id":1}', binary=False)
    client.check(b"no json", binary=False)  # the venue's to refuse


def test_once_live_it_compares_the_list_with_what_is_wanted():
    client = session()
    subscribe(client, "a@trade")
    take(client, answer(1))
    (effect,) = client.live(0)
    request = json.loads(effect.payload)
    assert request["method"] == "LIST_SUBSCRIPTIONS"
    assert client.expects() == 1
    listed = answer(request["id"], ["btcusdt@depth", "ethusdt@depth"])
    assert take(client, listed) == Acknowledged(("a@trade",))
    assert client.expects() == 0
    assert not session("wss://stream.binance.com:9443/ws").live(0)


def test_a_list_older_than_a_change_accuses_nobody():
    client = session()
    (effect,) = client.live(0)
    subscribe(client, "a@trade")
    listed = answer(json.loads(effect.payload)["id"], ["btcusdt@depth", "ethusdt@depth"])
    assert take(client, listed) == Acknowledged()


def test_futures_streams_on_the_wrong_path_are_missing():
    client = session("wss://fstream.binance.com/public/stream")
    subscribe(client, "btcusdt@depth", "btcusdt@markPrice")
    assert take(client, answer(1)) == Acknowledged(("btcusdt@markPrice",))


@pytest.mark.parametrize(
    "payload",
    [
        b'{"e":"serverShutdown","E":1770123456789}',
        b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
    ],
)
def test_a_shutdown_asks_for_another_socket(payload):
    assert isinstance(take(session(), payload), Leaving)


def test_data_is_no_control_message():
    client = session()
    for payload in (
        b'{"stream":"a@trade","data":{"e":"trade"}}',
        b'{"e":"trade"}',
        b'{"u":1,"s":"A"}',
        b'{"lastUpdateId":1}',
        b"[]",
        b"",
    ):
        assert not client.is_control(payload)
        assert client.received(payload, binary=False) is None


def test_control_messages_that_cannot_be_read_are_noted():
    client = session()
    assert take(client, b'{"result":').disposition is Disposition.NOTE
    assert take(client, b'{"code":"x"}').code == 0
    subscribe(client, "a@trade")
    client.sent(b"no json", binary=False)
    assert client.expects() == 2
    take(client, b'{"error":{"code":3,"msg":"Invalid JSON"}}')
    assert client.expects() == 1


def test_two_speeds_of_a_book_on_a_raw_socket_tell_no_holes():
    depth = b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":5,"u":6,"b":[],"a":[]}'
    client = session("wss://stream.binance.com:9443/ws/btcusdt@depth")
    assert client.peek(depth)[0].gapless
    subscribe(client, "btcusdt@depth@100ms")
    assert not client.peek(depth)[0].gapless


def listing(client, effects):
    (effect,) = effects
    request = json.loads(effect.payload)
    assert request["method"] == "LIST_SUBSCRIPTIONS"
    return request["id"]


def test_a_symbol_is_acknowledged_when_the_list_has_all_its_streams():
    client = session()
    client.opened()
    assert client.acknowledged() == frozenset()
    take(client, answer(listing(client, client.live(0)), ["btcusdt@depth", "ethusdt@depth"]))
    assert client.acknowledged() == {"BTCUSDT", "ETHUSDT"}
    subscribe(client, "btcusdt@trade", "a@trade")
    take(client, answer(1))
    assert client.acknowledged() == {"ETHUSDT"}
    names = ["btcusdt@depth", "ethusdt@depth", "btcusdt@trade", "a@trade"]
    take(client, answer(listing(client, client.tick(0)), names))
    assert client.acknowledged() == {"BTCUSDT", "ETHUSDT", "A"}
    assert client.tick(0) == ()


def test_what_was_confirmed_and_not_made_is_asked_for_three_times_more():
    client = session("wss://stream.binance.com:9443/stream")
    client.opened()
    subscribe(client, "a@trade")
    take(client, answer(1))
    take(client, answer(listing(client, client.live(0)), []))
    for _ in range(3):
        (again,) = client.tick(0)
        request = json.loads(again.payload)
        assert (request["method"], request["params"]) == ("SUBSCRIBE", ["a@trade"])
        take(client, answer(request["id"]))
        take(client, answer(listing(client, client.tick(0)), []))
    assert client.tick(0) == ()
    assert client.acknowledged() == frozenset()


def test_where_the_list_is_refused_the_confirmation_has_to_do():
    client = session("wss://stream.binance.com:9443/stream")
    client.opened()
    subscribe(client, "a@trade")
    take(client, answer(1))
    asked = listing(client, client.live(0))
    take(client, answer(asked, error={"code": 2, "msg": "no"}))
    assert client.acknowledged() == {"A"}


def test_with_a_stream_of_all_symbols_none_is_named_as_wanted():
    client = session("wss://stream.binance.com:9443/ws/!miniTicker@arr/btcusdt@trade")
    assert client.wanted() is None
    assert client.acknowledged() is None
