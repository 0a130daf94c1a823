"""The server half: every answer and every error code, in both encodings."""

import base64

import msgpack
import msgspec
import pytest

from virtufin_examples.venues.alpaca import (
    ALGO_TRADER_PLUS,
    BASIC,
    ENDPOINTS,
    ERROR_CODES,
    Limits,
    WireEncoding,
    auth_message,
    decode,
    encode,
    subscribe_message,
    unsubscribe_message,
)
from virtufin_examples.venues.alpaca.server import (
    CLOSE_INTERNAL,
    CLOSE_POLICY,
    Credentials,
    Gate,
    credentials_of,
    server_for,
)

MSGPACK = {"Content-Type": "application/msgpack"}
EMPTY_STOCKS = {
    "T": "subscription",
    "trades": [],
    "quotes": [],
    "bars": [],
    "updatedBars": [],
    "dailyBars": [],
    "statuses": [],
    "lulds": [],
    "corrections": [],
    "cancelErrors": [],
}


def gate(limits=ALGO_TRADER_PLUS):
    return Gate(lambda given: given.secret == "s", limits)


class Client:
    """A client of a server session; keeps what the session asked for."""

    def __init__(self, path="v2/iex", headers=None, at=None):
        self.server = server_for(ENDPOINTS[path], at or gate(), headers or {})
        self.binary = headers == MSGPACK
        self.close = 0
        self.added = ()
        self.greeting = self.read(self.server.opened(100.0))

    def read(self, outcome):
        self.close = outcome.close
        self.added = outcome.added
        messages = []
        for answer in outcome.answers:
            assert answer.binary is (self.server.encoding is WireEncoding.MSGPACK)
            value = msgpack.unpackb(answer.payload) if answer.binary else decode(answer.payload)
            assert len(value) == 1
            assert next(iter(value[0])) == "T"
            messages.append(value[0])
        return messages

    def raw(self, payload, *, binary=False):
        return self.read(self.server.received(payload, binary=binary))

    def send(self, payload):
        if self.binary:
            payload = msgpack.packb(msgspec.json.decode(payload))
        return self.raw(payload, binary=self.binary)

    def auth(self):
        return self.send(auth_message("k", "s"))


def error(code):
    return [{"T": "error", "code": code, "msg": ERROR_CODES[code].message}]


@pytest.fixture(params=[{}, MSGPACK], ids=["json", "msgpack"])
def client(request):
    return Client(headers=request.param)


def test_the_handshake(client):
    assert client.greeting == [{"T": "success", "msg": "connected"}]
    assert client.auth() == [{"T": "success", "msg": "authenticated"}]
    assert client.server.authenticated
    assert client.send(subscribe_message("quotes", ["AMD", "AAPL"])) == [
        EMPTY_STOCKS | {"quotes": ["AAPL", "AMD"]}
    ]
    assert client.added == (("quotes", "AAPL"), ("quotes", "AMD"))


def test_every_answer_is_the_whole_set_and_corrections_follow_trades(client):
    client.auth()
    client.send(subscribe_message("bars", ["*"]))
    assert client.send(subscribe_message("trades", ["AAPL"])) == [
        EMPTY_STOCKS | {"bars": ["*"], "trades": ["AAPL"], "corrections": ["AAPL"], "cancelErrors": ["AAPL"]}
    ]
    assert client.send(unsubscribe_message("trades", ["AAPL", "MSFT"])) == [EMPTY_STOCKS | {"bars": ["*"]}]
    assert client.added == ()
    assert client.send(subscribe_message("imbalances", ["X"])) == [
        EMPTY_STOCKS | {"bars": ["*"], "imbalances": ["X"]}
    ]


def test_what_a_client_wants():
    client = Client()
    client.auth()
    client.send(b'{"action":"subscribe","trades":["AAPL"],"bars":["*"]}')
    server = client.server
    assert server.wants("trades", ("AAPL",))
    assert server.wants("corrections", ("AAPL",))
    assert server.wants("cancelErrors", ("AAPL",))
    assert not server.wants("corrections", ("MSFT",))
    assert server.wants("bars", ("ANY",))
    assert not server.wants("quotes", ("AAPL",))
    assert not server.wants("orderbooks", ("AAPL",))
    assert server.entries() == {("trades", "AAPL"), ("bars", "*")}


@pytest.mark.parametrize(
    "payload",
    [
        b"nonsense",
        b"[]",
        b"",
        b'{"action":"dance"}',
        b"{}",
        b'{"action":"subscribe","trades":"AAPL"}',
        b'{"action":"subscribe","trades":["aapl"]}',
        b'{"action":"subscribe","trades":["AAPL",3]}',
        b'{"action":"subscribe","nonsense":["AAPL"]}',
    ],
)
def test_400_leaves_the_socket_open_and_the_set_as_it_was(payload):
    client = Client()
    client.auth()
    client.send(subscribe_message("trades", ["AMD"]))
    assert client.raw(payload) == error(400)
    assert client.close == 0
    assert client.server.entries() == {("trades", "AMD")}


def test_401_before_authentication(client):
    assert client.send(subscribe_message("trades", ["AAPL"])) == error(401)
    assert client.send(b'{"action":"dance"}') == error(401)
    assert client.close == 0


def test_402_for_wrong_keys_closes(client):
    assert client.send(auth_message("k", "wrong")) == error(402)
    assert client.close == CLOSE_POLICY
    assert not client.server.authenticated


def test_keys_that_are_no_strings_are_400(client):
    assert client.send(b'{"action":"auth","key":1,"secret":"s"}') == error(400)


def test_403_for_a_second_authentication(client):
    client.auth()
    assert client.auth() == error(403)
    assert client.close == 0


def test_404_when_time_is_up(client):
    assert client.read(client.server.tick(109.9)) == []
    assert client.read(client.server.tick(110.0)) == error(404)
    assert client.close == CLOSE_POLICY


def test_no_404_after_authentication(client):
    client.auth()
    assert client.read(client.server.tick(1000.0)) == []


def test_405_counts_trades_and_quotes_together_and_bars_not():
    client = Client(at=gate(Limits(stock_symbols=3)))
    client.auth()
    client.send(b'{"action":"subscribe","trades":["A","B"],"quotes":["A"],"bars":["C","D","E","F"]}')
    assert client.send(subscribe_message("quotes", ["B"])) == error(405)
    assert client.send(subscribe_message("trades", ["*"])) == error(405)
    assert client.close == 0
    assert len(client.server.entries()) == 7
    assert client.send(subscribe_message("trades", ["A"]))[0]["trades"] == ["A", "B"]


@pytest.mark.parametrize(
    ("path", "limits", "channel", "symbols"),
    [
        ("v1beta3/crypto/us", Limits(orderbook_symbols=1), "orderbooks", ["BTC/USD", "ETH/USD"]),
        (
            "v1beta1/indicative",
            Limits(option_quotes=1),
            "quotes",
            ["AAPL240315C00172500", "AAPL240315C00175000"],
        ),
    ],
)
def test_405_for_books_and_option_quotes(path, limits, channel, symbols):
    client = Client(path, MSGPACK, gate(limits))
    client.auth()
    assert client.send(subscribe_message(channel, symbols)) == error(405)
    assert client.send(subscribe_message(channel, symbols[:1]))[0][channel] == symbols[:1]
    assert client.send(subscribe_message("trades", symbols))[0]["trades"] == symbols


def test_406_for_a_second_connection_of_an_endpoint_until_the_first_is_gone():
    at = gate()
    first, second, elsewhere = Client(at=at), Client(at=at), Client("v2/test", at=at)
    first.auth()
    assert second.auth() == error(406)
    assert second.close == CLOSE_POLICY
    assert elsewhere.auth() == [{"T": "success", "msg": "authenticated"}]
    second.server.closed()
    first.server.closed()
    first.server.closed()
    third = Client(at=at)
    assert third.auth() == [{"T": "success", "msg": "authenticated"}]
    assert Client(at=at).auth() == error(406)


def test_the_connection_limit_is_configurable_and_an_account_s_own():
    at = Gate(lambda _: True, Limits(connections_per_endpoint=2))
    clients = [Client(at=at) for _ in range(4)]
    assert [client.auth()[0]["T"] for client in clients[:3]] == ["success", "success", "error"]
    assert clients[3].send(auth_message("other", "s"))[0]["T"] == "success"
    unlimited = gate(Limits(connections_per_endpoint=None))
    assert {Client(at=unlimited).auth()[0]["T"] for _ in range(5)} == {"success"}


def test_407_for_a_slow_client(client):
    client.auth()
    assert client.read(client.server.overrun()) == error(407)
    assert client.close == CLOSE_POLICY


@pytest.mark.parametrize("code", [408, 409, 411, 500])
def test_endpoints_can_be_refused_with_a_code(code):
    client = Client(at=gate(Limits(refused={"v2/iex": code})))
    assert client.auth() == error(code)
    assert client.close == (CLOSE_INTERNAL if code == 500 else CLOSE_POLICY)


def test_the_free_plan_has_no_sip():
    assert Client("v2/sip", at=gate(BASIC)).auth() == error(409)
    assert Client("v2/iex", at=gate(BASIC)).auth()[0]["T"] == "success"


@pytest.mark.parametrize("channel", ["orderbooks", "news", "corrections", "cancelErrors", "trade_updates"])
def test_410_for_a_channel_of_another_feed(client, channel):
    client.auth()
    assert client.send(b'{"action":"subscribe","%s":["AAPL"]}' % channel.encode()) == error(410)
    assert client.close == 0


def test_412_for_options_in_json():
    client = Client("v1beta1/opra")
    assert client.raw(auth_message("k", "s")) == error(412)
    assert client.close == CLOSE_POLICY


def test_413_for_all_option_quotes():
    client = Client("v1beta1/indicative", MSGPACK)
    client.auth()
    assert client.send(subscribe_message("quotes", ["*"])) == error(413)
    assert client.send(subscribe_message("trades", ["*"])) == [
        {"T": "subscription", "trades": ["*"], "quotes": []}
    ]


def test_the_first_message_decides_where_no_header_does():
    client = Client("v1beta1/indicative")
    assert client.server.encoding is WireEncoding.JSON
    client.raw(msgpack.packb({"action": "auth", "key": "k", "secret": "s"}), binary=True)
    assert client.server.encoding is WireEncoding.MSGPACK
    assert client.server.authenticated


def test_a_json_header_stays_json():
    client = Client(headers={"content-type": "application/json"})
    client.raw(auth_message("k", "s"), binary=True)
    assert client.server.encoding is WireEncoding.JSON


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("v1beta3/crypto/us", ["trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars"]),
        ("v1beta1/opra", ["trades", "quotes"]),
        ("v1beta1/news", ["news"]),
    ],
)
def test_answers_have_the_channels_of_their_endpoint(path, expected):
    client = Client(path, MSGPACK)
    client.auth()
    assert list(client.send(b'{"action":"subscribe"}')[0]) == ["T", *expected]


def test_an_empty_list_changes_nothing(client):
    client.auth()
    assert client.send(b'{"action":"subscribe","trades":[]}') == [EMPTY_STOCKS]


BASIC_AUTH = "Basic " + base64.b64encode(b"k:s").decode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}, Credentials("k", "s")),
        ({"apca-api-key-id": "k"}, Credentials("k", "")),
        ({"Authorization": BASIC_AUTH}, Credentials("k", "s")),
        ({"authorization": "Bearer s"}, Credentials("oauth", "s")),
        ({"Authorization": "Basic !!"}, Credentials("", "")),
        ({"Authorization": "Digest x"}, None),
        ({}, None),
    ],
)
def test_credentials_in_headers(headers, expected):
    assert credentials_of(headers) == expected


def test_headers_authenticate_without_a_message():
    client = Client(headers={"Authorization": BASIC_AUTH})
    assert [message["msg"] for message in client.greeting] == ["connected", "authenticated"]
    assert client.auth() == error(403)
    refused = Client(headers={"Authorization": "Bearer no"})
    assert refused.greeting[1:] == error(402)
    assert refused.close == CLOSE_POLICY


def test_credentials_do_not_show_in_a_repr():
    assert "canary" not in repr(Credentials("canary", "canary"))


def test_data_comes_in_arrays_of_at_most_100(client):
    items = [encode({"T": "t", "i": index}, client.server.encoding) for index in range(250)]
    answers = client.server.data(items)
    arrays = [(msgpack.unpackb if client.binary else decode)(answer.payload) for answer in answers]
    assert [len(array) for array in arrays] == [100, 100, 50]
    assert [item["i"] for array in arrays for item in array] == list(range(250))
    assert client.server.data([]) == []


class TradingClient:
    def __init__(self, headers=None, at=None):
        self.server = server_for(ENDPOINTS["stream"], at or gate(), headers or {})
        self.close = 0
        self.greeting = self.read(self.server.opened(0.0))

    def read(self, outcome):
        self.close = outcome.close
        self.added = outcome.added
        assert all(answer.binary for answer in outcome.answers)
        return [decode(answer.payload) for answer in outcome.answers]

    def send(self, payload):
        return self.read(self.server.received(payload, binary=False))


def authorization(status, action="authenticate"):
    return [{"stream": "authorization", "data": {"status": status, "action": action}}]


@pytest.mark.parametrize(
    "message",
    [auth_message("k", "s"), b'{"action":"authenticate","data":{"key_id":"k","secret_key":"s"}}'],
)
def test_trading_takes_both_forms_of_authentication(message):
    client = TradingClient()
    assert client.greeting == []
    assert client.send(message) == authorization("authorized")
    assert client.send(message) == authorization("authorized")
    assert client.server.authenticated


def test_trading_listens_by_replacing_the_set():
    client = TradingClient()
    client.send(auth_message("k", "s"))
    asked = b'{"action":"listen","data":{"streams":["trade_updates","account_updates"]}}'
    listening = {"stream": "listening", "data": {"streams": ["trade_updates"]}}
    assert client.send(asked) == [listening]
    assert client.added == (("trade_updates", "*"),)
    assert client.server.wants("trade_updates", ())
    assert client.send(asked) == [listening]
    assert client.added == ()
    assert client.send(b'{"action":"listen","data":{"streams":[]}}') == [
        {"stream": "listening", "data": {"streams": []}}
    ]
    assert client.server.entries() == frozenset()


def test_trading_refuses_wrong_keys_and_cuts_when_time_is_up():
    client = TradingClient()
    assert client.send(subscribe_message("trade_updates", ())) == authorization("unauthorized", "listen")
    assert client.send(auth_message("k", "no")) == authorization("unauthorized")
    assert client.read(client.server.tick(9.9)) == []
    assert client.close == 0
    client.read(client.server.tick(10.0))
    assert client.close == CLOSE_POLICY


def test_trading_by_header_in_msgpack_and_nonsense():
    client = TradingClient({"Authorization": BASIC_AUTH} | MSGPACK)
    assert client.greeting == authorization("authorized")
    assert client.server.encoding is WireEncoding.MSGPACK
    assert client.server.endpoint.path == "stream"
    assert client.read(client.server.tick(99.0)) == []
    assert client.send(b'{"action":"dance"}') == []
    for nonsense in (b"nonsense", b"[]"):
        client.send(nonsense)
        assert client.close == CLOSE_POLICY
    client.read(client.server.overrun())
    assert client.close == CLOSE_POLICY
    client.server.closed()
    assert not client.server.authenticated
