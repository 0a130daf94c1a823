"""`make bench`, or `python -m benchmarks [--quick] [--json FILE]`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks._measure import Machine, table
from benchmarks._plan import FULL, QUICK, figures
from benchmarks._rounds import run_rounds
from virtufin_examples.errors import VirtufinError

_OURS = ("VIRTUFIN_", "ALPACA_", "APCA_", "DAPR_")


def main(arguments: list[str]) -> int:
    """Measure, print the table; status 1 when a part cannot run. A missed bound is shown, and is no error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures speed and memory.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: half a minute")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures with all samples as well"
    )
    given = parser.parse_args(arguments)
    plan = QUICK if given.quick else FULL
    target = given.json.resolve() if given.json else None
    if target is not None and not target.parent.is_dir():
        parser.error(f"--json is {str(given.json)!r}: there is no folder {str(target.parent)!r}")
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    try:
        machine = Machine()
        with _defaults():
            found = figures(run_rounds(plan, say))
    except (VirtufinError, OSError) as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        return 1
    say("done")
    here = machine.as_json()
    print(", ".join(f"{name} {value}" for name, value in here.items()))
    print(table(found))
    if target is not None:
        report = {"machine": here, "plan": asdict(plan), "figures": [figure.as_json() for figure in found]}
        target.write_text(json.dumps(report, indent=1) + "\n")
    return 0


@contextlib.contextmanager
def _defaults() -> Iterator[None]:
    """Measure the defaults: without our variables, and in an empty folder, where there is no `.env`."""
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name in environment:
            if name.startswith(_OURS):
                del os.environ[name]
        try:
            yield
        finally:
            os.environ.update(environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
