"""Two WebSocketManagers with a connection each onto one topic: one is killed, and nothing is missing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import signal

import grpc.aio
import pytest

from tests.programs import programs
from tests.websocketmanager.platform import running_runtime
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.client import Frame, Gap, first_arrivals, subscribe
from virtufin_examples.simulators import BinanceSimulator
from virtufin_examples.venues import binance

TOPIC = "twice"
DEPTH = re.compile(r'"s":"(\w+)","U":(\d+),"u":(\d+)')


async def start_manager(run, dapr, name):
    """Start a WebSocketManager of its own name; return the program and its address."""
    program = run(
        *("-m", "virtufin_examples.cli", "websocketmanager", "--ephemeral", "--dapr", dapr),
        *("--grpc-port", "0", "--http-port", "0"),
        VIRTUFIN_INSTANCE_ID=name,
    )
    line = await asyncio.to_thread(program.until, lambda line: "grpc" in line)
    return program, line["grpc"]


async def open_feed(address, url):
    async with grpc.aio.insecure_channel(address) as channel:
        stub = pb_grpc.WebSocketManagerStub(channel)
        answer = await stub.Connect(
            pb.ConnectRequest(url=url, auto_reconnect=True, connector="binance", options={"watch": "every"})
        )
        await stub.StartPublish(
            pb.StartPublishRequest(id=answer.id, topic=TOPIC, encoding="batch", markers="inline")
        )
        return answer.id


@contextlib.asynccontextmanager
async def running_simulator():
    simulator = BinanceSimulator(rate=200.0)
    try:
        yield await simulator.start()
    finally:
        await simulator.stop()


async def read_until(items, found, enough):
    async with asyncio.timeout(20):
        async for item in items:
            found.append(item)
            if enough():
                return


@pytest.mark.parametrize("peek", [binance.peek, None], ids=["by number", "by content"])
async def test_when_one_process_is_killed_the_merged_stream_has_no_gap_and_no_repeat(tmp_path, peek):
    folder = tmp_path / "managers"
    folder.mkdir()
    with programs(folder) as run:
        async with running_simulator() as address, running_runtime() as runtime:
            url = f"ws://{address}/stream?streams=btcusdt@depth@100ms/ethusdt@depth@100ms"
            managers = await asyncio.gather(
                *(start_manager(run, runtime.grpc, name) for name in ("one", "two"))
            )
            async with subscribe(TOPIC, dapr=runtime.grpc) as subscription:
                items = first_arrivals(subscription, peek) if peek else first_arrivals(subscription)
                found: list = []
                ids = [await open_feed(where, url) for _, where in managers]

                def came_by(connection):
                    return sum(isinstance(each, Frame) and each.connection_id == connection for each in found)

                await read_until(items, found, lambda: len(found) > 200)
                leader = 0 if came_by(ids[0]) > came_by(ids[1]) else 1
                managers[leader][0].process.kill()
                count = came_by(ids[1 - leader])
                await read_until(items, found, lambda: came_by(ids[1 - leader]) > count + 200)
                await items.aclose()
            assert await asyncio.to_thread(managers[1 - leader][0].end, signal.SIGTERM) == 0
    assert not [item for item in found if isinstance(item, Gap)]
    runs: dict[str, list[tuple[int, int]]] = {}
    for item in found:
        match = DEPTH.search(item.text) if isinstance(item, Frame) else None
        if match is not None:
            runs.setdefault(match[1], []).append((int(match[2]), int(match[3])))
    assert set(runs) == {"BTCUSDT", "ETHUSDT"}
    for updates in runs.values():
        assert all(after[0] == before[1] + 1 for before, after in itertools.pairwise(updates))
    answers = [item.text for item in found if isinstance(item, Frame) and '"result"' in item.text]
    assert all(json.loads(text)["result"] for text in answers)
