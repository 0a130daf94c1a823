"""A price-level book built from `orderbooks` messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca._messages import Orderbook


@dataclass(frozen=True, slots=True)
class BookLevel:
    """A price and the whole size that rests there."""

    price: Decimal
    size: Decimal


def _exact(value: object) -> Decimal:
    """A decoded number as the decimal that was on the wire: a float's shortest form is what was sent."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInputError(f"orderbook: {value!r} is no number")
    return Decimal(repr(value))


class OrderBook:
    """The book of one symbol. Prices are keys by their exact decimal value.

    Before the first full book (`r` true) the levels are those that changed since the subscription.
    Two books are equal when symbol and all levels are.
    """

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.complete = False
        """Whether a full book has been seen."""
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}

    def apply(self, message: Mapping[str, object] | Orderbook) -> None:
        """Apply an `o` message; `InvalidInputError` for another type, symbol or shape, with no change."""
        if isinstance(message, Orderbook):
            about: tuple[object, object] = ("o", message.S)
            full = message.r
            bids = [(_exact(level.p), _exact(level.s)) for level in message.b]
            asks = [(_exact(level.p), _exact(level.s)) for level in message.a]
        else:
            about = (message.get("T"), message.get("S"))
            full = message.get("r") is True
            bids = _levels(message, "b")
            asks = _levels(message, "a")
        if about != ("o", self.symbol):
            raise InvalidInputError(
                f'orderbook: a message "{about[0]}" of {about[1]} in the book of {self.symbol}'
            )
        if full:
            self.complete = True
            self._bids.clear()
            self._asks.clear()
        _change(self._bids, bids)
        _change(self._asks, asks)

    @property
    def best_bid(self) -> BookLevel | None:
        """The highest bid, None when there are no bids."""
        return BookLevel(price, self._bids[price]) if (price := max(self._bids, default=None)) else None

    @property
    def best_ask(self) -> BookLevel | None:
        """The lowest ask, None when there are no asks."""
        return BookLevel(price, self._asks[price]) if (price := min(self._asks, default=None)) else None

    @property
    def bids(self) -> tuple[BookLevel, ...]:
        """All bids, best first."""
        return tuple(BookLevel(price, self._bids[price]) for price in sorted(self._bids, reverse=True))

    @property
    def asks(self) -> tuple[BookLevel, ...]:
        """All asks, best first."""
        return tuple(BookLevel(price, self._asks[price]) for price in sorted(self._asks))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OrderBook):
            return NotImplemented
        return (self.symbol, self._bids, self._asks) == (other.symbol, other._bids, other._asks)

    def __repr__(self) -> str:
        return f"OrderBook({self.symbol!r}, {len(self._bids)} bids, {len(self._asks)} asks)"


def _change(side: dict[Decimal, Decimal], levels: Iterable[tuple[Decimal, Decimal]]) -> None:
    for price, size in levels:
        if size:
            side[price] = size
        else:
            side.pop(price, None)


def _levels(message: Mapping[str, object], side: str) -> list[tuple[Decimal, Decimal]]:
    levels = message.get(side) or []
    if not isinstance(levels, list):
        raise InvalidInputError(f'orderbook: field "{side}" is no list of levels')
    pairs: list[tuple[Decimal, Decimal]] = []
    for level in levels:
        if not isinstance(level, Mapping):
            raise InvalidInputError(f'orderbook: field "{side}" holds {level!r}, no level')
        pairs.append((_exact(level.get("p")), _exact(level.get("s"))))
    return pairs
