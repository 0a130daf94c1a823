"""What each client of an endpoint is sent."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.simulators._exchange import Client, Exchange
from virtufin_examples.simulators._pacer import CATCH_UP_SECONDS, Pacer
from virtufin_examples.venues.alpaca import (
    ENDPOINTS,
    Limits,
    OrderBook,
    auth_message,
    parse_frame,
    subscribe_message,
    unsubscribe_message,
)
from virtufin_examples.venues.alpaca.server import Gate, server_for

NOW_NS = 1_700_000_000_000_000_000


class Venue:
    def __init__(self, path):
        self.endpoint = ENDPOINTS[path]
        self.exchange = Exchange(self.endpoint, 1)
        self.gate = Gate(lambda _: True, Limits(connections_per_endpoint=None))

    def join(self):
        headers = {"Content-Type": "application/msgpack"} if self.endpoint.msgpack_only else {}
        client = Client(server_for(self.endpoint, self.gate, headers))
        client.server.opened(0.0)
        self.exchange.join(client)
        client.server.received(auth_message("k", "s"), binary=False)
        return client

    def ask(self, client, message, *, generate=True):
        outcome = client.server.received(message, binary=False)
        self.exchange.resubscribed()
        return self.items(self.exchange.first(client, outcome.added, NOW_NS, generate=generate)).get(
            client, []
        )

    def advance(self, count):
        return self.items(self.exchange.advance(count, NOW_NS))

    @staticmethod
    def items(deliveries):
        result = {}
        for client, answers in deliveries:
            for answer in answers:
                result.setdefault(client, []).extend(parse_frame(answer.payload))
        return result


def test_the_first_data_comes_with_the_subscription():
    venue = Venue("v2/iex")
    client = venue.join()
    assert not venue.exchange.active
    items = venue.ask(client, b'{"action":"subscribe","trades":["AAPL"],"quotes":["AMD","MSFT"]}')
    assert [(item.type, item.symbol) for item in items][:3] == [("q", "AMD"), ("q", "MSFT"), ("t", "AAPL")]
    assert venue.exchange.active
    assert venue.ask(client, subscribe_message("trades", ["AAPL"])) == []


def test_nothing_is_generated_in_a_pause_but_books_are_sent():
    venue = Venue("v1beta3/crypto/us")
    client = venue.join()
    message = b'{"action":"subscribe","orderbooks":["BTC/USD"],"trades":["BTC/USD"]}'
    items = venue.ask(client, message, generate=False)
    assert [(item.type, item.raw["r"]) for item in items] == [("o", True)]


def test_messages_go_round_by_weight_to_those_who_want_them():
    venue = Venue("v2/iex")
    quotes, trades = venue.join(), venue.join()
    venue.ask(quotes, subscribe_message("quotes", ["AAPL", "AMD"]))
    venue.ask(trades, subscribe_message("trades", ["AAPL"]))
    received = venue.advance(1000)
    assert Counter(item.symbol for item in received[quotes]) == {"AAPL": 400, "AMD": 400}
    kinds = Counter(item.type for item in received[trades])
    assert kinds["t"] == 200
    assert set(kinds) <= {"t", "c", "x"}
    assert quotes.sent_messages == 802


def test_a_star_stands_for_the_universe():
    venue = Venue("v1beta3/crypto/us")
    client = venue.join()
    items = venue.ask(client, subscribe_message("orderbooks", ["*"]))
    assert {item.symbol for item in items} == set(venue.exchange.market.universe)


def test_symbols_without_data_stay_silent():
    venue = Venue("v2/test")
    client = venue.join()
    assert venue.ask(client, subscribe_message("trades", ["AAPL"])) == []
    assert not venue.exchange.active
    assert venue.advance(10) == {}
    assert {item.symbol for item in venue.ask(client, subscribe_message("trades", ["*"]))} == {"FAKEPACA"}


def test_news_reaches_everybody_who_wants_one_of_its_symbols():
    venue = Venue("v1beta1/news")
    apple, all_of_it = venue.join(), venue.join()
    venue.ask(apple, subscribe_message("news", ["AAPL"]))
    venue.ask(all_of_it, subscribe_message("news", ["*"]))
    received = venue.advance(200)
    assert len(received[all_of_it]) == 200
    of_apple = [item for item in received[all_of_it] if "AAPL" in item.raw["symbols"]]
    assert [item.raw for item in received[apple]] == [item.raw for item in of_apple]
    assert any(len(item.raw["symbols"]) == 2 for item in of_apple)


def test_trade_updates_go_to_those_who_listen():
    venue = Venue("stream")
    client, other = venue.join(), venue.join()
    assert [item.type for item in venue.ask(client, subscribe_message("trade_updates", ()))] == [
        "trade_updates"
    ]
    assert [len(items) for items in venue.advance(5).values()] == [5]
    assert other.sent_messages == 0


def test_whoever_leaves_ends_what_only_they_wanted():
    venue = Venue("v2/iex")
    client = venue.join()
    venue.ask(client, subscribe_message("trades", ["AAPL"]))
    venue.exchange.leave(client)
    assert not venue.exchange.active
    assert venue.advance(5) == {}


def test_option_data_is_msgpack():
    venue = Venue("v1beta1/opra")
    client = venue.join()
    outcome = client.server.received(b'{"action":"subscribe","quotes":["AAPL271217C00230000"]}', binary=True)
    venue.exchange.resubscribed()
    deliveries = venue.exchange.first(client, outcome.added, NOW_NS, generate=True)
    answers = [answer for _, answers in deliveries for answer in answers]
    assert [answer.binary for answer in answers] == [True]
    assert parse_frame(answers[0].payload)[0].bid is not None


steps = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 2), st.booleans(), st.sampled_from(["BTC/USD", "XYZ/USD", "*"])),
        st.integers(1, 30),
    ),
    max_size=15,
)


@given(steps)
def test_every_client_can_keep_every_book_whatever_others_subscribe_to(plan):
    venue = Venue("v1beta3/crypto/us")
    clients = [venue.join() for _ in range(3)]
    books = [{} for _ in clients]

    def apply(received):
        for client, items in received.items():
            held = books[clients.index(client)]
            for item in items:
                book = held.setdefault(item.symbol, OrderBook(item.symbol))
                book.apply(item.raw)
                assert book.complete

    for step in plan:
        if isinstance(step, int):
            apply(venue.advance(step))
            continue
        index, subscribe, symbol = step
        make = subscribe_message if subscribe else unsubscribe_message
        outcome = clients[index].server.received(make("orderbooks", [symbol]), binary=False)
        venue.exchange.resubscribed()
        wants = clients[index].server.wants
        books[index] = {name: book for name, book in books[index].items() if wants("orderbooks", (name,))}
        apply(venue.items(venue.exchange.first(clients[index], outcome.added, NOW_NS, generate=True)))
    for held in books:
        for symbol, book in held.items():
            own = OrderBook(symbol)
            own.apply(venue.exchange.market.snapshot(symbol, NOW_NS))
            assert book == own


def test_the_pacer_keeps_the_rate_over_uneven_ticks():
    pacer = Pacer(333.0, 10.0)
    times = [10.0, 10.013, 10.02, 10.021, 10.1, 10.25, 10.4, 10.6, 10.8, 11.0]
    assert sum(pacer.due(now) for now in times) == pytest.approx(333, abs=1)
    assert pacer.due(11.0) == 0


def test_the_pacer_does_not_make_good_a_long_stall():
    pacer = Pacer(1000.0, 0.0)
    assert pacer.due(60.0) == pytest.approx(1000 * CATCH_UP_SECONDS, abs=1)
    pacer.restart(100.0)
    assert pacer.due(100.0) == 0


def test_a_rate_of_zero_sends_nothing():
    assert Pacer(0.0, 0.0).due(99.0) == 0
