"""What a figure is, and the machine it was taken on."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: a sample a round, in `unit`, and the bound that was set for it (0: none)."""

    name: str
    unit: str
    samples: tuple[float, ...]
    at_most: float = 0.0

    @property
    def median(self) -> float:
        """The middle sample."""
        return statistics.median(self.samples)

    @property
    def verdict(self) -> str:
        """Whether the median is within the bound."""
        if not self.at_most:
            return ""
        return "ok" if self.median <= self.at_most else "MISSED"

    def as_json(self) -> dict[str, object]:
        """The figure with its spread."""
        return {
            **asdict(self),
            "median": self.median,
            "min": min(self.samples),
            "max": max(self.samples),
            "verdict": self.verdict,
        }


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` (0 to 1) of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


class Machine:
    """What the figures were taken on, and how busy other programs kept it meanwhile."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._others = _others_seconds()

    def as_json(self) -> dict[str, object]:
        """The machine; `other_load` is the processor time of other programs since the start, in cores."""
        others = _others_seconds() - self._others
        return {
            "system": platform.system(),
            "machine": platform.machine(),
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
            "other_load": round(max(0.0, others) / (time.monotonic() - self._started), 2),
        }


def _others_seconds() -> float:
    """Processor time of all programs but this one and its children that have ended (proc_stat(5))."""
    user, nice, system, _idle, _wait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return busy - sum(os.times()[:4])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor()


def table(figures: Sequence[Figure]) -> str:
    """The figures as text within 80 columns."""
    lines = [f"{'':<35}{'median':>9}{'min':>9}{'max':>9} {'unit':<4}{'bound':>6}"]
    for figure in figures:
        bound = f"{figure.at_most:g}" if figure.at_most else ""
        lines.append(
            f"{figure.name:<35}{figure.median:>9.2f}{min(figure.samples):>9.2f}{max(figure.samples):>9.2f}"
            f" {figure.unit:<4}{bound:>6} {figure.verdict}".rstrip()
        )
    return "\n".join(lines)
