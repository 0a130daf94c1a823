"""Rounds of the data path: every contender once a round and load, so that the machine's moods fall on all."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.throughput._contenders import CONTENDERS, run_ours
from benchmarks.throughput._field import Field, Load, Outcome, open_field
from benchmarks.throughput._scaling import Sweeps, run_most_connections, run_sweeps
from benchmarks.throughput.reader import Read
from virtufin_examples.errors import VirtufinError

CHUNK = 65536
"""Bytes a write of the sender; the other row is one frame a write."""
_OF_150_BYTES = {150: 1.0, 1000: 0.6, 10_000: 0.1}
_FEWEST = 100


@dataclass(frozen=True, slots=True)
class DataPlan:
    """How much is measured.

    `cells` by (payload bytes, bytes a write): rounds, and about how many seconds a contender sends.
    """

    cells: dict[tuple[int, int], tuple[int, float]]
    seconds: float
    """About how long ours sends at each point of the sweeps."""
    latency_rates: tuple[int, ...]
    latency_rounds: int
    latency_seconds: float
    sweeps: Sweeps


FULL_DATA = DataPlan(
    cells={
        (150, CHUNK): (5, 1.5),  # the targets'; in less, the first frames' way through weighs too much
        (1000, CHUNK): (2, 0.7),
        (10_000, CHUNK): (2, 0.7),
        (150, 1): (2, 0.7),
        (1000, 1): (1, 0.5),
        (10_000, 1): (1, 0.5),
    },
    seconds=0.7,
    latency_rates=(100, 1000, 10_000, 100_000),
    latency_rounds=3,
    latency_seconds=2.5,
    sweeps=Sweeps(
        rounds=2,
        sizes=(150, 500, 2000, 8000, 32_000),
        connections=(1, 10, 100, 1000, 5000),
        topics=(1, 2, 4, 8),
        subscribers=(1, 2, 4),
    ),
)
QUICK_DATA = DataPlan(
    cells={(150, CHUNK): (1, 1.0), (150, 1): (1, 0.4)},
    seconds=0.4,
    latency_rates=(1000, 100_000),
    latency_rounds=1,
    latency_seconds=1.0,
    sweeps=Sweeps(rounds=1, sizes=(), connections=(1, 100), topics=(1, 4), subscribers=()),
)


class Row(msgspec.Struct):
    """What one contender did at one load; `problem` says why it did not."""

    contender: str
    size: int
    write: int
    rates: list[float] = []
    processor_us: dict[str, list[float]] = {}
    """Processor time a frame, by program; a sample a round."""
    network_bytes: list[float] = []
    """Over the loopback interface, a frame."""
    problem: str = ""


class Latency(msgspec.Struct):
    """Latencies in us at p50, p99, p99.9 and max, a list a round."""

    rate: int
    from_receipt_us: list[list[float]] = []
    from_due_us: list[list[float]] = []


class DataFigures(msgspec.Struct):
    """Everything of the data path; `sweeps` by what is varied."""

    throughput: list[Row]
    latency: list[Latency]
    sweeps: dict[str, list[dict[str, float]]]
    idle_bytes: dict[str, int]
    """The WebSocketManager's memory with so many idle connections."""
    problems: list[str] = []


def run_data(plan: DataPlan, say: Callable[[str], object]) -> DataFigures:
    """Measure; what cannot run is noted with its reason, and the rest measured."""
    found = DataFigures([], [], {}, {})

    async def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with open_field(Path(folder), say, peers=True) as field:
                found.throughput = await run_contenders(field, plan, say, list(CONTENDERS))
                found.latency, problems = await _latencies(field, plan, say)
                found.problems += problems
                found.sweeps, problems = await run_sweeps(field, plan.sweeps, plan.seconds, say)
                found.problems += problems
            async with open_field(Path(folder), say, peers=False) as fresh:
                most, found.idle_bytes, problems = await run_most_connections(
                    fresh, plan.sweeps, plan.seconds, say
                )
                found.problems += problems
                found.sweeps["connections"] += most

    try:
        asyncio.run(work())
    except (VirtufinError, OSError) as error:  # what was measured until then counts
        found.problems.append(str(error))
    return found


async def run_contenders(
    field: Field, plan: DataPlan, say: Callable[[str], object], names: list[str]
) -> list[Row]:
    """Run these contenders, interleaved."""
    rows = {(name, *cell): Row(name, *cell) for cell in plan.cells for name in names}
    for number in range(max(rounds for rounds, _ in plan.cells.values())):
        for (size, write), (rounds, seconds) in plan.cells.items():
            if number >= rounds:
                continue
            say(f"round {number + 1} of {rounds}: {size} bytes, {write} bytes a write")
            for name in names:
                row = rows[name, size, write]
                if not row.problem:
                    await _once(field, row, seconds)
    return list(rows.values())


async def _once(field: Field, row: Row, seconds: float) -> None:
    run, guess = CONTENDERS[row.contender]
    rate = row.rates[-1] if row.rates else guess * _OF_150_BYTES[row.size]
    load = Load(row.size, row.write, max(_FEWEST, int(rate * seconds)))
    try:
        outcome = await run(field, load)
    except (VirtufinError, OSError) as error:
        row.problem = str(error)
        return
    note(row, outcome)


def note(row: Row, outcome: Outcome) -> None:
    """Add a run to its row."""
    row.rates.append(outcome.rate)
    row.network_bytes.append(outcome.network_bytes / outcome.frames)
    for name, value in outcome.processor_ns.items():
        row.processor_us.setdefault(name, []).append(value / 1000 / outcome.frames)


async def _latencies(
    field: Field, plan: DataPlan, say: Callable[[str], object]
) -> tuple[list[Latency], list[str]]:
    problems: list[str] = []
    found = [Latency(rate, [], []) for rate in plan.latency_rates]
    for number in range(plan.latency_rounds):
        say(f"latency, round {number + 1} of {plan.latency_rounds}")
        for each in found:
            load = Load(150, CHUNK, int(each.rate * plan.latency_seconds), rate=each.rate)
            try:
                read = (await run_ours(field, load, latency_of=1)).read or Read()
            except (VirtufinError, OSError) as error:
                problems.append(f"latency at {each.rate} frames/s, round {number + 1}: {error}")
                continue
            each.from_receipt_us.append(read.from_receipt_us)
            each.from_due_us.append(read.from_due_us)
    return found, problems
