"""The herd as a picture: attempts and connections over time, beside what the venue allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT = 760, 300
_LEFT, _TOP, _BOTTOM = 56, 24, 44
_RIGHT = 24
_BLUE, _RED, _GREY = "#1f6feb", "#cf222e", "#8c959f"


def herd_svg(report: Mapping[str, object]) -> str:
    """Return the SVG of what `__main__` wrote: `connections`, `allowed`, `seconds`, `up`, `attempts`."""
    up, attempts = _numbers(report, "up"), _numbers(report, "attempts")
    top = float(str(report["connections"]))
    end = max(len(up) - 1, 1)

    def x(second: float) -> float:
        return _LEFT + second / end * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)

    def line(points: Sequence[tuple[float, float]], colour: str) -> str:
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'

    def text(at: tuple[float, float], words: str, colour: str = "currentColor", anchor: str = "start") -> str:
        return f'<text x="{at[0]:.0f}" y="{at[1]:.0f}" fill="{colour}" text-anchor="{anchor}">{words}</text>'

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            'font-family="sans-serif" font-size="12">'
        ),
        "<title>Connections of one venue come back after all have dropped at once</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
    ]
    parts += [
        text((x(minute * 60), _HEIGHT - _BOTTOM + 16), str(minute), _GREY, "middle")
        for minute in range(0, end // 60 + 1, 2)
    ]
    for value in range(0, int(top) + 1, max(1, int(top) // 5)):
        parts.append(text((_LEFT - 8, y(value) + 4), str(value), _GREY, "end"))
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
            f'stroke="{_GREY}" stroke-opacity="0.25"/>'
        )
    allowed, seconds = float(str(report["allowed"])), float(str(report["seconds"]))
    parts += [
        (
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(allowed):.1f}" y2="{y(allowed):.1f}" '
            f'stroke="{_RED}" stroke-dasharray="6 4"/>'
        ),
        line(list(enumerate(up)), _BLUE),
        line([(at, _recent(attempts, at, seconds)) for at in range(0, end + 1, 2)], _RED),
        text((x(end * 0.3), y(top * 0.9)), "connections that are up", _BLUE),
        text((x(end * 0.3), y(allowed) + 18), f"attempts within the last {seconds:.0f} s", _RED),
        text((x(end * 0.3), y(allowed) - 6), f"what the venue allows: {allowed:.0f}", _RED),
        text((x(end / 2), _HEIGHT - 8), "minutes since all sockets dropped", _GREY, "middle"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _recent(attempts: Sequence[float], at: float, seconds: float) -> int:
    return sum(at - seconds < each <= at for each in attempts)


def _numbers(report: Mapping[str, object], name: str) -> list[float]:
    values = report[name]
    assert isinstance(values, list)
    return [float(value) for value in values]
