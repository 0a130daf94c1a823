"""`make bench-healing`: the cost of healing as a table; with `--docs` the picture of the herd as well."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

from benchmarks.healing._cost import costs, frames_a_second
from benchmarks.healing._herd import run_herd
from benchmarks.healing._plot import herd_svg
from virtufin_examples.venues import Budget

_BOUNDS = {"healing": 0.10, "peek on every frame": 0.30}
_ROUNDING_SECONDS = 1e-3  # of the attempts as they are written down
_DOCS = Path(__file__).resolve().parents[2] / "docs"


def main(arguments: list[str]) -> int:
    """Measure and print; status 1 when a cost exceeds its bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.healing", description="Costs of healing.")
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (default 9)")
    parser.add_argument("--docs", action="store_true", help="write docs/herd.json and docs/herd.svg as well")
    given = parser.parse_args(arguments)
    samples = frames_a_second(given.rounds)
    for name, taken in samples.items():
        print(
            f"{name:<22}{statistics.median(taken):>12,.0f} frames/s ({min(taken):,.0f} to {max(taken):,.0f})"
        )
    missed = False
    for name, cost in costs(samples).items():
        verdict = "ok" if cost <= _BOUNDS[name] else "MISSED"
        missed = missed or verdict != "ok"
        print(f"{name:<22}{cost:>11.1%} of the frames/s without it, bound {_BOUNDS[name]:.0%} {verdict}")
    if given.docs:
        herd = run_herd(1000, Budget(300, 300.0))
        report: dict[str, object] = {
            "connections": herd.connections,
            "allowed": herd.budget.count,
            "seconds": herd.budget.seconds,
            "most_attempts": herd.most_attempts(herd.budget.seconds - _ROUNDING_SECONDS),
            "up": list(herd.up),
            "attempts": [round(at, 3) for at in herd.attempts],
        }
        (_DOCS / "herd.json").write_text(json.dumps(report) + "\n")
        (_DOCS / "herd.svg").write_text(herd_svg(report))
        print(f"{herd.connections} connections: up after {len(herd.up) - 1} s, {len(herd.attempts)} attempts")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
