"""How our frames/s change with the frame's size, connections, topics and subscribers; memory while idle."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks._processes import command_line, memory_of
from benchmarks.throughput._contenders import run_ours
from benchmarks.throughput._field import Field, Load, Outcome

_CHUNK = 65536
_SPARE_FILES = 500
_FRAMES_A_SECOND = {150: 200_000, 500: 150_000, 2000: 60_000, 8000: 15_000, 32_000: 4000}
_ONCE_ABOVE = 100
"""Connections that take long to open are opened in one round."""


@dataclass(frozen=True, slots=True)
class Sweeps:
    """What is varied, the rest being one connection, topic, subscriber and 150 bytes."""

    rounds: int
    sizes: tuple[int, ...]
    connections: tuple[int, ...]
    topics: tuple[int, ...]
    subscribers: tuple[int, ...]


Swept = dict[str, list[dict[str, float]]]


async def run_sweeps(field: Field, plan: Sweeps, seconds: float, say: Callable[[str], object]) -> Swept:
    """Return points (`x`, `frames_a_second`) by what is varied, all but the connections."""
    swept: Swept = {"frame size": [], "topics": [], "subscribers": []}
    frames = int(_FRAMES_A_SECOND[150] * seconds)

    def point(name: str, x: int, outcome: Outcome) -> None:
        swept[name].append({"x": x, "frames_a_second": outcome.rate})

    for number in range(plan.rounds):
        say(f"sweeps, round {number + 1} of {plan.rounds}")
        for size in plan.sizes:
            load = Load(size, _CHUNK, int(_FRAMES_A_SECOND[size] * seconds))
            point("frame size", size, await run_ours(field, load))
        for topics in plan.topics:
            load = Load(150, _CHUNK, frames, connections=topics)
            point("topics", topics, await run_ours(field, load, topics=topics))
        for subscribers in plan.subscribers:
            load = Load(150, _CHUNK, frames)
            point("subscribers", subscribers, await run_ours(field, load, subscribers=subscribers))
    return swept


async def sweep_connections(
    field: Field, counts: Sequence[int], rounds: int, seconds: float, say: Callable[[str], object]
) -> tuple[list[dict[str, float]], dict[str, int], list[str]]:
    """Return points as `run_sweeps` does, memory by connections, and what could not be measured.

    On a platform that has done nothing yet, whose memory is its own: the connections are opened step by step,
    and the frames come over all of them first.
    """
    points: list[dict[str, float]] = []
    idle_bytes: dict[str, int] = {}
    problems = [_file_problem(count) for count in counts if _file_problem(count)]
    possible = sorted(count for count in counts if not _file_problem(count))
    manager = next(pid for pid in field.platform if "cli websocketmanager" in command_line(pid))
    frames = int(_FRAMES_A_SECOND[150] * seconds)

    def look(count: int) -> None:
        idle_bytes[str(count)] = memory_of([manager]).own[manager]

    say(f"up to {possible[-1]} connections, idle")
    everything = Load(150, _CHUNK, max(frames, 100 * possible[-1]), connections=possible[-1])
    outcome = await run_ours(field, everything, look=look, steps=possible[:-1])
    points.append({"x": possible[-1], "frames_a_second": outcome.rate})
    for number in range(rounds):
        for count in possible[:-1]:
            if number and count > _ONCE_ABOVE:
                continue
            say(f"{count} connections")
            load = Load(150, _CHUNK, max(frames, 100 * count), connections=count)
            points.append({"x": count, "frames_a_second": (await run_ours(field, load)).rate})
    return points, idle_bytes, problems


def _file_problem(connections: int) -> str:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _SPARE_FILES
    if allowed >= needed:
        return ""
    return (
        f"{connections} connections: the limit of open files is {allowed}, {needed} are needed (ulimit -Hn)"
    )
