"""How much is measured, and what a round yields."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks._measure import Figure


@dataclass(frozen=True, slots=True)
class Plan:
    """Rounds, and the size of a round's parts."""

    rounds: int
    live_seconds: float
    """How long the example's data are watched."""
    idle_seconds: float
    """Over which the idle load is taken."""
    commands: int
    """Round trips to each worker."""


FULL = Plan(rounds=3, live_seconds=4, idle_seconds=4, commands=200)
QUICK = Plan(rounds=2, live_seconds=1.5, idle_seconds=1.5, commands=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one round found: seconds, milliseconds, megabytes (10^6 bytes), percent of a core."""

    first_frame_seconds: float
    platform_start_seconds: float
    callback_p50_ms: float
    callback_p99_ms: float
    dotnet_start_seconds: float
    python_start_seconds: float
    dotnet_command_p50_ms: float
    dotnet_command_p99_ms: float
    python_command_p50_ms: float
    python_command_p99_ms: float
    idle_mb: float
    idle_services_mb: float
    idle_websocketmanager_mb: float
    idle_host_mb: float
    idle_files_mb: float
    idle_percent: float
    help_seconds: float
    cut_seconds: float
    killed_seconds: float


# title, unit, bound (issue "Speed and memory"), field; in the table's order
_FIGURES = (
    ("first frame after the script starts", "s", 4.0, "first_frame_seconds"),
    ("  of it the platform's start", "s", 2.0, "platform_start_seconds"),
    ("worker create and start, .NET", "s", 2.0, "dotnet_start_seconds"),
    ("worker create and start, Python", "s", 2.0, "python_start_seconds"),
    ("command round trip, .NET, p50", "ms", 10.0, "dotnet_command_p50_ms"),
    ("  p99", "ms", 0.0, "dotnet_command_p99_ms"),
    ("command round trip, Python, p50", "ms", 10.0, "python_command_p50_ms"),
    ("  p99", "ms", 0.0, "python_command_p99_ms"),
    ("socket to callback, p50", "ms", 0.0, "callback_p50_ms"),
    ("  p99", "ms", 0.0, "callback_p99_ms"),
    ("memory of the idle platform", "MB", 250.0, "idle_mb"),
    ("  runtime, gateway, WorkManager", "MB", 0.0, "idle_services_mb"),
    ("  WebSocketManager", "MB", 0.0, "idle_websocketmanager_mb"),
    ("  host of a .NET worker", "MB", 0.0, "idle_host_mb"),
    ("  code, shared by all of them", "MB", 0.0, "idle_files_mb"),
    ("processor of the idle platform", "%", 2.0, "idle_percent"),
    ("virtufin --help", "s", 0.4, "help_seconds"),
    ("data again after a venue's cut", "s", 1.0, "cut_seconds"),
    ("  after SIGKILL, supervised", "s", 3.0, "killed_seconds"),
)


def figures(samples: list[Sample]) -> list[Figure]:
    """Turn rounds into figures, in the table's order."""
    return [
        Figure(title, unit, tuple(round(getattr(sample, name), 4) for sample in samples), bound)
        for title, unit, bound, name in _FIGURES
    ]
