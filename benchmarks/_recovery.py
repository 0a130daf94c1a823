"""How long a feed is away: after its venue cut it, and after the WebSocketManager was killed.

Real processes: simulator, embedded runtime, WebSocketManager under a supervisor that starts it again at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc.aio
import httpx

from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.client import Frame, Subscription, subscribe
from virtufin_examples.errors import UnavailableError

_TOPIC = "recovery"
_LIMIT_SECONDS = 30.0
_PORTS = ("--grpc-port", "0", "--http-port", "0")
_SUBSCRIBE = json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@trade", "ethusdt@trade"], "id": 1})


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds from the fault to the first frame of the next socket, as a subscriber gets it."""

    cut_seconds: float
    killed_seconds: float


async def run_recovery() -> Recovery:
    """Start all, cut, kill, end all."""
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        environment = {**os.environ, "VIRTUFIN_SPOOL_DIR": folder, "VIRTUFIN_LOG_LEVEL": "error"}
        _, venue = await _start(stack, environment, "simulate", "binance", "--port", "0", "--rate", "500")
        _, runtime = await _start(stack, environment, "runtime", *_PORTS)
        manager = ("websocketmanager", "--dapr", runtime["grpc"], *_PORTS)
        process, address = await _start(stack, environment, *manager)
        subscription = await stack.enter_async_context(subscribe(_TOPIC, dapr=runtime["grpc"]))
        await _open_feed(address["grpc"], f"{venue['url']}/ws")
        epoch = (await _frame_behind(subscription, 0)).epoch

        async with httpx.AsyncClient() as client:
            began = time.perf_counter()
            (await client.post(f"{venue['control']}/control/drop")).raise_for_status()
        epoch = (await _frame_behind(subscription, epoch)).epoch
        cut_seconds = time.perf_counter() - began

        began = time.perf_counter()
        process.kill()
        await process.wait()
        await _supervised(stack, environment, *manager)
        await _frame_behind(subscription, epoch)
        return Recovery(cut_seconds, time.perf_counter() - began)


async def _start(
    stack: contextlib.AsyncExitStack, environment: dict[str, str], *arguments: str
) -> tuple[Process, dict[str, str]]:
    return await stack.enter_async_context(_program(environment, *arguments))


async def _supervised(stack: contextlib.AsyncExitStack, environment: dict[str, str], *arguments: str) -> None:
    """Start a program again until it runs, as whatever supervises it does."""
    async with asyncio.timeout(_LIMIT_SECONDS):
        while True:
            with contextlib.suppress(UnavailableError):
                await _start(stack, environment, *arguments)
                return


@contextlib.asynccontextmanager
async def _program(
    environment: dict[str, str], *arguments: str
) -> AsyncIterator[tuple[Process, dict[str, str]]]:
    """Run a command of ours until its stdin closes; yield it and the addresses that it prints."""
    command = (sys.executable, "-m", "virtufin_examples.cli", *arguments, "--ephemeral")
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment)
    if process.stdin is None or process.stdout is None:
        raise OSError("no pipes to a child")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _LIMIT_SECONDS)
        if not line:
            raise UnavailableError(f"{arguments[0]} ended before it was up")
        yield process, json.loads(line)
    finally:
        process.stdin.close()
        await process.wait()


async def _open_feed(address: str, url: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = pb_grpc.WebSocketManagerStub(channel)
        answer = await stub.Connect(pb.ConnectRequest(url=url, auto_reconnect=True, connector="binance"))
        await stub.SendRaw(
            pb.SendRawRequest(id=answer.id, message=_SUBSCRIBE.encode(), content_type="application/json")
        )
        await stub.StartPublish(pb.StartPublishRequest(id=answer.id, topic=_TOPIC, encoding="batch"))


async def _frame_behind(subscription: Subscription, epoch: int) -> Frame:
    """Wait for a trade of a socket after `epoch`; the answer to the handshake is none."""
    async with asyncio.timeout(_LIMIT_SECONDS):
        while True:
            item = await anext(subscription)
            if isinstance(item, Frame) and item.epoch > epoch and b'"trade"' in item.data:
                return item
