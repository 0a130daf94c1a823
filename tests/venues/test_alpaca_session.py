"""The connector: what it makes of the venue's answers."""

import datetime as dt

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import Acknowledged, Authenticated, Disposition, Refused, Target
from virtufin_examples.venues.alpaca import (
    ERROR_CODES,
    STALE_SESSION_SECONDS,
    AlpacaConnector,
    TradingSession,
    WireEncoding,
    auth_message,
    encode,
    subscribe_message,
    unsubscribe_message,
)

STOCKS = "wss://stream.data.alpaca.markets/v2/iex"
CONNECTED = {"T": "success", "msg": "connected"}
AUTHENTICATED = {"T": "success", "msg": "authenticated"}


def subscription(**channels):
    return {"T": "subscription", "trades": [], "quotes": [], "bars": []} | channels


def error(code):
    return {"T": "error", "code": code, "msg": ERROR_CODES[code].message}


class Wire:
    """A session fed in one encoding."""

    def __init__(self, encoding, url=STOCKS):
        self.encoding = encoding
        self.session = AlpacaConnector().session(url, {})
        self.session.opened()

    def send(self, payload):
        value = msgspec.json.decode(payload)
        self.session.sent(encode(value, self.encoding), binary=self.encoding is WireEncoding.MSGPACK)

    def receive(self, *messages):
        payload = encode(list(messages), self.encoding)
        return self.session.received(payload, binary=self.encoding is WireEncoding.MSGPACK)

    def live(self, *symbols):
        self.receive(CONNECTED)
        self.send(auth_message("k", "s"))
        self.receive(AUTHENTICATED)
        self.send(subscribe_message("trades", symbols))
        return self.receive(subscription(trades=list(symbols)))


@pytest.fixture(params=list(WireEncoding))
def wire(request):
    return Wire(request.param)


def test_the_handshake_is_complete_when_every_message_is_answered(wire):
    assert wire.receive(CONNECTED) is None
    assert wire.session.expects() == 0
    wire.send(auth_message("${secret:alpaca/key}", "${secret:alpaca/secret}"))
    wire.send(subscribe_message("trades", ["AAPL"]))
    assert wire.session.expects() == 2
    assert wire.receive(AUTHENTICATED) == Authenticated()
    assert wire.session.expects() == 1
    assert wire.receive(subscription(trades=["AAPL"])) == Acknowledged()
    assert wire.session.expects() == 0


def test_symbols_that_the_venue_left_out_are_missing(wire):
    wire.live("AAPL")
    wire.send(subscribe_message("quotes", ["MSFT", "AMD"]))
    assert wire.receive(subscription(trades=["AAPL"], quotes=["AMD"])) == Acknowledged(("MSFT",))


def test_a_star_covers_every_symbol_of_its_channel(wire):
    wire.live("AAPL")
    assert wire.session.entries == {("trades", "AAPL")}
    wire.send(subscribe_message("trades", ["*"]))
    assert wire.receive(subscription(trades=["*"])) == Acknowledged()


def test_an_answer_is_judged_only_when_no_later_change_is_open(wire):
    wire.live("AAPL")
    wire.send(subscribe_message("quotes", ["AMD"]))
    wire.send(subscribe_message("quotes", ["MSFT"]))
    assert wire.receive(subscription(trades=["AAPL"], quotes=["AMD"])) == Acknowledged()
    assert wire.receive(subscription(trades=["AAPL"], quotes=["AMD", "MSFT"])) == Acknowledged()


def test_a_new_socket_forgets_what_was_confirmed_but_not_what_is_wanted(wire):
    wire.live("AAPL", "AMD")
    wire.send(unsubscribe_message("trades", ["AMD"]))
    wire.session.opened()
    assert wire.session.expects() == 0
    wire.send(auth_message("k", "s"))
    assert wire.receive(AUTHENTICATED) == Authenticated()
    wire.send(subscribe_message("quotes", ["MSFT"]))
    assert wire.receive(subscription(quotes=["MSFT"])) == Acknowledged(("AAPL",))


def test_a_refused_subscription_leaves_the_set_and_names_its_symbols(wire):
    wire.live("AAPL")
    wire.send(subscribe_message("quotes", ["AAPL", "MSFT"]))
    verdict = wire.receive(error(405))
    assert verdict.disposition is Disposition.NOTE
    assert "AAPL, MSFT" in verdict.reason
    assert wire.session.expects() == 0
    assert wire.session.entries == {("trades", "AAPL")}


def test_a_refused_unsubscription_is_undone_as_well(wire):
    wire.live("AAPL")
    wire.send(unsubscribe_message("trades", ["AAPL"]))
    wire.receive(error(400))
    assert wire.session.entries == {("trades", "AAPL")}


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
def test_every_code_has_its_disposition(wire, code):
    expected = {
        400: Disposition.NOTE,
        401: Disposition.NOTE,
        402: Disposition.PERMANENT,
        403: Disposition.NOTE,
        404: Disposition.RETRY,
        405: Disposition.NOTE,
        406: Disposition.WAIT,
        407: Disposition.RETRY,
        408: Disposition.PERMANENT,
        409: Disposition.PERMANENT,
        410: Disposition.NOTE,
        411: Disposition.PERMANENT,
        412: Disposition.PERMANENT,
        413: Disposition.NOTE,
        500: Disposition.RETRY,
    }
    verdict = wire.receive(error(code))
    assert isinstance(verdict, Refused)
    assert (verdict.code, verdict.disposition) == (code, expected[code])
    assert verdict.reason.startswith(ERROR_CODES[code].message)
    assert verdict.wait_seconds == (STALE_SESSION_SECONDS if code == 406 else 0.0)


def test_a_code_that_nobody_documented_is_retried(wire):
    verdict = wire.receive({"T": "error", "code": 499, "msg": "new"})
    assert verdict == Refused(499, "new", Disposition.RETRY)


def test_an_unsolicited_error_answers_nothing(wire):
    wire.send(auth_message("k", "s"))
    wire.receive(error(407))
    assert wire.session.expects() == 1
    wire.receive(error(402))
    assert wire.session.expects() == 0


def test_an_unreadable_message_of_ours_waits_for_its_refusal(wire):
    wire.session.sent(b"\xc1nonsense", binary=True)
    assert wire.session.expects() == 1
    wire.receive(error(400))
    assert wire.session.expects() == 0


DATA = [
    {"T": kind, "S": "AAPL", "msg": "error subscription success", "x": {"T": "error"}}
    for kind in "tqbducxlsion"
]


@pytest.mark.parametrize("message", DATA, ids=lambda message: message["T"])
def test_data_is_never_taken_for_control(wire, message):
    for frame in ([message], [message, message], [message] * 20):
        payload = encode(frame, wire.encoding)
        assert not wire.session.is_control(payload)
        assert wire.session.received(payload, binary=False) is None


@pytest.mark.parametrize("message", [CONNECTED, AUTHENTICATED, subscription(trades=["A"] * 500), error(402)])
def test_control_is_found_without_reading_all_of_it(wire, message):
    assert wire.session.is_control(encode([message], wire.encoding))


def test_control_in_another_spelling_is_found():
    session = AlpacaConnector().session(STOCKS, {})
    assert session.is_control(b'[ {"code": 402, "T": "error", "msg": "auth failed"} ]')
    assert session.received(b'[ {"code": 402, "T":"error", "msg": "auth failed"} ]', binary=False).code == 402
    assert session.is_control(msgpack.packb([{"msg": "connected", "T": "success"}]))
    assert not session.is_control(b"\x91\x81\xa1T")
    assert not session.is_control(b"")


def test_a_broken_control_frame_is_noted():
    session = AlpacaConnector().session(STOCKS, {})
    verdict = session.received(b'[{"T":"error","code":', binary=False)
    assert verdict.disposition is Disposition.NOTE
    assert session.received(b'[{"T":"new","x":1}]', binary=False) is None
    assert session.received(b'[{"T":"error"},{"T":"error"}]', binary=False) is None


@pytest.mark.parametrize(
    ("url", "claimed"),
    [
        ("wss://stream.data.alpaca.markets/v2/iex", True),
        ("wss://stream.data.sandbox.alpaca.markets/v2/iex", True),
        ("wss://paper-api.alpaca.markets/stream", True),
        ("wss://api.alpaca.markets/stream", True),
        ("https://api.alpaca.markets/v2/orders", False),
        ("wss://stream.data.alpaca.markets.example/v2/iex", False),
        ("ws://127.0.0.1:8765/v2/iex", False),
        ("nonsense", False),
    ],
)
def test_the_connector_claims_alpacas_streams(url, claimed):
    assert AlpacaConnector().claims(url) is claimed


def test_options_and_unknown_endpoints_are_refused():
    connector = AlpacaConnector()
    with pytest.raises(InvalidInputError, match='no option "feed"'):
        connector.session(STOCKS, {"feed": "iex"})
    with pytest.raises(InvalidInputError, match="no stream"):
        connector.session("wss://stream.data.alpaca.markets/v9/x", {})


def test_option_streams_need_a_header():
    connector = AlpacaConnector()
    assert connector.session(STOCKS, {}).target(0) == Target(STOCKS, {})
    options = "wss://stream.data.alpaca.markets/v1beta1/opra"
    assert connector.session(options, {}).target(0) == Target(
        options, {"Content-Type": "application/msgpack"}
    )


DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "disposition", "wait_seconds"),
    [
        (401, {}, Disposition.PERMANENT, 0),
        (403, {}, Disposition.PERMANENT, 0),
        (404, {}, Disposition.PERMANENT, 0),
        (429, {}, Disposition.WAIT, 5),
        (429, {"Retry-After": "17"}, Disposition.WAIT, 17),
        (429, {"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT", "date": DATE}, Disposition.WAIT, 30),
        (429, {"Retry-After": DATE, "Date": "Tue, 14 Nov 2023 22:14:00 GMT"}, Disposition.WAIT, 0),
        (429, {"Retry-After": DATE}, Disposition.WAIT, 5),
        (429, {"Retry-After": "soon", "Date": DATE}, Disposition.WAIT, 5),
        (503, {"Retry-After": "3"}, Disposition.WAIT, 3),
        (503, {}, Disposition.RETRY, 0),
        (502, {}, Disposition.RETRY, 0),
        (200, {}, Disposition.RETRY, 0),
    ],
)
def test_a_refused_upgrade_is_sorted(status, headers, disposition, wait_seconds):
    verdict = AlpacaConnector().upgrade_refused(status, headers)
    assert (verdict.code, verdict.disposition, verdict.wait_seconds) == (status, disposition, wait_seconds)


def authorization(status, action="authenticate"):
    return {"stream": "authorization", "data": {"status": status, "action": action}}


@pytest.fixture(params=list(WireEncoding))
def trading(request):
    session = TradingSession()
    session.opened()

    def receive(message):
        return session.received(encode(message, request.param), binary=True)

    return session, receive


def test_the_trading_handshake(trading):
    session, receive = trading
    session.sent(auth_message("k", "s"), binary=False)
    session.sent(subscribe_message("trade_updates", ()), binary=False)
    assert session.expects() == 2
    assert receive(authorization("authorized")) == Authenticated()
    listening = {"stream": "listening", "data": {"streams": ["trade_updates"]}}
    assert receive(listening) == Acknowledged()
    assert session.expects() == 0
    assert receive({"stream": "trade_updates", "data": {"event": "new", "order": {}}}) is None


def test_streams_that_are_not_to_be_had_are_missing(trading):
    session, receive = trading
    session.sent(b'{"action":"listen","data":{"streams":["trade_updates","account_updates"]}}', binary=False)
    verdict = receive({"stream": "listening", "data": {"streams": ["trade_updates"]}})
    assert verdict == Acknowledged(("account_updates",))


def test_only_the_last_listen_counts(trading):
    session, receive = trading
    session.sent(subscribe_message("trade_updates", ()), binary=False)
    session.sent(unsubscribe_message("trade_updates", ()), binary=False)
    assert receive({"stream": "listening", "data": {"streams": []}}) == Acknowledged()
    assert receive({"stream": "listening", "data": {"streams": []}}) == Acknowledged()
    session.opened()
    assert session.expects() == 0


def test_refused_keys_are_permanent_and_a_listen_too_early_is_a_note(trading):
    session, receive = trading
    session.sent(b'{"action":"authenticate","data":{"key_id":"k","secret_key":"s"}}', binary=False)
    verdict = receive(authorization("unauthorized"))
    assert (verdict.code, verdict.disposition, session.expects()) == (402, Disposition.PERMANENT, 0)
    session.sent(subscribe_message("trade_updates", ()), binary=False)
    verdict = receive(authorization("unauthorized", "listen"))
    assert (verdict.code, verdict.disposition, session.expects()) == (401, Disposition.NOTE, 0)


def test_the_trading_session_bears_nonsense():
    session = AlpacaConnector().session("wss://api.alpaca.markets/stream", {})
    assert isinstance(session, TradingSession)
    for payload in (b"nonsense", b"[]", b'{"action":"other"}', b'{"action":"ping"}'):
        session.sent(payload, binary=False)
    assert session.expects() == 0
    assert session.received(b'{"stream":"authorization"', binary=False).disposition is Disposition.NOTE
    assert session.received(b'["authorization"]', binary=False) is None
    assert session.received(b'{"stream":"x","data":{"y":"listening"}}', binary=False) is None


# --- the wanted set, translation, hours, peek ---


def test_later_messages_fold_into_one_message_a_channel(wire):
    wire.live("AAPL", "AMD")
    for payload in (subscribe_message("quotes", ["MSFT"]), unsubscribe_message("trades", ["AMD"])):
        assert wire.session.folds(payload)
        wire.send(payload)
    assert [msgspec.json.decode(each.payload) for each in wire.session.subscriptions()] == [
        {"action": "subscribe", "quotes": ["MSFT"]},
        {"action": "subscribe", "trades": ["AAPL"]},
    ]


@pytest.mark.parametrize(
    "payload",
    [
        b'{"action":"auth","key":"k","secret":"s"}',
        b'{"action":["subscribe"],"trades":["A"]}',
        b'{"action":"subscribe","trades":["A"],"nonsense":["B"]}',
        b'{"action":"subscribe"}',
        b"[]",
        b"{",
    ],
)
def test_what_is_not_understood_is_not_folded(payload):
    assert not AlpacaConnector().session(STOCKS, {}).folds(payload)


@pytest.mark.parametrize("url", [STOCKS, "wss://paper-api.alpaca.markets/stream"])
def test_only_what_authenticates_may_hold_references_to_secrets(url):
    session = AlpacaConnector().session(url, {})
    session.check(auth_message("${secret:alpaca/key}", "${secret:alpaca/secret}"), binary=False)
    for payload in (b"{", b"[]", b'{"action":["auth"]}', subscribe_message("trades", ["AAPL"])):
        session.check(payload, binary=False)
        session.sent(payload, binary=False)
    for payload, field in (
        (b'{"action":"subscribe","trades":["AAPL","${secret:alpaca/key}"]}', "trades"),
        (b'{"action":"unsubscribe","bars":["$\\u007bsecret:alpaca/key}"]}', "bars"),
        (b'{"action":"subscribe","nonsense":"${secret:alpaca/key}"}', "nonsense"),
        (b'{"action":"listen","data":{"streams":["${secret:alpaca/key}"]}}', "data"),
        (b'{"action":"${secret:alpaca/key}"}', "action"),
    ):
        with pytest.raises(InvalidInputError, match=f"message: {field} holds a reference") as refused:
            session.check(payload, binary=False)
        assert "only key and secret of an auth message" in refused.value.hint


def test_a_message_for_this_socket_only_is_watched_but_not_replayed(wire):
    wire.live("AAPL")
    wire.session.sent(subscribe_message("trades", ["AMD"]), binary=False, lasting=False)
    assert wire.session.wanted() == {"AAPL", "AMD"}
    assert wire.receive(subscription(trades=["AAPL"])) == Acknowledged(("AMD",))
    wire.session.opened()
    assert wire.session.wanted() == {"AAPL"}
    wire.send(subscribe_message("trades", ["*"]))
    assert wire.session.wanted() is None


def test_a_long_list_is_replayed_in_parts():
    session = AlpacaConnector().session(STOCKS, {})
    names = [f"S{number}" for number in range(2500)]
    session.sent(subscribe_message("trades", names), binary=False)
    assert [len(msgspec.json.decode(each.payload)["trades"]) for each in session.subscriptions()] == [
        1000,
        1000,
        500,
    ]


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from(["trades", "quotes", "bars"]),
            st.lists(st.sampled_from(["A", "B", "C", "D"]), min_size=1, max_size=3, unique=True),
        ),
        max_size=30,
    )
)
def test_the_replay_asks_for_exactly_what_is_wanted(changes):
    session, wanted = AlpacaConnector().session(STOCKS, {}), set()
    for subscribes, channel, names in changes:
        entries = {(channel, name) for name in names}
        wanted = wanted | entries if subscribes else wanted - entries
        message = (subscribe_message if subscribes else unsubscribe_message)(channel, names)
        assert session.folds(message)
        session.sent(message, binary=False)
    replayed = AlpacaConnector().session(STOCKS, {})
    for part in session.subscriptions():
        replayed.sent(part.payload, binary=part.binary)
    assert session.entries == replayed.entries == wanted


def test_json_goes_to_an_option_stream_as_msgpack_and_msgpack_as_it_is():
    session = AlpacaConnector().session("wss://stream.data.alpaca.markets/v1beta1/opra", {})
    out = session.outgoing(auth_message("k", "s"), binary=False)
    assert (msgpack.unpackb(out.payload), out.binary) == ({"action": "auth", "key": "k", "secret": "s"}, True)
    packed = auth_message("k", "s", encoding=WireEncoding.MSGPACK)
    assert session.outgoing(packed, binary=True).payload == packed
    assert session.outgoing(b"{broken", binary=False).binary is False
    stocks = AlpacaConnector().session(STOCKS, {})
    assert stocks.outgoing(auth_message("k", "s"), binary=False).binary is False


def test_a_listen_replaces_what_is_replayed():
    session = AlpacaConnector().session("wss://paper-api.alpaca.markets/stream", {})
    listen = subscribe_message("trade_updates", [])
    assert session.folds(listen)
    session.sent(listen, binary=False)
    assert [each.payload for each in session.subscriptions()] == [listen]
    session.sent(unsubscribe_message("trade_updates", []), binary=False)
    assert session.subscriptions() == []
    assert session.quiet_seconds() == 0


def _ns(text):
    return int(dt.datetime.fromisoformat(text).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("path", "time", "is_open"),
    [
        ("v2/sip", "2026-11-20T15:00:00+00:00", True),
        ("v2/sip", "2026-11-20T23:00:00+00:00", False),
        ("v2/sip", "2026-11-21T15:00:00+00:00", False),
        ("v2/iex", "2026-11-26T15:00:00+00:00", False),
        ("v2/test", "2026-11-21T15:00:00+00:00", True),
        ("v1beta3/crypto/us", "2026-11-21T15:00:00+00:00", True),
        ("v1beta1/opra", "2026-11-27T19:00:00+00:00", False),
    ],
)
def test_hours(path, time, is_open):
    session = AlpacaConnector().session(f"wss://stream.data.alpaca.markets/{path}", {})
    assert session.is_open(_ns(time)) is is_open
    assert AlpacaConnector().session(f"ws://127.0.0.1:1/{path}", {}).is_open(_ns(time))


def test_peek_finds_each_symbol_once_in_both_encodings(wire):
    messages = [{"T": "t", "S": name, "p": 1.5} for name in ("AAPL", "BTC/USD", "AAPL")]
    found = wire.session.peek(encode(messages, wire.encoding))
    assert [seen.symbol for seen in found] == ["AAPL", "BTC/USD"]


@given(st.binary(max_size=200))
def test_peek_takes_any_bytes(payload):
    AlpacaConnector().session(STOCKS, {}).peek(payload)


def test_alpaca_allows_one_socket_an_endpoint():
    limits = AlpacaConnector().limits(STOCKS, {})
    assert (limits.sockets, limits.scope) == (1, "stream.data.alpaca.markets/v2/iex")
    assert AlpacaConnector().limits(STOCKS, {"sockets": "5"}).sockets == 5


@pytest.mark.parametrize(
    ("path", "channel", "free", "allowed"),
    [
        ("v2/iex", "quotes", "bars", 30),
        ("v1beta3/crypto/us", "orderbooks", "trades", 10),
        ("v1beta1/indicative", "quotes", "trades", 200),
    ],
)
def test_the_symbols_of_a_plan_are_counted_as_the_venue_counts_them(path, channel, free, allowed):
    url = f"wss://stream.data.alpaca.markets/{path}"
    connector = AlpacaConnector()
    assert connector.limits(url, {"plan": "basic"}).symbols == allowed
    assert connector.limits(url, {}).symbols is None
    session = connector.session(url, {"plan": "basic"})
    session.sent(subscribe_message(channel, ["A", "B"]), binary=False)
    session.sent(subscribe_message(free, ["A"]), binary=False)
    assert session.symbols_with(b"") == 2
    assert session.symbols_with(subscribe_message(channel, ["B", "C", "D"])) == 4
    assert session.symbols_with(b"no json") == 2


@pytest.mark.parametrize("options", [{"plan": "gold"}, {"sockets": "0"}, {"sockets": "many"}])
def test_a_plan_that_there_is_not_is_refused(options):
    with pytest.raises(InvalidInputError, match=f"options: {next(iter(options))} is"):
        AlpacaConnector().limits(STOCKS, options)


def test_a_symbol_is_acknowledged_where_every_channel_that_it_is_wanted_in_is(wire):
    wire.live("AAPL")
    assert wire.session.acknowledged() == {"AAPL"}
    wire.send(subscribe_message("quotes", ["AAPL", "AMD"]))
    assert wire.session.acknowledged() == frozenset()
    wire.receive(subscription(trades=["AAPL"], quotes=["AAPL"]))
    assert wire.session.acknowledged() == {"AAPL"}
    assert wire.session.wanted() == {"AAPL", "AMD"}
    wire.session.opened()
    assert wire.session.acknowledged() == frozenset()
