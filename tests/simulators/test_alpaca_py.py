"""The unmodified `alpaca-py` streams from the simulator, on real sockets."""

import asyncio
import threading

import pytest

from virtufin_examples.simulators import SIMULATED_KEY, SIMULATED_SECRET

# The SDK imports the old client of `websockets`, which warns about that, and asks asyncio whether a
# handler is a coroutine in a way that newer Pythons warn about. Neither is ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning"),
]

WAIT_SECONDS = 20


class Collector:
    """Keeps what the SDK hands over, until there is one of every kind."""

    def __init__(self, *wanted):
        self._missing = set(wanted)
        self.seen = {}
        self._done = threading.Event()

    def handler(self, name):
        async def handle(message):
            self.seen.setdefault(name, []).append(message)
            self._missing.discard(name)
            if not self._missing:
                self._done.set()

        return handle

    async def collect(self, stream):
        """Run the SDK's own loop in a thread until all is there, then stop it in its own way."""
        thread = threading.Thread(target=stream.run, name="alpaca-py")
        thread.start()
        try:
            await asyncio.to_thread(self._done.wait, WAIT_SECONDS)
        finally:
            await asyncio.to_thread(stream.stop)
            await asyncio.to_thread(thread.join, WAIT_SECONDS)
        assert not thread.is_alive()
        assert not self._missing
        return {name: messages[0] for name, messages in self.seen.items()}


def access(venue, path):
    return {"api_key": SIMULATED_KEY, "secret_key": SIMULATED_SECRET, "url_override": venue.url(path)}


async def test_stocks(simulate):
    from alpaca.data.live import StockDataStream

    venue = await simulate(rate=1000)
    stream = StockDataStream(**access(venue, "v2/iex"))
    every = Collector("trade", "quote", "bar", "updated", "daily", "status", "correction", "cancel")
    stream.subscribe_trades(every.handler("trade"), "AAPL", "MSFT")
    stream.subscribe_quotes(every.handler("quote"), "*")
    stream.subscribe_bars(every.handler("bar"), "AAPL")
    stream.subscribe_updated_bars(every.handler("updated"), "AAPL")
    stream.subscribe_daily_bars(every.handler("daily"), "AAPL")
    stream.subscribe_trading_statuses(every.handler("status"), "AAPL")
    stream.register_trade_corrections(every.handler("correction"))
    stream.register_trade_cancels(every.handler("cancel"))
    seen = await every.collect(stream)
    assert seen["trade"].symbol in {"AAPL", "MSFT"}
    assert seen["trade"].price > 0
    assert seen["trade"].timestamp.tzinfo is not None
    assert seen["quote"].bid_price < seen["quote"].ask_price
    assert seen["bar"].low <= seen["bar"].close <= seen["bar"].high
    assert seen["correction"].corrected_price > seen["correction"].original_price
    assert seen["cancel"].action in {"C", "E"}
    assert seen["status"].status_code


async def test_the_test_stream(simulate):
    from alpaca.data.live import StockDataStream

    venue = await simulate()
    stream = StockDataStream(**access(venue, "v2/test"))
    every = Collector("trade")
    stream.subscribe_trades(every.handler("trade"), "FAKEPACA")
    assert (await every.collect(stream))["trade"].symbol == "FAKEPACA"


async def test_crypto(simulate):
    from alpaca.data.live import CryptoDataStream

    venue = await simulate(rate=1000)
    stream = CryptoDataStream(**access(venue, "v1beta3/crypto/us"))
    every = Collector("trade", "quote", "book", "bar", "updated", "daily")
    stream.subscribe_trades(every.handler("trade"), "BTC/USD")
    stream.subscribe_quotes(every.handler("quote"), "BTC/USD")
    stream.subscribe_orderbooks(every.handler("book"), "BTC/USD")
    stream.subscribe_bars(every.handler("bar"), "BTC/USD")
    stream.subscribe_updated_bars(every.handler("updated"), "BTC/USD")
    stream.subscribe_daily_bars(every.handler("daily"), "BTC/USD")
    seen = await every.collect(stream)
    assert seen["book"].reset is True
    assert seen["book"].bids[0].price < seen["book"].asks[0].price
    assert not any(book.reset for book in every.seen["book"][1:])
    assert seen["trade"].size > 0


async def test_options(simulate):
    from alpaca.data.live import OptionDataStream

    venue = await simulate()
    stream = OptionDataStream(**access(venue, "v1beta1/indicative"))
    every = Collector("trade", "quote")
    stream.subscribe_trades(every.handler("trade"), "AAPL271217C00230000")
    stream.subscribe_quotes(every.handler("quote"), "AAPL271217C00230000")
    seen = await every.collect(stream)
    assert seen["trade"].symbol == seen["quote"].symbol == "AAPL271217C00230000"


async def test_news(simulate):
    from alpaca.data.live import NewsDataStream

    venue = await simulate()
    stream = NewsDataStream(**access(venue, "v1beta1/news"))
    every = Collector("news")
    stream.subscribe_news(every.handler("news"), "AAPL")
    news = (await every.collect(stream))["news"]
    assert "AAPL" in news.symbols
    assert "simulator" in news.content


async def test_trading(simulate):
    from alpaca.trading.stream import TradingStream

    venue = await simulate()
    stream = TradingStream(**access(venue, "stream"))
    every = Collector("update")
    stream.subscribe_trade_updates(every.handler("update"))
    update = (await every.collect(stream))["update"]
    assert update.event == "new"
    assert update.order.status == "new"
    assert update.order.symbol


async def test_a_large_subscription_comes_in_fragments(simulate):
    from alpaca.data.live import StockDataStream

    venue = await simulate(rate=1000)
    stream = StockDataStream(**access(venue, "v2/sip"))
    every = Collector("quote")
    letters = "ABCDEFGHIJKLMNOPQRST"
    symbols = [f"{a}{b}{c}{d}" for a in letters for b in letters for c in letters for d in "XY"]
    assert len("".join(symbols)) > 32_768 // 2
    stream.subscribe_quotes(every.handler("quote"), *symbols)
    seen = await every.collect(stream)
    assert seen["quote"].symbol in symbols
