"""The data path's figures as Markdown tables and as pictures, both made from what the JSON holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks._svg import plot
from benchmarks.throughput._contenders import MEMCPY, NOTHING, OURS, OURS_BATCH
from benchmarks.throughput._rounds import CHUNK, DataFigures, Row
from benchmarks.throughput._targets import idle_kb, ratios, targets

_SHARES = ("p50", "p99", "p99.9", "max")
_AXES = {
    "frame size": "bytes a frame",
    "connections": "connections onto one topic, in one process",
    "topics": "topics, each with a connection",
    "subscribers": "subscribers of one topic, each a process",
}


def tables(found: DataFigures) -> str:
    """Return every table with its heading."""
    parts = ["### Targets", _targets(found)]
    for write, words in ((CHUNK, "64 kB a write"), (1, "one frame a write")):
        rows = [row for row in found.throughput if row.write == write]
        if rows:
            parts += [f"### Frames/s from end to end, {words}", _throughput(rows, write)]
    parts += ["### Latency, ms (150 B, `batch`)", _latencies(found)]
    parts += ["### Cost of a million frames (150 B, 64 kB a write)", _costs(found)]
    if found.idle_bytes:
        parts += ["### Memory of the WebSocketManager with idle connections", _memory(found)]
    parts += ["### Scaling (150 B, `batch`), frames/s", _sweeps(found)]
    parts += [f"Not measured: {problem}." for problem in not_measured(found)]
    return "\n\n".join(parts)


def not_measured(found: DataFigures) -> list[str]:
    """Return what of ours is missing, and why; a peer that cannot run stands in its table."""
    ours = [
        f"{row.contender}, {row.size:,} bytes, {row.write:,} bytes a write: {row.problem}"
        for row in found.throughput
        if row.problem and row.contender in OURS
    ]
    return [*ours, *found.problems]


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    every = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in every)


def _number(value: float) -> str:
    """Three digits are what such a figure holds."""
    return f"{float(f'{value:.3g}'):,.10g}"


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return _number(values[0])
    return f"{_number(median(values))} ({_number(min(values))} to {_number(max(values))})"


def _targets(found: DataFigures) -> str:
    lines = []
    for each in targets(found):
        measured = "" if each.measured is None else _number(each.measured)
        bound = f"{'at least' if each.at_least else 'at most'} {each.target:,.10g} {each.unit}".strip()
        lines.append([each.name, measured, bound, each.verdict])
    return _markdown(["figure", "measured", "target", ""], lines)


def _throughput(rows: Sequence[Row], write: int) -> str:
    sizes = sorted({row.size for row in rows})
    lines = []
    for name in dict.fromkeys(row.contender for row in rows):
        line = [name]
        for size in sizes:
            row = next(row for row in rows if (row.contender, row.size) == (name, size))
            line.append(f"cannot run: {row.problem.replace('|', '/')}" if row.problem else _spread(row.rates))
        compared = ratios(rows, OURS_BATCH, name, sizes[0], write)
        line.append(_spread(compared) if compared and name != OURS_BATCH else "")
        lines.append(line)
    header = ["", *(f"{size:,} B" for size in sizes), f"ours in `batch` is times that, {sizes[0]} B"]
    return _markdown(header, lines)


def _latencies(found: DataFigures) -> str:
    lines = []
    for each in (one for one in found.latency if one.from_receipt_us):
        for title, rounds in (
            ("socket to callback", each.from_receipt_us),
            ("due to callback", each.from_due_us),
        ):
            shown = [median(one[share] for one in rounds) / 1000 for share in range(3)]
            shown.append(max(one[3] for one in rounds) / 1000)
            lines.append([f"{each.rate:,}", title, *(f"{value:.2f}" for value in shown)])
    return _markdown(["frames/s", "", *_SHARES], lines)


def _costs(found: DataFigures) -> str:
    lines = []
    for row in found.throughput:
        if (row.size, row.write) != (150, CHUNK) or row.contender == MEMCPY or row.problem:
            continue
        parts = {name: median(samples) for name, samples in row.processor_us.items()}
        named = ", ".join(f"{name} {_number(value)}" for name, value in parts.items())
        network = _number(median(row.network_bytes)) if row.network_bytes else ""
        lines.append([row.contender, _number(sum(parts.values())), named, network])
    return _markdown(["", "processor seconds", "of them", "MB over the network"], lines)


def _memory(found: DataFigures) -> str:
    each = idle_kb(found)
    lines = [[f"{int(count):,}", _number(size / 1e6)] for count, size in found.idle_bytes.items()]
    table = _markdown(["connections", "MB"], lines)
    return table if each is None else f"{table}\n\nEach connection more: {_number(each)} kB."


def _sweeps(found: DataFigures) -> str:
    lines = []
    for name, points in found.sweeps.items():
        for x in sorted({point["x"] for point in points}):
            rates = [point["frames_a_second"] for point in points if point["x"] == x]
            lines.append([_AXES[name], f"{x:,.0f}", _spread(rates)])
    return _markdown(["", "", "frames/s"], lines)


def write_plots(found: DataFigures, folder: Path) -> list[str]:
    """Write the pictures; return their file names, `bench-<what is varied>.svg`."""
    written = {}
    for name, points in found.sweeps.items():
        if points:
            line = [(point["x"], point["frames_a_second"]) for point in points]
            written[name.replace(" ", "-")] = plot(
                f"frames/s by {name}", {"frames/s": line}, x_title=_AXES[name], log_y=name == "frame size"
            )
    lines = {
        title: [(one.rate, each[share] / 1000) for one in found.latency for each in one.from_receipt_us]
        for share, title in enumerate(_SHARES)
    }
    if lines[_SHARES[0]]:
        written["latency"] = plot(
            "latency from socket to callback, ms", lines, x_title="frames a second, open loop", log_y=True
        )
    limits = (OURS_BATCH, NOTHING)
    sizes = {
        name: [(row.size, rate) for row in found.throughput for rate in row.rates if _is(row, name)]
        for name in limits
    }
    if len({x for points in sizes.values() for x, _ in points}) > 1:
        named = {"ours": sizes[OURS_BATCH], "picows alone": sizes[NOTHING]}
        written["limit"] = plot(
            "frames/s beside a receiver that does nothing", named, x_title="bytes a frame", log_y=True
        )
    for name, picture in written.items():
        (folder / f"bench-{name}.svg").write_text(picture)
    return [f"bench-{name}.svg" for name in written]


def _is(row: Row, name: str) -> bool:
    return (row.contender, row.write) == (name, CHUNK)
