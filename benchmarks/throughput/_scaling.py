"""How our frames/s change with the frame's size, connections, topics and subscribers; memory while idle."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks._processes import command_line, memory_of
from benchmarks.throughput._contenders import open_ours, run_ours
from benchmarks.throughput._field import Field, Load, Outcome
from virtufin_examples.errors import VirtufinError

_CHUNK = 65536
_SPARE_FILES = 500
_FRAMES_A_SECOND = {150: 400_000, 500: 250_000, 2000: 100_000, 8000: 25_000, 32_000: 6000}
_FRAMES_EACH = 425
"""A write of 64 kB for each of the most connections."""
_MOST_ROUNDS = 5
_MOST_SECONDS = 150.0
"""For opening the most connections, and their frames."""


@dataclass(frozen=True, slots=True)
class Sweeps:
    """What is varied, the rest being one connection, topic, subscriber and 150 bytes."""

    rounds: int
    sizes: tuple[int, ...]
    connections: tuple[int, ...]
    topics: tuple[int, ...]
    subscribers: tuple[int, ...]


Swept = dict[str, list[dict[str, float]]]


async def run_sweeps(
    field: Field, plan: Sweeps, seconds: float, say: Callable[[str], object]
) -> tuple[Swept, list[str]]:
    """Return points (`x`, `frames_a_second`) by what is varied, but the most connections; and problems."""
    swept: Swept = {"frame size": [], "topics": [], "subscribers": [], "connections": []}
    frames = int(_FRAMES_A_SECOND[150] * seconds)

    problems: list[str] = []

    async def point(name: str, x: int, run: Awaitable[Outcome]) -> None:
        try:
            swept[name].append({"x": x, "frames_a_second": (await run).rate})
        except (VirtufinError, OSError) as error:
            problems.append(f"frames/s by {name}, {x}: {error}")

    for number in range(plan.rounds):
        say(f"sweeps, round {number + 1} of {plan.rounds}")
        for size in plan.sizes:
            load = Load(size, _CHUNK, int(_FRAMES_A_SECOND[size] * seconds))
            await point("frame size", size, run_ours(field, load))
        for topics in plan.topics:
            load = Load(150, _CHUNK, frames, connections=topics)
            await point("topics", topics, run_ours(field, load, topics=topics))
        for subscribers in plan.subscribers:
            load = Load(150, _CHUNK, frames)
            await point("subscribers", subscribers, run_ours(field, load, subscribers=subscribers))
        for connections in plan.connections[:-1]:
            if not _file_problem(connections):
                load = Load(150, _CHUNK, max(frames, 100 * connections), connections=connections)
                await point("connections", connections, _second_round(field, load))
    return swept, problems


async def _second_round(field: Field, load: Load) -> Outcome:
    """Run two rounds of the same connections; in the first, opening them has its aftermath."""
    async with open_ours(field, load, rounds=2) as run_round:
        await run_round()
        return await run_round()


async def run_most_connections(
    field: Field, plan: Sweeps, seconds: float, say: Callable[[str], object]
) -> tuple[list[dict[str, float]], dict[str, int], list[str]]:
    """Return the last point of the connections, memory by idle connections, and what could not be measured.

    On a platform that has done nothing yet, whose memory is its own: they are opened step by step, and then
    the frames come over all of them, some rounds of them, of which the first does not count.
    """
    points: list[dict[str, float]] = []
    idle_bytes: dict[str, int] = {}
    problems = [problem for problem in map(_file_problem, plan.connections) if problem]
    *steps, most = sorted(count for count in plan.connections if not _file_problem(count))
    manager = next(pid for pid in field.platform if "cli websocketmanager" in command_line(pid))

    def look(count: int) -> None:
        idle_bytes[str(count)] = memory_of([manager]).own[manager]
        say(f"{count} connections, idle")

    frames = max(int(_FRAMES_A_SECOND[150] * seconds), _FRAMES_EACH * most)
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            load = Load(150, _CHUNK, frames, connections=most)
            async with open_ours(field, load, rounds=_MOST_ROUNDS + 1, look=look, steps=steps) as run_round:
                await run_round()
                points = [
                    {"x": most, "frames_a_second": (await run_round()).rate} for _ in range(_MOST_ROUNDS)
                ]
    except TimeoutError:
        problems.append(f"{most} connections: not done within {_MOST_SECONDS:g} s")
    except (VirtufinError, OSError) as error:
        problems.append(f"{most} connections: {error}")
    return points, idle_bytes, problems


def _file_problem(connections: int) -> str:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _SPARE_FILES
    if allowed >= needed:
        return ""
    return (
        f"{connections} connections: the limit of open files is {allowed}, {needed} are needed (ulimit -Hn)"
    )
