"""An Alpaca feed end to end: simulator, connector, secrets by reference, reconnect with replay."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import msgpack
import pytest

from tests.websocketmanager.platform import running_platform
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples.frames import FrameFlag, decode_batch
from virtufin_examples.simulators import SIMULATED_KEY, SIMULATED_SECRET, AlpacaSimulator
from virtufin_examples.venues.alpaca import parse_frame

AUTH = b'{"action":"auth","key":"${secret:alpaca/key}","secret":"${secret:alpaca/secret}"}'
SUBSCRIBE = b'{"action":"subscribe","orderbooks":["BTC/USD"]}'


@asynccontextmanager
async def running_feed(*, key: str = SIMULATED_KEY, path: str = "v1beta3/crypto/us"):
    simulator = AlpacaSimulator(rate=200.0)
    address = await simulator.start()
    secrets = {"alpaca": {"key": key, "secret": SIMULATED_SECRET, "hosts": "127.0.0.1"}}
    try:
        async with running_platform(secrets=secrets) as platform:
            topic = await platform.listen("books")
            answer = await platform.stub.Connect(
                pb.ConnectRequest(url=f"ws://{address}/{path}", auto_reconnect=True, connector="alpaca")
            )
            yield simulator, platform, topic, answer.id
    finally:
        await simulator.stop()


async def _send(platform, connection_id, message):
    await platform.stub.SendRaw(
        pb.SendRawRequest(id=connection_id, message=message, content_type="application/json", secrets=True)
    )


async def _status(platform):
    (listed,) = (await platform.stub.List(pb.ListConnectionsRequest())).connections
    return listed


async def test_a_dropped_feed_comes_back_authenticated_and_subscribed():
    async with running_feed() as (simulator, platform, topic, connection_id):
        await _send(platform, connection_id, AUTH)
        await _send(platform, connection_id, SUBSCRIBE)
        await platform.stub.StartPublish(
            pb.StartPublishRequest(id=connection_id, topic="books", encoding="batch")
        )
        items = []

        async def read(enough) -> None:
            while not enough():
                event = await topic.next()
                if event.type.endswith(".batch"):
                    items.extend(decode_batch("books", event.data))
                elif event.type.endswith(".gap"):
                    items.append(json.loads(event.data))

        await read(lambda: len(items) > 20)
        assert json.loads(items[0].data) == [{"T": "success", "msg": "connected"}]
        assert json.loads(items[1].data) == [{"T": "success", "msg": "authenticated"}]
        assert items[0].sequence == 1
        assert all(frame.simulated for frame in items)

        async with httpx.AsyncClient() as client:
            answer = await client.post(f"http://{simulator.control_address}/control/drop")
            assert answer.status_code == 200
        await read(lambda: any(isinstance(item, dict) for item in items))
        gap = next(item for item in items if isinstance(item, dict))
        await read(lambda: b'"o"' in getattr(items[-1], "data", b"") and items[-1].epoch == 2)

        assert (gap["cause"], gap["epoch_before"], gap["epoch_after"]) == ("reconnect", 1, 2)
        numbers = [item["sequence"] if isinstance(item, dict) else item.sequence for item in items]
        assert numbers == list(range(1, len(items) + 1))
        listed = await _status(platform)
        assert (listed.status, listed.reconnects, listed.simulated, listed.restorable) == (
            "connected",
            1,
            True,
            True,
        )


async def test_wrong_keys_end_the_feed_with_alpacas_own_code():
    async with running_feed(key="WRONG") as (_, platform, _, connection_id):
        await _send(platform, connection_id, AUTH)
        async with asyncio.timeout(5):
            while (listed := await _status(platform)).status != "failed":
                pass
        assert "402" in listed.reason
        assert "WRONG" not in listed.reason


async def test_an_endpoint_that_alpaca_does_not_have_is_refused():
    async with running_platform() as platform:
        with pytest.raises(Exception, match="v9/nothing"):
            await platform.stub.Connect(
                pb.ConnectRequest(url="wss://stream.data.alpaca.markets/v9/nothing", connector="alpaca")
            )


CONTRACT = "AAPL260116C00200000"


async def test_an_options_feed_takes_json_and_speaks_msgpack():
    async with running_feed(path="v1beta1/indicative") as (simulator, platform, topic, connection_id):
        await _send(platform, connection_id, AUTH)
        await _send(platform, connection_id, b'{"action":"subscribe","quotes":["%s"]}' % CONTRACT.encode())
        await platform.stub.StartPublish(
            pb.StartPublishRequest(id=connection_id, topic="books", encoding="batch")
        )
        frames = []

        async def read(enough) -> None:
            while not enough():
                event = await topic.next()
                if event.type.endswith(".batch"):
                    frames.extend(decode_batch("books", event.data))

        await read(lambda: any(b"\xa1T\xa1q" in frame.data for frame in frames))
        assert all(frame.flags & FrameFlag.BINARY for frame in frames)
        assert msgpack.unpackb(frames[1].data) == [{"T": "success", "msg": "authenticated"}]
        (acknowledged,) = msgpack.unpackb(frames[2].data)
        assert (acknowledged["T"], acknowledged["quotes"]) == ("subscription", [CONTRACT])
        assert parse_frame(frames[-1].data)

        async with httpx.AsyncClient() as client:
            await client.post(f"http://{simulator.control_address}/control/drop")
        await read(lambda: frames[-1].epoch == 2 and b"\xa1q" in frames[-1].data)
        assert (await _status(platform)).restorable


async def test_list_tells_wanted_and_acknowledged_symbols():
    async with running_feed() as (_, platform, _topic, connection_id):
        await _send(platform, connection_id, AUTH)
        assert list((await _status(platform)).wanted_symbols) == []
        await _send(platform, connection_id, SUBSCRIBE)
        assert list((await _status(platform)).wanted_symbols) == ["BTC/USD"]
        while (listed := await _status(platform)).acknowledged_symbols != ["BTC/USD"]:
            pass  # every turn asks anew; the test's time limit ends one that is never acknowledged
        assert list(listed.stale_symbols) == []
        assert listed.spooled_bytes == 0
