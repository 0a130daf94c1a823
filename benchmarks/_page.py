"""What `--docs` writes: docs/performance.json, the pictures, and the tables between the page's marks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmarks._many_workers import ManyWorkers, workers_table
from benchmarks._measure import Figure, table
from benchmarks.throughput._report import tables, write_plots
from benchmarks.throughput._rounds import DataFigures

_DOCS = Path(__file__).parents[1] / "docs"
_BEGIN, _END = "<!-- begin of what make bench wrote -->\n", "<!-- end of what make bench wrote -->\n"
_CONTROL = (
    "<!-- begin of the control path by make bench -->\n",
    "<!-- end of the control path by make bench -->\n",
)


class Report(msgspec.Struct):
    """The parts of the JSON that the page shows."""

    machine: dict[str, object]
    data: DataFigures
    figures: list[dict[str, Any]] = []
    workers: list[ManyWorkers] = []


def write_page(report: Mapping[str, object], docs: Path = _DOCS) -> None:
    """Write a report with the part `data` into a folder of documents."""
    (docs / "performance.json").write_bytes(msgspec.json.encode(report) + b"\n")
    shown = msgspec.json.decode(msgspec.json.encode(report), type=Report)
    page = docs / "performance.md"
    text = _between(page.read_text(), (_BEGIN, _END), _data(shown, write_plots(shown.data, docs)))
    if shown.figures or shown.workers:
        text = _between(text, _CONTROL, _control(shown))
    page.write_text(text)


def _between(text: str, marks: tuple[str, str], parts: list[str]) -> str:
    begin, end = marks
    before, _, rest = text.partition(begin)
    return before + begin + "\n" + "\n\n".join(parts) + "\n\n" + end + rest.partition(end)[2]


def _machine(report: Report) -> str:
    return f"Measured on: {', '.join(f'{name} {value}' for name, value in report.machine.items())}."


def _data(report: Report, pictures: list[str]) -> list[str]:
    shown = [f"![{name.removeprefix('bench-').removesuffix('.svg')}]({name})" for name in pictures]
    return [_machine(report), tables(report.data), *shown]


def _control(report: Report) -> list[str]:
    parts = [_machine(report)]
    if report.figures:
        found = [
            Figure(each["name"], each["unit"], tuple(each["samples"]), each["at_most"])
            for each in report.figures
        ]
        rounds = len(found[0].samples)
        parts += [f"{rounds} rounds, each measuring everything once:", f"```text\n{table(found)}\n```"]
    if report.workers:
        parts += ["Many workers on one platform:", workers_table(report.workers)]
    return parts
