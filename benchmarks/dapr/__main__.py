"""`make bench-dapr`, or `python -m benchmarks.dapr [--quick] [--json FILE] [TARGET ...]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import msgspec

from benchmarks._measure import Machine
from benchmarks.dapr._rounds import FULL, QUICK, Sample, run_rounds
from benchmarks.dapr._table import columns, table
from benchmarks.dapr._targets import TARGETS, Target
from virtufin_examples.errors import VirtufinError


def main(arguments: list[str]) -> int:
    """Measure, print the table; status 1 when a part cannot run or a frame was lost."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dapr", description="Measures the way over Dapr on every target."
    )
    parser.add_argument(
        "targets", nargs="*", type=Target, metavar="TARGET", help=f"of {', '.join(TARGETS)}; default all"
    )
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample as well")
    given = parser.parse_args(arguments)
    if given.json is not None and not given.json.absolute().parent.is_dir():
        parser.error(f"--json is {str(given.json)!r}: there is no such folder")
    plan = QUICK if given.quick else FULL
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    try:
        machine = Machine()
        with tempfile.TemporaryDirectory() as folder:
            samples = asyncio.run(run_rounds(plan, given.targets or TARGETS, Path(folder), say))
    except (VirtufinError, OSError) as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        return 1
    say("done")
    here = machine.as_json()
    print(", ".join(f"{name} {value}" for name, value in here.items()), end="\n\n")
    print(table(columns(samples)))
    if given.json is not None:
        report = {"machine": here, "plan": asdict(plan), "samples": [_as_json(each) for each in samples]}
        given.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _as_json(sample: Sample) -> dict[str, object]:
    return {**asdict(sample), "received": msgspec.to_builtins(sample.received)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
