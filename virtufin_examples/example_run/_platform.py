"""What a run starts for itself: the platform and the simulator, side by side."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
from collections.abc import AsyncIterator, Callable
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
from virtufin_examples.errors import PreconditionError
from virtufin_examples.example_run._options import Platform
from virtufin_examples.example_run._plan import Plan

Line = TypeVar("Line", bound=msgspec.Struct)

_LATER = "virtufin_examples.client._open_feed"  # brings gRPC
_ON_DAPR = "deploy.run_on_dapr"
_ON_DAPR_SECONDS = 90.0
"""Seven processes, which a busy machine starts slowly; each of them has its own, shorter limit."""


@dataclass(frozen=True, slots=True)
class Started:
    """What runs for us; None: not started by us."""

    platform: EmbeddedPlatform | None
    simulator: EmbeddedSimulator | None
    children: tuple[ChildService[EmbeddedPlatform] | ChildService[EmbeddedSimulator], ...]


@contextlib.asynccontextmanager
async def started(plan: Plan, steps: Steps, say: Callable[[str], None]) -> AsyncIterator[Started]:
    """Start what the plan needs, all at once, and end it with the block; `say` gets words on the way."""
    platform = _platform(plan, say) if plan.own_platform else None
    simulator = simulator_child(plan.settings.venue.name) if plan.simulated else None
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


def _platform(plan: Plan, say: Callable[[str], None]) -> ChildService[EmbeddedPlatform]:
    environment = simulator_secret() if plan.simulated else None
    if plan.platform is Platform.EMBEDDED:
        return platform_child(environment)
    if importlib.util.find_spec(_ON_DAPR.partition(".")[0]) is None:
        raise PreconditionError(
            "--platform dapr: what starts it is not installed with the package",
            hint="run the script of a checkout, in the environment that `make setup` makes",
        )
    return ChildService(
        "the platform on Dapr",
        ("--ephemeral",),
        EmbeddedPlatform,
        environment,
        module=_ON_DAPR,
        start_seconds=_ON_DAPR_SECONDS,
        on_start=say,
    )
