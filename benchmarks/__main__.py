"""`make bench`, or `python -m benchmarks [--quick] [--json FILE] [--docs] [PART ...]`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec

from benchmarks._many_workers import ManyWorkers, run_many_workers, workers_table
from benchmarks._measure import Machine, table
from benchmarks._page import write_page
from benchmarks._plan import FULL, QUICK, figures
from benchmarks._rounds import run_rounds
from benchmarks.healing._path import run_path
from benchmarks.healing._report import whole_way
from benchmarks.throughput._report import not_measured, tables
from benchmarks.throughput._rounds import FULL_DATA, QUICK_DATA, run_data
from virtufin_examples.client import Engine
from virtufin_examples.errors import VirtufinError
from virtufin_examples.service import allow_many_files

_MANY_WORKERS, _FEW_WORKERS = 100, 5
_HEALING_ROUNDS, _QUICK_HEALING_ROUNDS = 5, 1
_HEALING_FRAMES = 200_000
_OURS = ("VIRTUFIN_", "ALPACA_", "APCA_", "DAPR_")
_INTERRUPTED = 130  # as a shell has it


def main(arguments: list[str]) -> int:
    """Measure, print the tables; status 1 when a part could not be measured, which does not stop the others.

    A missed bound is shown, and is no error.
    """
    given = _arguments(arguments)
    if given.source is not None:
        write_page(msgspec.json.decode(given.source.read_bytes()))
        return 0
    target = given.json.resolve() if given.json else None
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    try:
        machine = Machine()
        with _defaults():
            report, shown, problems = _measure(given.parts, say, quick=given.quick)
    except KeyboardInterrupt:
        print("stopped; nothing is written", file=sys.stderr)
        return _INTERRUPTED
    say("done")
    report["machine"] = here = machine.as_json()
    print(", ".join(f"{name} {value}" for name, value in here.items()))
    print("\n\n".join(shown))
    if target is not None:
        target.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    if given.docs and "data" in report:
        write_page(report)
    for problem in problems:
        print(f"cannot measure: {problem}", file=sys.stderr)
    return int(bool(problems))


def _arguments(arguments: list[str]) -> argparse.Namespace:
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
    if given.source is not None and not given.docs:
        parser.error("--from is for --docs")
    if unknown := set(given.parts) - _PARTS.keys():
        parser.error(f"no part {min(unknown)!r}, only {', '.join(_PARTS)}")
    given.parts = given.parts or [*_PARTS]
    if given.docs and "data" not in given.parts:
        parser.error("--docs shows the part data, which is not to be measured")
    if given.json is not None and not given.json.resolve().parent.is_dir():
        parser.error(
            f"--json is {str(given.json)!r}: there is no folder {str(given.json.resolve().parent)!r}"
        )
    return given


def _measure(
    parts: Sequence[str], say: Callable[[str], object], *, quick: bool
) -> tuple[dict[str, object], list[str], list[str]]:
    """Return what the JSON holds, the tables, and what could not be measured."""
    report: dict[str, object] = {}
    shown = []
    problems = []
    for part in parts:
        try:
            found, tables_of_it, missing = _PARTS[part](say, quick=quick)
        except Exception as error:  # noqa: BLE001 - whatever stopped it, the other parts can be measured
            if not isinstance(error, (VirtufinError, OSError)):
                traceback.print_exc()
            say(f"{part}: {error}")
            problems.append(f"{part}: {error!r}" if not str(error) else f"{part}: {error}")
        else:
            report |= found
            shown.append(tables_of_it)
            problems += missing
    if problems:
        report["problems"] = problems
    return report, shown, problems


_Measured = tuple[dict[str, object], str, list[str]]


def _data(say: Callable[[str], object], *, quick: bool) -> _Measured:
    allow_many_files()  # and so our children
    found = run_data(QUICK_DATA if quick else FULL_DATA, say)
    return {"data": found}, tables(found), not_measured(found)


def _healing(say: Callable[[str], object], *, quick: bool) -> _Measured:
    say("what healing costs")
    found = run_path(_QUICK_HEALING_ROUNDS if quick else _HEALING_ROUNDS, _HEALING_FRAMES)
    return {"healing": found}, "\n".join(whole_way(found)[0]), []


def _control(say: Callable[[str], object], *, quick: bool) -> _Measured:
    plan = QUICK if quick else FULL
    found = figures(run_rounds(plan, say))
    report: dict[str, object] = {
        "plan": asdict(plan),
        "figures": [figure.as_json() for figure in found],
    }
    return report, table(found), []


def _many(say: Callable[[str], object], *, quick: bool) -> _Measured:
    found = _workers(_FEW_WORKERS if quick else _MANY_WORKERS, say)
    return {"workers": found}, workers_table(found), []


_PARTS: dict[str, Callable[..., _Measured]] = {
    "data": _data,
    "healing": _healing,
    "control": _control,
    "workers": _many,
}


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
