"""What healing costs, in lines, each cost beside its bound."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.healing._cost import costs
from benchmarks.healing._path import Way

_BOUNDS = {"healing": 0.10, "peek on every frame": 0.30}


def whole_way(ways: dict[str, Way]) -> tuple[list[str], bool]:
    """Return what the whole way costs, a line each, and whether a bound is missed."""
    lines = ["the whole way, from a sender's socket to a subscriber in another process:"]
    for name, way in ways.items():
        lines.append(samples_line(name, way.rates, "frames/s"))
        lines.append(
            samples_line("", way.processor_ns, "ns of the WebSocketManager's processor time a frame")
        )
    at_subscriber = costs({name: way.rates for name, way in ways.items()})
    of_processor = costs({name: [1 / each for each in way.processor_ns] for name, way in ways.items()})
    missed = False
    for name, cost in at_subscriber.items():
        verdict = "ok" if cost <= _BOUNDS[name] else "MISSED"
        missed = missed or verdict != "ok"
        lines.append(
            f"  {name:<22}costs {cost:.1%} of the frames/s, bound {_BOUNDS[name]:.0%} {verdict}; "
            f"{of_processor[name]:.1%} of what a whole processor gives the WebSocketManager"
        )
    return lines, missed


def samples_line(name: str, samples: Sequence[float], unit: str) -> str:
    """Return a line with the median of samples, the lowest and the highest."""
    return f"  {name:<22}{median(samples):>12,.0f} {unit} ({min(samples):,.0f} to {max(samples):,.0f})"
