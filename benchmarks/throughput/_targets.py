"""What the data path is to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.throughput._contenders import CRYPTOFEED, NOTHING, OURS_BATCH, OURS_FRAME, PER_FRAME, PIPELINE
from benchmarks.throughput._rounds import CHUNK, DataFigures, Row


@dataclass(frozen=True, slots=True)
class Target:
    """A figure beside its target; `measured` None: a part could not be had."""

    name: str
    unit: str
    target: float
    measured: float | None
    at_least: bool = True

    @property
    def verdict(self) -> str:
        """Whether it is reached."""
        if self.measured is None:
            return "not measured"
        reached = self.measured >= self.target if self.at_least else self.measured <= self.target
        return "ok" if reached else "MISSED"


def ratios(rows: Sequence[Row], first: str, second: str, size: int = 150, write: int = CHUNK) -> list[float]:
    """Return what the first does of the second, round by round; empty when one could not run."""
    one, other = (_rates(rows, name, size, write) for name in (first, second))
    return [ours / theirs for ours, theirs in zip(one, other, strict=False)]


def _rates(rows: Sequence[Row], name: str, size: int = 150, write: int = CHUNK) -> list[float]:
    return next(
        (row.rates for row in rows if (row.contender, row.size, row.write) == (name, size, write)), []
    )


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def targets(found: DataFigures) -> list[Target]:
    """Return them in the table's order."""
    rows = found.throughput
    against = (
        ("times the per-frame design", PER_FRAME, 100.0),
        ("times cryptofeed to Redis", CRYPTOFEED, 10.0),
        ("times the redis-py pipeline", PIPELINE, 5.0),
    )
    return [
        Target("150 B, `batch`, embedded", "frames/s", 500_000, _median(_rates(rows, OURS_BATCH))),
        Target("of picows doing nothing", "", 0.15, _median(ratios(rows, OURS_BATCH, NOTHING))),
        *(Target(name, "", least, _median(ratios(rows, OURS_BATCH, peer))) for name, peer, least in against),
        Target("150 B, `frame`, embedded", "frames/s", 8000, _median(_rates(rows, OURS_FRAME))),
        Target("latency at 1,000/s, p50", "ms", 0.3, _latency(found, 1000, 0), at_least=False),
        Target("latency at 1,000/s, p99", "ms", 1.5, _latency(found, 1000, 1), at_least=False),
        Target("latency at 100,000/s, p99", "ms", 5.0, _latency(found, 100_000, 1), at_least=False),
        Target("memory an idle connection", "kB", 30.0, idle_kb(found), at_least=False),
        Target("5,000 connections, of one's frames/s", "", 0.7, _of_one_connection(found)),
    ]


def idle_kb(found: DataFigures) -> float | None:
    """Return what each idle connection more takes, kB of 1,000 bytes, from the least to the most."""
    counts = sorted(map(int, found.idle_bytes))
    if len(counts) < 2:
        return None
    least, most = counts[0], counts[-1]
    return (found.idle_bytes[str(most)] - found.idle_bytes[str(least)]) / (most - least) / 1000


def _latency(found: DataFigures, rate: int, share: int) -> float | None:
    return next(
        (
            median(each[share] for each in one.from_receipt_us) / 1000
            for one in found.latency
            if one.rate == rate and one.from_receipt_us
        ),
        None,
    )


def _of_one_connection(found: DataFigures) -> float | None:
    points = found.sweeps.get("connections", [])
    one = [point["frames_a_second"] for point in points if point["x"] == 1]
    many = [point["frames_a_second"] for point in points if point["x"] == 5000]
    return median(many) / median(one) if one and many else None
