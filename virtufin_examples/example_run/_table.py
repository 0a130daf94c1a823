"""A table in place: a row a symbol, at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from virtufin_examples.client import FeedSettings
from virtufin_examples.example_run._lines import number
from virtufin_examples.example_run._market import SymbolRow
from virtufin_examples.example_run._reading import is_two_sided

_PRICE_WIDTH = 9  # so that the table does not change its shape with every price
_PAGE_NS = 4_000_000_000
"""How long a page of a table that is longer than the terminal is shown."""


def market_table(
    rows: Sequence[SymbolRow],
    *,
    title: str,
    settings: FeedSettings,
    now_ns: int,
    height: int | None,
    notes: Sequence[str],
) -> RenderableType:
    """Return the table: best bid and ask for books and quotes, the last price for the rest.

    More rows than `height` (None: no limit) leaves room for are shown page by page, each for four seconds.
    The last line is empty: a terminal echoes Ctrl-C after it, which would wrap a full line and leave a second
    table behind.
    """
    two_sided = is_two_sided(settings)
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    prices = ("bid", "ask", "spread") if two_sided else ("last", "size")
    table.add_column("symbol", no_wrap=True, max_width=20)
    for name in prices:
        table.add_column(name, justify="right", no_wrap=True, min_width=_PRICE_WIDTH)
    for name in ("frames", "rate/s", "age", "sequence", "gaps"):
        table.add_column(name, justify="right", no_wrap=True, min_width=6)
    first, shown = page_of(rows, height, now_ns)
    for row in shown:
        cells = _two_sided(row) if two_sided else (row.price(row.last), number(row.size))
        age = "-" if not row.received_ns else _age((now_ns - row.received_ns) / 1e9)
        table.add_row(
            row.symbol, *cells, str(row.frames), f"{row.rate:.1f}", age, str(row.sequence), str(row.gaps)
        )
    lines = [Text(note, overflow="ellipsis", no_wrap=True) for note in notes]
    if len(shown) < len(rows):
        lines.insert(0, Text(f"{first + 1} to {first + len(shown)} of {len(rows)} symbols, page by page"))
    return Group(table, *lines, Text())


def page_of(rows: Sequence[SymbolRow], height: int | None, now_ns: int) -> tuple[int, Sequence[SymbolRow]]:
    """Return which rows are shown at a time, and the number of the first; pages are of equal length."""
    if height is None or len(rows) <= height:
        return 0, rows
    pages = -(-len(rows) // height)
    each = -(-len(rows) // pages)
    first = now_ns // _PAGE_NS % pages * each
    return first, rows[first : first + each]


def _two_sided(row: SymbolRow) -> tuple[str, str, str]:
    spread = row.ask - row.bid if row.bid is not None and row.ask is not None else None
    return row.price(row.bid), row.price(row.ask), row.price(spread)


def _age(seconds: float) -> str:
    return f"{max(seconds, 0):.1f}s" if seconds < 100 else f"{seconds:.0f}s"
