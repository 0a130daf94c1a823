"""What is known of each symbol: prices, counts, age. Pure; times are Unix time in nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import Frame, Gap
from virtufin_examples.venues.alpaca import FrameItem, OrderBook, parse_frame

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
    book: OrderBook | None = None

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

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self._rows = {symbol: SymbolRow(symbol) for symbol in symbols if symbol != "*"}
        self._rated_ns = 0
        self._nameless_gaps = 0

    @property
    def rows(self) -> tuple[SymbolRow, ...]:
        """All symbols."""
        return tuple(self._rows.values())

    def add(self, frame: Frame) -> list[FrameItem]:
        """Take a frame in and return its messages, books with the best of the whole book.

        A frame that cannot be read is one message that says so.
        """
        try:
            items = [self._priced(item) for item in parse_frame(frame.data)]
        except InvalidInputError as error:
            return [FrameItem("?", "", {}, text=error.message)]
        for symbol in {item.symbol for item in items if item.symbol}:
            row = self._row(symbol)
            row.frames += 1
            row.received_ns = frame.received_ns
            row.sequence = frame.sequence
        return items

    def add_gap(self, gap: Gap) -> None:
        """Count a gap for its symbols; one that names none is everybody's."""
        if not gap.symbols:
            self._nameless_gaps += 1
        for row in [self._row(symbol) for symbol in gap.symbols] or self._rows.values():
            row.gaps += 1

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
            row = self._rows[symbol] = SymbolRow(symbol, gaps=self._nameless_gaps)
        return row

    def _priced(self, item: FrameItem) -> FrameItem:
        if not item.symbol:
            return item
        row = self._row(item.symbol)
        if item.type == "o":
            row.book = row.book or OrderBook(item.symbol)
            row.book.apply(item.raw)
            bid, ask = row.book.best_bid, row.book.best_ask
            row.bid = float(bid.price) if bid else None
            row.ask = float(ask.price) if ask else None
            row.note_decimals(row.bid, row.ask)
            return FrameItem(item.type, item.symbol, item.raw, bid=row.bid, ask=row.ask)
        row.note_decimals(item.price, item.bid, item.ask)
        if item.price is not None:
            row.last, row.size = item.price, item.size
        if item.bid is not None or item.ask is not None:
            row.bid, row.ask = item.bid, item.ask
        return item
