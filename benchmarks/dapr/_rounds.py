"""Rounds: every target and every way once a round, so that what else the machine does falls on all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks._child import Child, running
from benchmarks._processes import processor_ns
from benchmarks.dapr._protocol import Received, Task, Way
from benchmarks.dapr._targets import Running, Target, running_targets
from virtufin_examples.errors import PreconditionError
from virtufin_examples.frames import Encoding

RATE_OF_BATCHES = 1000.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: rounds, and the seconds of each measurement."""

    rounds: int
    seconds: float
    bare_seconds: float


FULL = Plan(rounds=3, seconds=1.5, bare_seconds=0.75)
QUICK = Plan(rounds=1, seconds=1.0, bare_seconds=0.5)


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one round. `processor_us`: processor time a frame, by process."""

    target: Target
    way: Way
    encoding: Encoding
    frames_a_second: float
    received: Received
    processor_us: dict[str, float]


def rate_of_frames(target: Target) -> float:
    """Return the frames a second at which the latency of single frames is taken."""
    return 200.0 if target is Target.KAFKA else 300.0


async def run_rounds(
    plan: Plan, targets: Sequence[Target], folder: Path, say: Callable[[str], object]
) -> list[Sample]:
    """Measure; raises when a part cannot run, or when a frame is lost."""
    say("starting the targets")
    samples: list[Sample] = []
    with running_targets(targets, folder) as all_running:
        async with running("benchmarks.dapr.sender") as sender, running("benchmarks.dapr.reader") as reader:
            for number in range(1, plan.rounds + 1):
                for target in all_running:
                    say(f"round {number} of {plan.rounds}: {target.target}")
                    for way, encoding, rate in _measurements(target.target):
                        seconds = plan.seconds if way is Way.OURS else plan.bare_seconds
                        topic = f"conformance.bench.{number}.{way}.{encoding}.{rate:g}"
                        task = Task(way, encoding, topic, target.publisher, seconds, rate)
                        samples.append(await _measure(task, target, sender, reader))
    return samples


def _measurements(target: Target) -> list[tuple[Way, Encoding, float]]:
    return [
        (Way.OURS, Encoding.FRAME, rate_of_frames(target)),
        (Way.OURS, Encoding.FRAME, 0.0),
        (Way.BARE, Encoding.FRAME, 0.0),
        (Way.BULK, Encoding.FRAME, 0.0),
        (Way.OURS, Encoding.BATCH, RATE_OF_BATCHES),
        (Way.OURS, Encoding.BATCH, 0.0),
        (Way.BARE, Encoding.BATCH, 0.0),
    ]


async def _measure(task: Task, target: Running, sender: Child, reader: Child) -> Sample:
    reader.tell(msgspec.structs.replace(task, endpoint=target.reader))
    await reader.answer(str)
    sender.tell(task)
    await sender.answer(str)
    await reader.answer(str)
    processes = {**target.processes, "publisher": (sender.pid,), "reader": (reader.pid,)}
    before = _processor_ns(processes)
    sender.tell("go")
    sent = await sender.answer(int)
    received = await reader.answer(Received)
    used = {name: value - before[name] for name, value in _processor_ns(processes).items()}
    if received.lost or received.last_sequence != sent or (received.disordered and task.way is Way.OURS):
        raise PreconditionError(
            f"{task.way} on {target.target}, topic {task.topic}: {sent} frames were sent, the last that came "
            f"is {received.last_sequence}, {received.lost} were lost, {received.disordered} out of order"
        )
    return Sample(
        target.target,
        task.way,
        task.encoding,
        task.frames_a_second,
        received,
        {name: value / 1000 / sent for name, value in used.items()},
    )


def _processor_ns(processes: dict[str, tuple[int, ...]]) -> dict[str, int]:
    return {name: sum(processor_ns(pid) for pid in pids) for name, pids in processes.items()}
