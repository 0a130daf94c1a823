"""The contenders: each moves the sender's frames to a subscriber in another process, and loses none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks._child import Child, running
from benchmarks.throughput._field import READER, Field, Load, Outcome, Upstream, finish, sending
from benchmarks.throughput.sender import text_frame

Contender = Callable[[Field, Load], Awaitable[Outcome]]

OURS_BATCH = "ours, encoding batch"
OURS_SINGLY = "ours, encoding batch, read frame by frame"
OURS_FRAME = "ours, encoding frame"
OURS = (OURS_BATCH, OURS_SINGLY, OURS_FRAME)
PER_FRAME = "per-frame design: publish_event through the gateway"
SDK = "websockets + dapr SDK: publish_event"
CRYPTOFEED = "cryptofeed 2.4.1 to a Redis stream (wss)"
PIPELINE = "picows + redis-py, pipelines of 500 XADD"
NOTHING = "limit: picows receives and does nothing"
MEMCPY = "limit: memcpy of the same bytes"

_COPY_SECONDS = 0.2


@asynccontextmanager
async def open_ours(
    field: Field,
    load: Load,
    *,
    encoding: str = "batch",
    topics: int = 1,
    subscribers: int = 1,
    latency_of: int = 0,
    singly: bool = False,
    rounds: int = 1,
    look: Callable[[int], object] | None = None,
    steps: Sequence[int] = (),
    upstream: Upstream = Upstream(),  # noqa: B008 - frozen
) -> AsyncIterator[Callable[[], Awaitable[Outcome]]]:
    """Sender, WebSocketManager, embedded runtime, `subscribe()`; yield what runs a round of the load.

    `latency_of`: the latency of every so many frames is taken. `singly`: read frame by frame, not in batches.
    `look` is called with the number of connections, all open and idle: at each of `steps` on the way up, and
    before the frames come. With it they are not closed one by one: the platform is to end.
    """
    names = [field.new_topic() for _ in range(topics)]
    words = ["--dapr", field.runtime, "--topics", ",".join(names), "--frames", str(load.frames)]
    again = ("--rounds", str(rounds))
    options = ("--latency", str(latency_of), *(("--singly",) if singly else ()))
    async with AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(running(READER, *words, *again, *options))
            for _ in range(subscribers)
        ]
        sender, port = await stack.enter_async_context(sending(load, *again))
        for reader in readers:
            await reader.answer(str)
        ids: list[str] = []
        try:
            for count in (*steps, load.connections):
                ids += await field.connect(port, upstream, names, encoding, count - len(ids))
                if look is not None:
                    look(count)
            processes = (*field.platform, *(reader.pid for reader in readers))
            yield lambda: finish(sender, readers, processes, load, lambda: field.ask(ids[0], upstream))
        finally:
            if look is None:
                await field.disconnect(ids)


async def run_ours(field: Field, load: Load, **how: Any) -> Outcome:  # noqa: ANN401 - of `open_ours`
    """One round of ours."""
    async with open_ours(field, load, **how) as run_round:
        return await run_round()


async def _ours_singly(field: Field, load: Load) -> Outcome:
    return await run_ours(field, load, singly=True)


async def _ours_frame(field: Field, load: Load) -> Outcome:
    return await run_ours(field, load, encoding="frame")


async def _per_frame(field: Field, load: Load) -> Outcome:
    topic = field.new_topic()
    reader = (READER, "--dapr", field.runtime, "--topics", topic, "--frames", str(load.frames), "--bare")
    receiver = ("benchmarks.throughput.per_frame", "--gateway", field.gateway, "--topic", topic)
    return await _relay(load, reader, receiver, field.platform[:1])


async def _sdk(field: Field, load: Load) -> Outcome:
    field.require("environment")
    topic = field.new_topic()
    reader = (READER, "--dapr", field.runtime, "--topics", topic, "--frames", str(load.frames), "--bare")
    receiver = ("benchmarks.peers.websockets_dapr", "--dapr", field.runtime, "--topic", topic)
    return await _relay(load, reader, receiver, field.platform[:1], python=field.python)


async def _pipeline(field: Field, load: Load) -> Outcome:
    field.require("environment", "redis")
    topic = field.new_topic()
    receiver = ("benchmarks.peers.redis_pipeline", "--redis", str(field.redis_port), "--topic", topic)
    reader = _redis_reader(field, topic, load)
    return await _relay(
        load, reader, receiver, field.redis_processes, python=field.python, reader_python=field.python
    )


async def _cryptofeed(field: Field, load: Load) -> Outcome:
    field.require("environment", "redis", "certificate")
    key = field.new_topic()
    certificate = str(field.certificate)
    receiver = (
        *("benchmarks.peers.cryptofeed_redis", "--redis", str(field.redis_port), "--topic", key),
        *("--certificate", certificate),
    )
    return await _relay(
        load,
        _redis_reader(field, f"{key}-BINANCE-BTC-USDT", load),
        receiver,
        field.redis_processes,
        python=field.python,
        reader_python=field.python,
        options=("--at-once", "--certificate", certificate),
    )


def _redis_reader(field: Field, stream: str, load: Load) -> tuple[str, ...]:
    words = ("--redis", str(field.redis_port), "--topic", stream, "--frames", str(load.frames))
    return ("benchmarks.peers.redis_reader", *words)


async def _relay(
    load: Load,
    reader_command: Sequence[str],
    receiver_command: Sequence[str],
    between: Sequence[int],
    *,
    python: Path | None = None,
    reader_python: Path | None = None,
    options: Sequence[str] = (),
) -> Outcome:
    """Sender, a receiving program that publishes, what is between, a reading program."""
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(_program(reader_command, reader_python))
        sender, port = await stack.enter_async_context(sending(load, *options))
        scheme = "wss" if "--certificate" in options else "ws"
        address = ("--url", f"{scheme}://127.0.0.1:{port}")
        receiver = await stack.enter_async_context(_program((*receiver_command, *address), python))
        await reader.answer(str)
        await receiver.answer(str)
        processes = (receiver.pid, *between, reader.pid)
        measuring = asyncio.ensure_future(finish(sender, [reader], processes, load, lambda: _go(receiver)))
        broken = asyncio.ensure_future(receiver.ended())
        try:
            await asyncio.wait({measuring, broken}, return_when=asyncio.FIRST_COMPLETED)
            if not measuring.done():
                raise broken.result()
            return measuring.result()
        finally:
            receiver.kill()
            measuring.cancel()
            broken.cancel()
            await asyncio.gather(measuring, broken, return_exceptions=True)


def _program(command: Sequence[str], python: Path | None) -> AbstractAsyncContextManager[Child]:
    return running(*command) if python is None else running(*command, python=python)


async def _go(receiver: Child) -> None:
    receiver.tell("go")


async def _nothing(field: Field, load: Load) -> Outcome:  # noqa: ARG001 - it needs nothing
    async with sending(load) as (sender, port):
        command = ("--url", f"ws://127.0.0.1:{port}", "--frames", str(load.frames))
        async with running("benchmarks.peers.receive_nothing", *command) as receiver:
            await receiver.answer(str)
            return await finish(sender, [receiver], (receiver.pid,), load, lambda: _go(receiver))


async def _memcpy(field: Field, load: Load) -> Outcome:  # noqa: ARG001 - it needs nothing
    """Copy what the sender writes, a write at a time, on one core."""
    frame = text_frame(load.size)
    a_write = max(1, load.write // len(frame))
    source, target = memoryview(frame * a_write), memoryview(bytearray(len(frame) * a_write))

    def copy() -> Outcome:
        copies, began = 0, time.perf_counter()
        while (seconds := time.perf_counter() - began) < _COPY_SECONDS:
            for _ in range(100):
                target[:] = source
            copies += 100
        return Outcome(copies * a_write, seconds)

    return await asyncio.to_thread(copy)


CONTENDERS: dict[str, tuple[Contender, float]] = {
    OURS_BATCH: (run_ours, 500_000),
    OURS_SINGLY: (_ours_singly, 300_000),
    OURS_FRAME: (_ours_frame, 8_000),
    PER_FRAME: (_per_frame, 500),
    SDK: (_sdk, 1_000),
    CRYPTOFEED: (_cryptofeed, 25_000),
    PIPELINE: (_pipeline, 60_000),
    NOTHING: (_nothing, 4_000_000),
    MEMCPY: (_memcpy, 1),
}
"""By title in the table's order; with it a first guess of frames/s at 150 bytes, corrected by each run."""
