"""A platform of its own: starting workers, the round trip of commands, what it takes while idle."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass

from benchmarks._measure import percentile
from benchmarks._plan import Plan
from benchmarks._processes import command_line, descendants, memory_of, processor_ns
from virtufin_examples.client import (
    COMMAND_TOPIC,
    RESPONSE_TOPIC,
    ApiClient,
    Engine,
    Requests,
    WorkerCommands,
    WorkManagerClient,
    packed_worker,
    platform_child,
)
from virtufin_examples.errors import PreconditionError

_SETTLE_SECONDS = 1.5
_WARM_UP = 20
_BLOCK = 25
_MB = 1e6
_PROCESSES = 3


@dataclass(frozen=True, slots=True)
class Idle:
    """Memory in MB (10^6 bytes), of each process what is its own; processor in percent of a core."""

    services_mb: float
    websocketmanager_mb: float
    host_mb: float
    files_mb: float
    percent: float


@dataclass(frozen=True, slots=True)
class PlatformRun:
    """What one platform showed. `commands_ms`: the round trips of each engine's worker."""

    start_seconds: dict[Engine, float]
    commands_ms: dict[Engine, list[float]]
    idle: Idle

    def command_ms(self, engine: Engine, share: float) -> float:
        """Return a percentile of an engine's round trips."""
        return percentile(self.commands_ms[engine], share)


async def run_platform(plan: Plan) -> PlatformRun:
    """Start a platform, measure, end it."""
    before = set(descendants(os.getpid()))
    async with platform_child() as platform, ApiClient(platform.gateway) as api:
        ids: dict[Engine, str] = {}
        start_seconds: dict[Engine, float] = {}
        ids[Engine.DOTNET], start_seconds[Engine.DOTNET] = await start_worker(api, Engine.DOTNET)
        idle = await _idle(tuple(set(descendants(os.getpid())) - before), plan.idle_seconds)
        ids[Engine.PYTHON], start_seconds[Engine.PYTHON] = await start_worker(api, Engine.PYTHON)
        async with Requests(api, f"{RESPONSE_TOPIC}.benchmark") as requests:
            commands = {
                engine: WorkerCommands(requests, f"{COMMAND_TOPIC}.{worker}")
                for engine, worker in ids.items()
            }
            return PlatformRun(start_seconds, await _round_trips(commands, plan.commands), idle)


async def start_worker(api: ApiClient, engine: Engine) -> tuple[str, float]:
    """Create and start a worker; return its id and the seconds that it took."""
    package = await packed_worker(engine)
    workers = WorkManagerClient(api)
    started = time.perf_counter()
    worker = await workers.create_worker(package, topic=COMMAND_TOPIC)
    await workers.start_worker(worker)
    return worker, time.perf_counter() - started


async def _round_trips(commands: dict[Engine, WorkerCommands], count: int) -> dict[Engine, list[float]]:
    """Time `list` commands, one at a time, the workers taking turns so that both see the same machine."""
    times: dict[Engine, list[float]] = {engine: [] for engine in commands}
    for worker in commands.values():
        for _ in range(_WARM_UP):
            await worker.list()
    while any(len(found) < count for found in times.values()):
        for engine, worker in commands.items():
            for _ in range(_BLOCK):
                started = time.perf_counter()
                await worker.list()
                times[engine].append((time.perf_counter() - started) * 1000)
    return times


async def _idle(processes: tuple[int, ...], seconds: float) -> Idle:
    """Leave the platform alone for a while and see what it takes."""
    await asyncio.sleep(_SETTLE_SECONDS)
    started = time.perf_counter()
    before = sum(processor_ns(process) for process in processes)
    await asyncio.sleep(seconds)
    used = sum(processor_ns(process) for process in processes) - before
    elapsed = time.perf_counter() - started
    memory = memory_of(processes)
    own_mb = {command_line(process): size / _MB for process, size in memory.own.items()}
    return Idle(
        services_mb=_of(own_mb, "virtufin_examples.cli up"),
        websocketmanager_mb=_of(own_mb, "virtufin_examples.cli websocketmanager"),
        host_mb=_of(own_mb, "virtufin_examples.workmanager.host"),
        files_mb=memory.files / _MB,
        percent=used / (elapsed * 1e9) * 100,
    )


def _of(own_mb: dict[str, float], words: str) -> float:
    """Return the memory of the one process that was started with these words."""
    found = [value for command, value in own_mb.items() if words in command]
    if len(found) != 1 or len(own_mb) != _PROCESSES:
        raise PreconditionError(
            f"an idle platform with a worker is {_PROCESSES} processes, one of them {words!r}; "
            f"seen: {[*own_mb]}"
        )
    return found[0]
