"""A table in place: a row a symbol, at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from virtufin_examples.example_run._lines import number
from virtufin_examples.example_run._market import SymbolRow

_PRICE_WIDTH = 9  # so that the table does not change its shape with every price
_TWO_SIDED = frozenset({"orderbooks", "quotes"})


def market_table(
    rows: Sequence[SymbolRow], *, title: str, channel: str, now_ns: int, height: int, notes: Sequence[str]
) -> RenderableType:
    """Return the table: best bid and ask for books and quotes, the last price for the rest.

    Of more rows than `height` leaves room for, the first are shown. The last line is empty: a terminal
    echoes Ctrl-C after it, which would wrap a full line and leave a second table behind.
    """
    two_sided = channel in _TWO_SIDED
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    prices = ("bid", "ask", "spread") if two_sided else ("last", "size")
    table.add_column("symbol", no_wrap=True, max_width=20)
    for name in prices:
        table.add_column(name, justify="right", no_wrap=True, min_width=_PRICE_WIDTH)
    for name in ("frames", "rate/s", "age", "sequence", "gaps"):
        table.add_column(name, justify="right", no_wrap=True, min_width=6)
    shown = rows[:height]
    for row in shown:
        cells = _two_sided(row) if two_sided else (row.price(row.last), number(row.size))
        age = "-" if not row.received_ns else _age((now_ns - row.received_ns) / 1e9)
        table.add_row(
            row.symbol, *cells, str(row.frames), f"{row.rate:.1f}", age, str(row.sequence), str(row.gaps)
        )
    lines = [Text(note, overflow="ellipsis", no_wrap=True) for note in notes]
    hidden = len(rows) - len(shown)
    if hidden:
        lines.insert(0, Text(f"and {hidden} more symbols"))
    return Group(table, *lines, Text())


def _two_sided(row: SymbolRow) -> tuple[str, str, str]:
    spread = row.ask - row.bid if row.bid is not None and row.ask is not None else None
    return row.price(row.bid), row.price(row.ask), row.price(spread)


def _age(seconds: float) -> str:
    return f"{max(seconds, 0):.1f}s" if seconds < 100 else f"{seconds:.0f}s"
