"""What a run says of itself before it starts."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

_WIDTH = 80
_LABEL = 12


@dataclass(frozen=True, slots=True)
class Header:
    """What is known before the first step."""

    title: str
    simulated: bool
    run_id: str
    gateway: str
    upstream: str
    package: str
    engine: str
    symbols: tuple[str, ...]
    channel: str
    topic: str


def header_lines(header: Header) -> list[str]:
    """Return it as text, within 80 columns."""
    rows = {
        "run": header.run_id,
        "gateway": header.gateway,
        "upstream": header.upstream,
        "package": header.package,
        "engine": header.engine,
        "symbols": f"{', '.join(header.symbols)} ({header.channel})",
        "topic": header.topic,
    }
    lines = [f"{header.title}  SIMULATED data" if header.simulated else header.title]
    for label, value in rows.items():
        wrapped = textwrap.wrap(value, _WIDTH - _LABEL, break_on_hyphens=False)
        lines.append(f"  {label:<{_LABEL - 2}}{wrapped[0]}")
        lines.extend(" " * _LABEL + line for line in wrapped[1:])
    return lines
