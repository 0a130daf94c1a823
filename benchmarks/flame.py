"""Draws folded stacks as a flame graph: `python -m benchmarks.flame "title" < stacks.txt > graph.svg`.

Folded stacks are what samplers write: one stack a line, outermost function first, `;` between functions, then
how often it was seen. Only what the event loop calls is drawn: samplers take threads that wait for busy ones.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape

_WIDTH, _ROW, _MARGIN = 1000, 17, 8
_LEAST_WIDTH = 1.0
_CHAR_WIDTH = 6.7
_CALLBACK = "Handle._run "
_LINE_NUMBER = re.compile(r":\d+\)$")
_COLORS = {"virtufin_examples": "#7fb069", "grpc": "#6a9fd4", "picows": "#e6aa68"}
_OTHER = "#c9c4bb"


@dataclass
class Node:
    """A function in one place of the stack: how often it was seen there, and what it called."""

    name: str
    seen: int = 0
    called: dict[str, Node] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """Rows that it and what it called take."""
        return 1 + max((each.depth for each in self.called.values()), default=0)


def tree(lines: Iterable[str]) -> Node:
    """Add folded stacks up."""
    root = Node("all")
    for line in lines:
        stack, _, count = line.rpartition(" ")
        if not stack:
            continue
        names = [_LINE_NUMBER.sub(")", name) for name in stack.split(";")]
        called = [index for index, name in enumerate(names, 1) if name.startswith(_CALLBACK)]
        if not called:
            continue
        node = root
        node.seen += int(count)
        for name in names[called[-1] :]:
            node = node.called.setdefault(name, Node(name))
            node.seen += int(count)
    return root


def svg(root: Node, title: str) -> str:
    """Return the picture: callers above, width by samples, each with its share as a tooltip."""
    height = (root.depth + 1) * _ROW + 2 * _MARGIN
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'font-family="monospace" font-size="11"><rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
            f'<text x="{_MARGIN}" y="{_MARGIN + 10}" font-weight="bold">{escape(title)}</text>'
        ),
        *_boxes(root, float(_MARGIN), _MARGIN + _ROW, (_WIDTH - 2 * _MARGIN) / max(1, root.seen), root.seen),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _boxes(node: Node, x: float, y: int, scale: float, total: int) -> Iterator[str]:
    width = node.seen * scale
    if width < _LEAST_WIDTH:
        return
    shown = node.name[: max(0, int((width - 4) / _CHAR_WIDTH))]
    yield (
        f"<g><title>{escape(node.name)}: {node.seen / total:.1%}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_ROW - 1}" fill="{_color(node.name)}"/>'
        + (f'<text x="{x + 2:.1f}" y="{y + 12}">{escape(shown)}</text>' if len(shown) > 2 else "")
        + "</g>"
    )
    for called in sorted(node.called.values(), key=lambda each: -each.seen):
        yield from _boxes(called, x, y + _ROW, scale, total)
        x += called.seen * scale


def _color(name: str) -> str:
    return next((color for part, color in _COLORS.items() if part in name), _OTHER)


if __name__ == "__main__":
    print(svg(tree(sys.stdin), " ".join(sys.argv[1:])), end="")
