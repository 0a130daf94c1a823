"""What is known of each symbol: prices, counts, age. Pure; times are Unix time in nanoseconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.example_run._reading import AlpacaReader, Reader, unreadable
from virtufin_examples.frames import Frame, Gap
from virtufin_examples.venues.alpaca import FrameItem

_MOST_DECIMALS = 8
_SMOOTHING = 0.4  # weight of the newest reading of the rate


@dataclass(slots=True)
class SymbolRow:
    """One symbol. Prices are None until the first that says one; `rate` is in frames a second."""

    symbol: str
    last: float | None = None
    size: float | None = None
    bid: float | None = None
    ask: float | None = None
    frames: int = 0
    rate: float = 0.0
    received_ns: int = 0
    sequence: int = 0
    gaps: int = 0
    counted: int = 0
    decimals: int = 0
    connection_id: str = ""

    def price(self, value: float | None) -> str:
        """Return one of its prices, with as many decimals as its prices have had so far."""
        return "-" if value is None else f"{value:.{self.decimals}f}"

    def note_decimals(self, *prices: float | None) -> None:
        """Remember the decimals of new prices, so that a column keeps its shape."""
        for price in prices:
            if price is not None:
                fraction = format(price, ".10g").partition(".")[2]
                self.decimals = max(self.decimals, min(len(fraction), _MOST_DECIMALS))


class Market:
    """Symbols in the order in which they were asked for, then of their first frame."""

    def __init__(self, symbols: tuple[str, ...], reader: Reader | None = None) -> None:
        self.reader = reader if reader is not None else AlpacaReader()
        self._rows = {symbol: SymbolRow(symbol) for symbol in symbols if symbol != "*"}
        self._gone: set[str] = set()
        self._rated_ns = 0

    @property
    def rows(self) -> tuple[SymbolRow, ...]:
        """All symbols."""
        return tuple(self._rows.values())

    def add(self, frame: Frame) -> list[FrameItem]:
        """Take a frame in and return its messages, books with the best of the whole book.

        A frame that cannot be read is one message that says so.
        """
        try:
            items = self.reader.read(frame.data)
        except InvalidInputError as error:
            return [unreadable(error)]
        for item in items:
            if item.symbol and item.symbol not in self._gone:
                self._price(item)
        for symbol in {item.symbol for item in items if item.symbol} - self._gone:
            row = self._row(symbol)
            row.frames += 1
            row.received_ns = frame.received_ns
            row.sequence = frame.sequence
            row.connection_id = frame.connection_id
        return items

    def change(self, added: Iterable[str], removed: Iterable[str]) -> None:
        """Show symbols from now on, others no more, although a last frame of theirs may come."""
        self._gone.difference_update(added)
        self._gone.update(removed)
        for symbol in added:
            self._row(symbol)
        for symbol in self._gone:
            self._rows.pop(symbol, None)

    def add_gap(self, gap: Gap) -> None:
        """Count a gap for its symbols; one that names none is for all of its connection."""
        if gap.symbols:
            rows = [self._row(symbol) for symbol in gap.symbols]
        else:
            rows = [row for row in self._rows.values() if row.connection_id in ("", gap.connection_id)]
        for row in rows:
            row.gaps += 1
            self.reader.doubt(row.symbol)

    def measure_rates(self, now_ns: int) -> None:
        """Take a reading of every rate; call it about four times a second."""
        seconds = (now_ns - self._rated_ns) / 1e9
        first = self._rated_ns == 0
        self._rated_ns = now_ns
        for row in self._rows.values():
            if not first and seconds > 0:
                reading = (row.frames - row.counted) / seconds
                row.rate += _SMOOTHING * (reading - row.rate)
            row.counted = row.frames

    def _row(self, symbol: str) -> SymbolRow:
        row = self._rows.get(symbol)
        if row is None:
            row = self._rows[symbol] = SymbolRow(symbol)
        return row

    def _price(self, item: FrameItem) -> None:
        row = self._row(item.symbol)
        row.note_decimals(item.price, item.bid, item.ask)
        if item.price is not None:
            row.last, row.size = item.price, item.size
        if item.bid is not None or item.ask is not None:
            row.bid, row.ask = item.bid, item.ask
