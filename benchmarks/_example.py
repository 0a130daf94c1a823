"""The example as a user starts it: when its first frame comes, and how old frames are at the callback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtufin_examples.errors import PreconditionError, UnavailableError

_SCRIPT = Path(__file__).parents[1] / "scripts" / "run_alpaca_market_data_example.py"
_HELP_RUNS = 3


@dataclass(frozen=True, slots=True)
class ExampleRun:
    """One run: seconds from the script's start, milliseconds from socket receipt to callback."""

    first_frame_seconds: float
    platform_start_seconds: float
    p50_ms: float
    p99_ms: float


def run_example(seconds: float) -> ExampleRun:
    """Run it on its built-in platform and simulator for `seconds` of data; raise when it fails."""
    started = time.perf_counter()
    first_frame = 0.0
    lines: dict[str, dict[str, Any]] = {}
    with subprocess.Popen(
        [sys.executable, str(_SCRIPT), "--json", "--engine", "dotnet", "--duration", str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for text in process.stdout:
            line = json.loads(text)
            if line["event"] == "frame":
                first_frame = first_frame or time.perf_counter() - started
            else:
                lines[line.get("step", line["event"])] = line
        said = process.stderr.read()
    if process.returncode != 0 or not first_frame or "summary" not in lines:
        raise UnavailableError(f"the example ended with status {process.returncode}: {said[-2000:]}")
    latency = lines["summary"]["latency_ms"]
    return ExampleRun(first_frame, lines["start platform"]["ms"] / 1000, latency["p50"], latency["p99"])


def help_seconds() -> float:
    """Return how long `virtufin --help` takes: the best of a few, to leave out what else the machine did."""
    program = shutil.which("virtufin", path=str(Path(sys.executable).parent))
    if program is None:
        raise PreconditionError("no `virtufin` beside this Python", hint="run it with .venv/bin/python")
    times = []
    for _ in range(_HELP_RUNS):
        started = time.perf_counter()
        subprocess.run([program, "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return min(times)
