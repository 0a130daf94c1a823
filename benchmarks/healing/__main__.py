"""`make bench-healing`: the cost of healing as a table; with `--docs` the picture of the herd as well."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.healing._cost import costs, frames_a_second
from benchmarks.healing._herd import run_herd
from benchmarks.healing._path import run_path
from benchmarks.healing._plot import herd_svg
from benchmarks.healing._report import samples_line, whole_way
from virtufin_examples.venues import Budget

_ROUNDING_SECONDS = 1e-3  # of the attempts as they are written down
_DOCS = Path(__file__).resolve().parents[2] / "docs"


def main(arguments: list[str]) -> int:
    """Measure and print; status 1 when a cost of the whole way exceeds its bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.healing", description="Costs of healing.")
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (default 9)")
    parser.add_argument("--frames", type=int, default=300_000, help="of a run of the whole way")
    parser.add_argument("--docs", action="store_true", help="write docs/herd.json and docs/herd.svg as well")
    given = parser.parse_args(arguments)
    print("the link alone, from a read to an encoded batch, in one process:")
    alone = frames_a_second(given.rounds)
    for name, rates in alone.items():
        print(samples_line(name, rates, "frames/s"))
    for name, cost in costs(alone).items():
        print(f"  {name:<22}costs {cost:.1%} of it")
    lines, missed = whole_way(run_path(given.rounds, given.frames))
    print("\n".join(lines))
    if given.docs:
        _draw_herd()
    return int(missed)


def _draw_herd() -> None:
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
