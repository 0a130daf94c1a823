"""Rounds: every part once a round, so that what else the machine does falls on all parts alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from benchmarks._example import help_seconds, run_example
from benchmarks._plan import Plan, Sample
from benchmarks._platform import run_platform
from benchmarks._recovery import run_recovery
from virtufin_examples.client import Engine


def run_rounds(plan: Plan, say: Callable[[str], object]) -> list[Sample]:
    """Measure; `say` hears what is being done. Raises when a part cannot run."""
    say("warming up")
    help_seconds()
    run_example(0.1)
    samples = []
    for number in range(1, plan.rounds + 1):
        say(f"round {number} of {plan.rounds}: the example")
        example = run_example(plan.live_seconds)
        say(f"round {number} of {plan.rounds}: a platform")
        platform = asyncio.run(run_platform(plan))
        idle = platform.idle
        say(f"round {number} of {plan.rounds}: a cut and a kill")
        recovery = asyncio.run(run_recovery())
        samples.append(
            Sample(
                first_frame_seconds=example.first_frame_seconds,
                platform_start_seconds=example.platform_start_seconds,
                callback_p50_ms=example.p50_ms,
                callback_p99_ms=example.p99_ms,
                dotnet_start_seconds=platform.start_seconds[Engine.DOTNET],
                python_start_seconds=platform.start_seconds[Engine.PYTHON],
                dotnet_command_p50_ms=platform.command_ms(Engine.DOTNET, 0.5),
                dotnet_command_p99_ms=platform.command_ms(Engine.DOTNET, 0.99),
                python_command_p50_ms=platform.command_ms(Engine.PYTHON, 0.5),
                python_command_p99_ms=platform.command_ms(Engine.PYTHON, 0.99),
                idle_mb=idle.services_mb + idle.websocketmanager_mb + idle.host_mb + idle.files_mb,
                idle_services_mb=idle.services_mb,
                idle_websocketmanager_mb=idle.websocketmanager_mb,
                idle_host_mb=idle.host_mb,
                idle_files_mb=idle.files_mb,
                idle_percent=idle.percent,
                help_seconds=help_seconds(),
                cut_seconds=recovery.cut_seconds,
                killed_seconds=recovery.killed_seconds,
            )
        )
    return samples
