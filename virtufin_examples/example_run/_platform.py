"""What a run starts for itself: the platform and the simulator, side by side."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from virtufin_examples.client import (
    ChildService,
    EmbeddedPlatform,
    EmbeddedSimulator,
    platform_child,
    simulator_child,
    simulator_secret,
)
from virtufin_examples.client._steps import Steps
from virtufin_examples.example_run._plan import Plan

Line = TypeVar("Line", bound=msgspec.Struct)

_LATER = "virtufin_examples.client._open_feed"  # brings gRPC


@dataclass(frozen=True, slots=True)
class Started:
    """What runs for us; None: not started by us."""

    platform: EmbeddedPlatform | None
    simulator: EmbeddedSimulator | None
    children: tuple[ChildService[EmbeddedPlatform] | ChildService[EmbeddedSimulator], ...]


@contextlib.asynccontextmanager
async def started(plan: Plan, steps: Steps) -> AsyncIterator[Started]:
    """Start what the plan needs, all at once, and end it with the block."""
    platform = platform_child(simulator_secret() if plan.simulated else None) if plan.embedded else None
    simulator = simulator_child() if plan.simulated else None
    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, child: ChildService[Line]) -> Line:
            with steps.step(name):
                return await stack.enter_async_context(child)

        try:
            async with asyncio.TaskGroup() as group:
                platform_line = group.create_task(start("start platform", platform)) if platform else None
                simulator_line = group.create_task(start("start simulator", simulator)) if simulator else None
                group.create_task(asyncio.to_thread(importlib.import_module, _LATER))  # while they start
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        yield Started(
            platform=platform_line.result() if platform_line else None,
            simulator=simulator_line.result() if simulator_line else None,
            children=tuple(child for child in (platform, simulator) if child is not None),
        )
