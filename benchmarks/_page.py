"""What `--docs` writes: docs/performance.json, the pictures, and the tables between the page's marks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks._many_workers import ManyWorkers, workers_table
from benchmarks.throughput._report import tables, write_plots
from benchmarks.throughput._rounds import DataFigures

_DOCS = Path(__file__).parents[1] / "docs"
_BEGIN, _END = "<!-- begin of what make bench wrote -->\n", "<!-- end of what make bench wrote -->\n"


class Report(msgspec.Struct):
    """The parts of the JSON that the page shows."""

    machine: dict[str, object]
    data: DataFigures
    workers: list[ManyWorkers] = []


def write_page(report: Mapping[str, object], docs: Path = _DOCS) -> None:
    """Write a report with the part `data` into a folder of documents."""
    (docs / "performance.json").write_bytes(msgspec.json.encode(report) + b"\n")
    shown = msgspec.json.decode(msgspec.json.encode(report), type=Report)
    page = docs / "performance.md"
    before, _, rest = page.read_text().partition(_BEGIN)
    page.write_text(
        before + _BEGIN + section(shown, write_plots(shown.data, docs)) + _END + rest.partition(_END)[2]
    )


def section(report: Report, pictures: list[str]) -> str:
    """Return what stands between the marks."""
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    parts = [f"Measured on: {machine}.", tables(report.data)]
    if report.workers:
        parts += ["### Many workers", workers_table(report.workers)]
    parts += [f"![{name.removeprefix('bench-').removesuffix('.svg')}]({name})" for name in pictures]
    return "\n\n".join(["", *parts, ""])
