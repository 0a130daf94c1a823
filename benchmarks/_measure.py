"""What a figure is, and the machine it was taken on."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: its samples in `unit`, and the bound that the project set itself (0: none)."""

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


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def table(figures: Sequence[Figure]) -> str:
    """The figures as text within 80 columns."""
    lines = [f"{'figure':<36}{'median':>9}{'min':>9}{'max':>9} {'unit':<5}{'bound':>6}"]
    for figure in figures:
        bound = f"{figure.at_most:g}" if figure.at_most else ""
        lines.append(
            f"{figure.name:<36}{figure.median:>9.2f}{min(figure.samples):>9.2f}{max(figure.samples):>9.2f}"
            f" {figure.unit:<5}{bound:>6} {figure.verdict}".rstrip()
        )
    return "\n".join(lines)
