"""Both halves of the protocol against each other, in memory."""

from hypothesis import example, given
from hypothesis import strategies as st

from virtufin_examples.venues import Acknowledged, Authenticated, Refused
from virtufin_examples.venues.alpaca import (
    ENDPOINTS,
    FOLLOWERS,
    AlpacaConnector,
    Limits,
    WireEncoding,
    auth_message,
    subscribe_message,
    unsubscribe_message,
)
from virtufin_examples.venues.alpaca.server import Gate, server_for

CASES = {
    "v2/iex": (["trades", "quotes", "bars", "statuses", "imbalances"], ["AAPL", "MSFT", "AMD", "*"]),
    "v1beta3/crypto/us": (["trades", "orderbooks", "dailyBars"], ["BTC/USD", "ETH/USD", "*"]),
    "v1beta1/opra": (["trades", "quotes"], ["AAPL240315C00172500", "SPY240315P00400000", "*"]),
    "v1beta1/news": (["news"], ["AAPL", "*"]),
}
LIMITS = Limits(stock_symbols=4, orderbook_symbols=1, option_quotes=1)


@st.composite
def conversations(draw):
    path = draw(st.sampled_from(sorted(CASES)))
    channels, symbols = CASES[path]
    change = st.tuples(
        st.booleans(),
        st.sampled_from(channels),
        st.lists(st.sampled_from(symbols), min_size=1, max_size=3, unique=True),
    )
    # True in the second list: let the answers arrive now; several messages may be under way.
    steps = st.lists(st.one_of(change, st.just("receive"), st.just("reconnect")), max_size=20)
    return path, draw(st.sampled_from(list(WireEncoding))), draw(steps)


REFUSED = (True, "quotes", ["AAPL240315C00172500", "SPY240315P00400000"])  # over the limit of one


@given(conversations())
@example(("v1beta1/opra", WireEncoding.MSGPACK, [REFUSED, (True, "quotes", ["AAPL240315C00172500"])]))
@example(("v1beta1/opra", WireEncoding.MSGPACK, [REFUSED, (False, "quotes", ["*"]), "reconnect"]))
def test_wanted_and_in_force_agree_whenever_nothing_is_under_way(conversation):
    path, encoding, steps = conversation
    if ENDPOINTS[path].msgpack_only:
        encoding = WireEncoding.MSGPACK
    binary = encoding is WireEncoding.MSGPACK
    headers = {"Content-Type": "application/msgpack"} if binary else {}
    gate = Gate(lambda given: given.secret == "s", LIMITS)
    session = AlpacaConnector().session(f"wss://stream.data.alpaca.markets/{path}", {})
    replay = []

    def connect():
        server = server_for(ENDPOINTS[path], gate, headers)
        session.opened()
        queue = list(server.opened(0.0).answers)
        send(server, queue, auth_message("k", "s", encoding=encoding))
        for message in replay:
            send(server, queue, message)
        return server, queue

    def send(server, queue, message):
        session.sent(message, binary=binary)
        queue.extend(server.received(message, binary=binary).answers)

    def receive(queue):
        verdicts = [session.received(answer.payload, binary=answer.binary) for answer in queue]
        queue.clear()
        assert session.expects() == 0
        return verdicts

    server, queue = connect()
    assert receive(queue) == [None, Authenticated()]
    for step in [*steps, "receive"]:
        if step == "reconnect":
            receive(queue)
            server.closed()
            # Everything that is wanted, in one message a channel, as a replay would have it.
            replay = [
                subscribe_message(
                    channel, sorted(s for c, s in session.entries if c == channel), encoding=encoding
                )
                for channel in sorted({channel for channel, _ in session.entries})
            ]
            server, queue = connect()
            assert not any(isinstance(verdict, Refused) for verdict in receive(queue))
        elif step == "receive":
            verdicts = receive(queue)
            if verdicts and isinstance(verdicts[-1], Acknowledged):
                assert verdicts[-1].missing == ()
            assert session.entries == server.entries()
        else:
            subscribe, channel, symbols = step
            make = subscribe_message if subscribe else unsubscribe_message
            send(server, queue, make(channel, symbols, encoding=encoding))
    assert not any(channel in FOLLOWERS for channel, _ in server.entries())
