"""What a run says of itself before it starts."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

_WIDTH = 80
_LABEL = 12


@dataclass(frozen=True, slots=True)
class Header:
    """What is known before the first step. `engine` is empty where only the platform knows it.

    `simulated` None: where the data come from is known once the connection is there.
    """

    title: str
    simulated: bool | None
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
    lines = [f"{header.title}  SIMULATED data" if header.simulated else header.title]
    rows = {
        "run": header.run_id,
        "gateway": header.gateway,
        "upstream": header.upstream,
        "package": header.package,
        "engine": header.engine,
        "symbols": f"{', '.join(header.symbols)} ({header.channel})",
        "topic": header.topic,
    }
    return lines + _rows(rows)


def learned_lines(header: Header, *, simulated: bool, engine: str) -> list[str]:
    """Return what the header could not say yet, as text that goes on with it."""
    rows = {}
    if not header.engine:
        rows["engine"] = engine
    if header.simulated is None:
        rows["data"] = "SIMULATED" if simulated else "live"
    return _rows(rows)


def _rows(rows: dict[str, str]) -> list[str]:
    lines: list[str] = []
    for label, value in rows.items():
        wrapped = textwrap.wrap(value, _WIDTH - _LABEL, break_on_hyphens=False)
        if wrapped:
            lines.append(f"  {label:<{_LABEL - 2}}{wrapped[0]}")
            lines.extend(" " * _LABEL + line for line in wrapped[1:])
    return lines
