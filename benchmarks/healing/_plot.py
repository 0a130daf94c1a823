"""The herd as a picture: attempts and connections over time, beside what the venue allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks._svg import BLUE, BOTTOM, GREY, HEIGHT, LEFT, RED, RIGHT, TOP, WIDTH, document, polyline, text


def herd_svg(report: Mapping[str, object]) -> str:
    """Return the SVG of what `__main__` wrote: `connections`, `allowed`, `seconds`, `up`, `attempts`."""
    up, attempts = _numbers(report, "up"), _numbers(report, "attempts")
    top = float(str(report["connections"]))
    end = max(len(up) - 1, 1)

    def x(second: float) -> float:
        return LEFT + second / end * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    def line(points: Sequence[tuple[float, float]], colour: str) -> str:
        return polyline([(x(at), y(value)) for at, value in points], colour)

    parts: list[str] = []
    parts += [
        text((x(minute * 60), HEIGHT - BOTTOM + 16), str(minute), GREY, "middle")
        for minute in range(0, end // 60 + 1, 2)
    ]
    for value in range(0, int(top) + 1, max(1, int(top) // 5)):
        parts.append(text((LEFT - 8, y(value) + 4), str(value), GREY, "end"))
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
            f'stroke="{GREY}" stroke-opacity="0.25"/>'
        )
    allowed, seconds = float(str(report["allowed"])), float(str(report["seconds"]))
    parts += [
        (
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(allowed):.1f}" y2="{y(allowed):.1f}" '
            f'stroke="{RED}" stroke-dasharray="6 4"/>'
        ),
        line(list(enumerate(up)), BLUE),
        line([(at, _recent(attempts, at, seconds)) for at in range(0, end + 1, 2)], RED),
        text((x(end * 0.3), y(top * 0.9)), "connections that are up", BLUE),
        text((x(end * 0.3), y(allowed) + 18), f"attempts within the last {seconds:.0f} s", RED),
        text((x(end * 0.3), y(allowed) - 6), f"what the venue allows: {allowed:.0f}", RED),
        text((x(end / 2), HEIGHT - 8), "minutes since all sockets dropped", GREY, "middle"),
    ]
    return document("Connections of one venue come back after all have dropped at once", parts)


def _recent(attempts: Sequence[float], at: float, seconds: float) -> int:
    return sum(at - seconds < each <= at for each in attempts)


def _numbers(report: Mapping[str, object], name: str) -> list[float]:
    values = report[name]
    assert isinstance(values, list)
    return [float(value) for value in values]
