"""Plots as SVG: axes, grid, lines and points, in the documentation's colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

BLUE, RED, GREY = "#1f6feb", "#cf222e", "#8c959f"
COLOURS = (BLUE, RED, "#1a7f37", "#9a6700")
WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 72, 24, 28, 44

Point = tuple[float, float]


def text(at: Point, words: str, colour: str = "currentColor", anchor: str = "start") -> str:
    """Return words at a place."""
    return f'<text x="{at[0]:.0f}" y="{at[1]:.0f}" fill="{colour}" text-anchor="{anchor}">{words}</text>'


def polyline(points: Sequence[Point], colour: str) -> str:
    """Return a line through places."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def document(title: str, parts: Sequence[str]) -> str:
    """Return the picture."""
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                'font-family="sans-serif" font-size="12">'
            ),
            f"<title>{title}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def plot(
    title: str, lines: Mapping[str, Sequence[Point]], *, x_title: str, log_y: bool = False, log_x: bool = True
) -> str:
    """Return a plot; several points of one x are a spread, through whose middle the line goes."""
    every = [point for points in lines.values() for point in points]
    ticks = sorted({x for x, _ in every})
    top = max(y for _, y in every)
    bottom = 0.0
    if log_y:  # whole powers of ten
        bottom = 10.0 ** math.floor(math.log10(min(y for _, y in every)))
        top = 10.0 ** math.ceil(math.log10(top))

    def scale(value: float, low: float, high: float, *, log: bool) -> float:
        if log:
            value, low, high = math.log10(value), math.log10(low), math.log10(high)
        return (value - low) / (high - low) if high > low else 0.5

    def place(point: Point) -> Point:
        share_x = scale(point[0], ticks[0], ticks[-1], log=log_x)
        share_y = scale(point[1], bottom, top, log=log_y)
        return LEFT + share_x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - share_y * (HEIGHT - TOP - BOTTOM)

    parts = [text((LEFT, TOP - 12), title)]
    for value in _levels(bottom, top, log=log_y):
        y = place((ticks[0], value))[1]
        parts.append(text((LEFT - 8, y + 4), f"{value:,.10g}", GREY, "end"))
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{GREY}" stroke-opacity="0.25"/>'
        )
    parts += [text((place((x, top))[0], HEIGHT - BOTTOM + 16), f"{x:g}", GREY, "middle") for x in ticks]
    parts.append(text(((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8), x_title, GREY, "middle"))
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(polyline([place(point) for point in _middles(points)], colour))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in map(place, points)]
        if len(lines) > 1:
            parts.append(text((LEFT + 12 + 90 * number, TOP + 14), name, colour))
    return document(title, parts)


def _middles(points: Sequence[Point]) -> list[Point]:
    middles = []
    for x in sorted({x for x, _ in points}):
        ys = sorted(y for each, y in points if each == x)
        middles.append((x, (ys[(len(ys) - 1) // 2] + ys[len(ys) // 2]) / 2))
    return middles


def _levels(bottom: float, top: float, *, log: bool) -> list[float]:
    """Return round numbers between the two, at most about six."""
    if log:
        powers = range(math.ceil(math.log10(bottom)), math.floor(math.log10(top)) + 1)
        return [10.0**power for power in powers]
    step = 10 ** math.floor(math.log10(top))
    while top / step < 3:
        step /= 2
    while top / step > 6:
        step *= 2
    return [number * step for number in range(int(top / step) + 1)]
