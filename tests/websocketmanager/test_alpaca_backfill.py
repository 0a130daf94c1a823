"""A gap of an Alpaca feed is filled over REST: what was missed is marked, and every trade comes once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from tests.websocketmanager.platform import running_platform
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples.frames import FrameFlag, decode_batch
from virtufin_examples.simulators import SIMULATED_KEY, SIMULATED_SECRET, AlpacaSimulator
from virtufin_examples.venues.alpaca import Limits, _backfill, auth_message, subscribe_message

SYMBOLS = ["AAPL", "MSFT"]
SECRETS = {"alpaca": {"key": SIMULATED_KEY, "secret": SIMULATED_SECRET, "hosts": "127.0.0.1"}}


async def open_feed(platform, address, options):
    answer = await platform.stub.Connect(
        pb.ConnectRequest(
            url=f"ws://{address}/v2/iex", auto_reconnect=True, connector="alpaca", options=options
        )
    )
    auth = auth_message("${secret:alpaca/key}", "${secret:alpaca/secret}")
    for message in (auth, subscribe_message("trades", SYMBOLS)):
        await platform.stub.SendRaw(
            pb.SendRawRequest(id=answer.id, message=message, content_type="application/json", secrets=True)
        )
    return answer.id


def trades_of(frame):
    found = json.loads(frame.data)
    return [(item["S"], item["i"]) for item in found if item["T"] == "t"]


@pytest.mark.parametrize("encoding", ["batch", "frame"])
async def test_after_a_gap_every_trade_is_there_once_and_the_missed_ones_are_marked(monkeypatch, encoding):
    monkeypatch.setattr(_backfill, "SETTLE_SECONDS", 1)
    simulator = AlpacaSimulator(rate=200.0, limits=Limits(connections_per_endpoint=2))
    address = await simulator.start()
    try:
        async with running_platform(secrets=SECRETS) as platform:
            topic = await platform.listen("trades")
            connection_id = await open_feed(platform, address, {"backfill": "on"})
            (listed,) = (await platform.stub.List(pb.ListConnectionsRequest())).connections
            assert (listed.backfill, listed.asked_again) == ("on", 0)
            await platform.stub.StartPublish(
                pb.StartPublishRequest(id=connection_id, topic="trades", encoding=encoding)
            )
            ours = simulator._connections[0]
            await open_feed(platform, address, {})  # keeps the market going meanwhile
            live, filled = [], []

            async def read(enough):
                async with asyncio.timeout(15):
                    while not enough():
                        event = await topic.next()
                        if event.type.endswith(".batch"):
                            for frame in decode_batch("trades", event.data):
                                marked = bool(frame.flags & FrameFlag.BACKFILL)
                                (filled if marked else live).extend(trades_of(frame))
                        elif event.type.endswith(".frame"):
                            marked = event.extensions.get("backfill") == "true"
                            items = json.loads(event.data)
                            found = [(item["S"], item["i"]) for item in items if item["T"] == "t"]
                            (filled if marked else live).extend(found)

            await read(lambda: len(live) > 100)
            ours.drop()
            await read(lambda: filled)
            count = len(live)
            await read(lambda: len(live) > count + 100)
        history = simulator._exchanges["v2/iex"].history
        made = [(trade.S, trade.i) for symbol in SYMBOLS for trade in history._trades[symbol]]
        got = Counter(live + filled)
        assert max(got.values()) == 1
        first, last = {}, {}
        for symbol, number in live:
            first[symbol] = min(number, first.get(symbol, number))
            last[symbol] = max(number, last.get(symbol, number))
        assert [each for each in made if first[each[0]] <= each[1] <= last[each[0]] and each not in got] == []
        assert filled
    finally:
        await simulator.stop()
