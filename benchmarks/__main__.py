"""`make bench`, or `python -m benchmarks [--quick] [--json FILE] [--docs] [PART ...]`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec

from benchmarks._many_workers import ManyWorkers, run_many_workers, workers_table
from benchmarks._measure import Machine, table
from benchmarks._page import write_page
from benchmarks._plan import FULL, QUICK, figures
from benchmarks._rounds import run_rounds
from benchmarks.throughput._report import tables
from benchmarks.throughput._rounds import FULL_DATA, QUICK_DATA, run_data
from virtufin_examples.client import Engine
from virtufin_examples.errors import VirtufinError
from virtufin_examples.service import allow_many_files

_PARTS = ("data", "control", "workers")
_MANY_WORKERS, _FEW_WORKERS = 100, 5
_OURS = ("VIRTUFIN_", "ALPACA_", "APCA_", "DAPR_")


def main(arguments: list[str]) -> int:
    """Measure, print the table; status 1 when a part cannot run. A missed bound is shown, and is no error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures speed and memory.")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)}; all of them without one"
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under two minutes")
    parser.add_argument(
        "--docs", action="store_true", help="write tables and pictures of the data path into docs/ as well"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures with all samples as well"
    )
    parser.add_argument(
        "--from",
        type=Path,
        metavar="FILE",
        dest="source",
        help="measure nothing: --docs from such a JSON",
    )
    given = parser.parse_args(arguments)
    if given.source is not None:
        if not given.docs:
            parser.error("--from is for --docs")
        write_page(msgspec.json.decode(given.source.read_bytes()))
        return 0
    if unknown := set(given.parts) - set(_PARTS):
        parser.error(f"no part {min(unknown)!r}, only {', '.join(_PARTS)}")
    parts = given.parts or _PARTS
    target = given.json.resolve() if given.json else None
    if given.docs and "data" not in parts:
        parser.error("--docs shows the part data, which is not to be measured")
    if target is not None and not target.parent.is_dir():
        parser.error(f"--json is {str(given.json)!r}: there is no folder {str(target.parent)!r}")
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    try:
        machine = Machine()
        with _defaults():
            report, shown = _measure(parts, say, quick=given.quick)
    except (VirtufinError, OSError) as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        return 1
    say("done")
    report["machine"] = here = machine.as_json()
    print(", ".join(f"{name} {value}" for name, value in here.items()))
    print("\n\n".join(shown))
    if target is not None:
        target.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    if given.docs:
        write_page(report)
    return 0


def _measure(
    parts: Sequence[str], say: Callable[[str], object], *, quick: bool
) -> tuple[dict[str, object], list[str]]:
    """Return what the JSON holds and the tables."""
    report: dict[str, object] = {}
    shown = []
    if "data" in parts:
        allow_many_files()  # and so our children
        report["data"] = data = run_data(QUICK_DATA if quick else FULL_DATA, say)
        shown.append(tables(data))
    if "control" in parts:
        plan = QUICK if quick else FULL
        found = figures(run_rounds(plan, say))
        report |= {"plan": asdict(plan), "figures": [figure.as_json() for figure in found]}
        shown.append(table(found))
    if "workers" in parts:
        report["workers"] = many = _workers(_FEW_WORKERS if quick else _MANY_WORKERS, say)
        shown.append(workers_table(many))
    return report, shown


def _workers(count: int, say: Callable[[str], object]) -> list[ManyWorkers]:
    found = []
    for engine in (Engine.PYTHON, Engine.DOTNET):
        say(f"{count} workers, {engine}")
        found.append(asyncio.run(run_many_workers(engine, count)))
    return found


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
