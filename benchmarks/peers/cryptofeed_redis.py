"""cryptofeed to a Redis stream, as its documentation shows it: a venue, a symbol, `TradeStream`.

The address is the local sender's and the list of symbols is given: it would fetch it from the venue.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys

from cryptofeed import FeedHandler
from cryptofeed.backends.redis import TradeStream
from cryptofeed.connection import WebsocketEndpoint
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import Binance
from cryptofeed.symbols import Symbols


def _run(url: str, port: int, key: str, certificate: str) -> None:
    trusted = ssl.create_default_context(cafile=certificate)
    Symbols.set(Binance.id, {"BTC-USDT": "BTCUSDT"}, {"instrument_type": {"BTC-USDT": "spot"}})
    Binance.websocket_endpoints = [WebsocketEndpoint(url, options={"ssl": trusted})]
    handler = FeedHandler(config={"uvloop": True, "log": {"disabled": True}})
    handler.add_feed(
        Binance(
            symbols=["BTC-USDT"],
            channels=[TRADES],
            callbacks={TRADES: TradeStream(port=port, key=key)},
        )
    )
    asyncio.set_event_loop(asyncio.new_event_loop())  # uvloop's, which makes none by itself any more
    handler.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--redis", type=int, required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--certificate", required=True)
    given = parser.parse_args()
    print('"ready"', flush=True)
    sys.stdin.readline()
    _run(given.url, given.redis, given.topic, given.certificate)
