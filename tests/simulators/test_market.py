"""Generated data: repeatable, plausible, and books that can be rebuilt."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtufin_examples.simulators import Market
from virtufin_examples.simulators._book_source import BookSource
from virtufin_examples.simulators._instrument import Instrument, Scale, base_price, decimals_of
from virtufin_examples.venues.alpaca import (
    CHANNEL_OF_TYPE,
    ENDPOINTS,
    Kind,
    OrderBook,
    WireEncoding,
    encode,
    parse_frame,
)

NOW_NS = 1_700_000_000_000_000_000
SYMBOLS = {
    Kind.STOCKS: ("AAPL", "ZZZ"),
    Kind.CRYPTO: ("BTC/USD", "DOGE/USD"),
    Kind.OPTIONS: ("AAPL271217C00230000", "ZZZ271217P00001000"),
    Kind.NEWS: ("AAPL", "ZZZ"),
    Kind.TRADING: ("*",),
}
EVERY_CHANNEL = [
    (path, channel) for path, endpoint in ENDPOINTS.items() for channel in sorted(endpoint.channels)
]


def produce(path, channel, seed, count=60):
    market = Market(ENDPOINTS[path], seed)
    symbols = SYMBOLS[ENDPOINTS[path].kind]
    return [
        encode(message, WireEncoding.JSON)
        for index in range(count)
        for message in market.emit(channel, symbols[index % len(symbols)], NOW_NS + index * 1000)
    ]


@pytest.mark.parametrize(("path", "channel"), EVERY_CHANNEL)
def test_every_channel_of_every_endpoint_has_messages_that_the_seed_repeats(path, channel):
    produced = produce(path, channel, 7)
    assert produced == produce(path, channel, 7)
    assert produced != produce(path, channel, 8)
    followers = {"corrections", "cancelErrors"} if channel == "trades" else set()
    items = [parse_frame(each)[0] for each in produced]
    assert {CHANNEL_OF_TYPE.get(item.type, item.type) for item in items} <= {channel} | followers


def test_a_symbol_s_stream_does_not_depend_on_the_others():
    alone, among = Market(ENDPOINTS["v2/sip"], 3), Market(ENDPOINTS["v2/sip"], 3)
    for index in range(20):
        now_ns = NOW_NS + index * 1000
        among.emit("quotes", "MSFT", now_ns)
        assert [encode(m, WireEncoding.MSGPACK) for m in alone.emit("trades", "AAPL", now_ns + 1)] == [
            encode(m, WireEncoding.MSGPACK) for m in among.emit("trades", "AAPL", now_ns + 1)
        ]


def test_times_never_repeat_even_when_the_clock_stands_still_or_goes_back():
    market = Market(ENDPOINTS["v2/sip"], 3)
    times = [market.emit("quotes", "AAPL", NOW_NS - index)[0].t.ns for index in range(10)]
    assert times == list(range(NOW_NS, NOW_NS + 10))


def test_trades_bring_corrections_and_cancels_of_themselves():
    market = Market(ENDPOINTS["v2/sip"], 1)
    followed = {}
    for index in range(2000):
        trade, *rest = market.emit("trades", "AAPL", NOW_NS + index)
        for follower in rest:
            followed[type(follower).__name__] = follower
            about = follower.oi if type(follower).__name__ == "Correction" else follower.i
            assert about == trade.i
    assert set(followed) == {"Correction", "CancelError"}


def test_prices_are_plausible():
    market = Market(ENDPOINTS["v2/sip"], 5)
    for index in range(2000):
        (quote,) = market.emit("quotes", "AAPL", NOW_NS + index)
        assert quote.bp < quote.ap
        assert 200 < quote.bp < 260
        assert round(quote.bp, 2) == quote.bp
    (bar,) = market.emit("bars", "AAPL", NOW_NS)
    assert bar.l <= min(bar.o, bar.c) <= max(bar.o, bar.c) <= bar.h
    (band,) = market.emit("lulds", "AAPL", NOW_NS)
    assert band.d < band.u


@pytest.mark.parametrize(
    ("symbol", "price", "decimals"),
    [
        ("AAPL", 230.0, 2),
        ("BTC/USD", 97_000.0, 2),
        ("DOGE/USD", 0.31, 5),
        ("USDT/USD", 1.0, 4),
        ("AAPL271217C00200000", 32.5, 2),
        ("AAPL271217P00200000", 2.5, 2),
    ],
)
def test_base_prices_and_decimals(symbol, price, decimals):
    assert base_price(symbol) == price
    assert decimals_of(symbol, price) == decimals
    assert Scale(decimals).price(12345) == float(f"12345e-{decimals}")


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=5))
def test_any_symbol_has_a_price_of_its_own_that_stays(symbol):
    instrument = Instrument(symbol, random.Random(symbol))
    assert base_price(symbol) == base_price(symbol) > 0
    assert all(instrument.step() >= 2 for _ in range(50))
    assert abs(instrument.ticks / instrument.base_ticks - 1) < 0.1


def test_endpoints_with_symbols_of_their_own_have_no_others():
    market = Market(ENDPOINTS["v2/test"], 1)
    assert market.universe == ("FAKEPACA",)
    assert market.has("FAKEPACA")
    assert not market.has("AAPL")
    assert Market(ENDPOINTS["v2/sip"], 1).has("ANYTHING")


def test_orders_live_from_new_to_their_end():
    market = Market(ENDPOINTS["stream"], 2)
    state = {}
    for index in range(500):
        update = market.emit("trade_updates", "*", NOW_NS + index)[0].data
        order = update.order
        before = state.get(order.id)
        assert (before is None) == (update.event == "new")
        assert before not in {"filled", "canceled"}
        assert int(order.filled_qty) <= int(order.qty)
        assert (update.event == "fill") == (order.filled_qty == order.qty)
        assert (update.price is not None) == (update.event in {"fill", "partial_fill"})
        state[order.id] = order.status
    assert {"filled", "canceled"} <= set(state.values())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    symbol=st.sampled_from(["BTC/USD", "ETH/USD", "DOGE/USD", "USDT/USD", "ABC/USD"]),
    before=st.integers(0, 50),
    after=st.integers(0, 150),
    encoding=st.sampled_from(list(WireEncoding)),
)
def test_a_book_rebuilt_from_frames_is_the_generators_own(seed, symbol, before, after, encoding):
    market = Market(ENDPOINTS["v1beta3/crypto/us"], seed)
    for _ in range(before):
        market.emit("orderbooks", symbol, NOW_NS)
    book = OrderBook(symbol)
    messages = [market.snapshot(symbol, NOW_NS)]
    for _ in range(after):
        messages.extend(market.emit("orderbooks", symbol, NOW_NS))
    for message in messages:
        book.apply(parse_frame(encode(message, encoding))[0].raw)
        assert 10 <= len(book.bids) <= 41
        assert 10 <= len(book.asks) <= 41
        assert book.best_bid.price < book.best_ask.price
        assert book.bids[-1].price > 0
    own = OrderBook(symbol)
    own.apply(market.snapshot(symbol, NOW_NS))
    assert book == own
    assert market.snapshot(symbol, NOW_NS).t == messages[-1].t
    assert market.books() == (symbol,)


def test_a_book_stays_near_its_base_price():
    source = BookSource("BTC/USD", random.Random(4), 9_700_000, Scale(2), NOW_NS)
    for index in range(20_000):
        source.update(NOW_NS + index)
    book = OrderBook("BTC/USD")
    book.apply(source.snapshot())
    assert 95_000 < book.best_bid.price < book.best_ask.price < 99_000
    assert (book.best_ask.price - book.best_bid.price) / book.best_bid.price < 0.0005
