"""A hundred workers on one platform: how long they take to start, what they take, and that each answers."""

from __future__ import annotations

import asyncio
import os
import time

import msgspec

from benchmarks._platform import start_worker
from benchmarks._processes import command_line, descendants, memory_of
from virtufin_examples.client import (
    COMMAND_TOPIC,
    RESPONSE_TOPIC,
    ApiClient,
    Engine,
    Requests,
    WorkerCommands,
    platform_child,
)

_AT_ONCE = 4
_HOST = "virtufin_examples.workmanager.host"


class ManyWorkers(msgspec.Struct, frozen=True):
    """What so many workers of one engine took; `worker_megabytes` is what is a host's own (10^6 bytes)."""

    engine: str
    workers: int
    start_seconds: float
    worker_megabytes: float
    round_seconds: float
    """A command to each of them, one after the other, until the last has answered."""


async def run_many_workers(engine: Engine, count: int) -> ManyWorkers:
    """Start them, a few at a time, ask each of them, end all."""
    async with platform_child() as platform, ApiClient(platform.gateway) as api:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one() -> str:
            async with gate:
                return (await start_worker(api, engine))[0]

        started = time.perf_counter()
        workers = await asyncio.gather(*(one() for _ in range(count)))
        start_seconds = time.perf_counter() - started
        hosts = [pid for pid in descendants(os.getpid()) if _HOST in command_line(pid)]
        own = memory_of(hosts).own
        async with Requests(api, f"{RESPONSE_TOPIC}.benchmark") as requests:
            started = time.perf_counter()
            for worker in workers:
                await WorkerCommands(requests, f"{COMMAND_TOPIC}.{worker}").list()
            round_seconds = time.perf_counter() - started
        megabytes = sum(own.values()) / len(own) / 1e6
        return ManyWorkers(engine.name.lower(), count, start_seconds, megabytes, round_seconds)


def workers_table(found: list[ManyWorkers]) -> str:
    """Return the table in Markdown."""
    lines = [
        "| workers | all started, s | each host's own memory, MB | a command to each in turn, s |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {each.workers} {each.engine} | {each.start_seconds:.1f} | {each.worker_megabytes:.1f} "
        f"| {each.round_seconds:.2f} |"
        for each in found
    ]
    return "\n".join(lines)
