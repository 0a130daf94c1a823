"""One side of a book: price levels in whole ticks and whole lots."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from virtufin_examples.books._scale import TooFineError, units

Level = tuple[str, str]  # price and size as on the wire


class Side:
    """Sizes by price, and the prices in order: a change of size costs one dict entry.

    `price_decimals` and `size_decimals` grow with the finest number seen; growing multiplies what is there.
    """

    __slots__ = ("_prices", "_sizes", "price_decimals", "size_decimals")

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._prices: list[int] = []
        self.price_decimals = 0
        self.size_decimals = 0

    def __len__(self) -> int:
        return len(self._prices)

    @property
    def prices(self) -> Sequence[int]:
        """All prices in ticks, lowest first; not to be changed."""
        return self._prices

    def size(self, price: int) -> int:
        """The size in lots at a price, 0 for no level."""
        return self._sizes.get(price, 0)

    def load(self, levels: Iterable[tuple[int, int]]) -> None:
        """Replace everything with levels in units."""
        self._sizes = {price: size for price, size in levels if size}
        self._prices = sorted(self._sizes)

    def change(self, levels: Iterable[tuple[int, int]]) -> None:
        """Set sizes in units; 0 removes the level, also one that is not there."""
        sizes, prices = self._sizes, self._prices
        for price, size in levels:
            if size:
                if price not in sizes:
                    insort(prices, price)
                sizes[price] = size
            elif price in sizes:
                del sizes[price]
                del prices[bisect_left(prices, price)]

    def parse(self, levels: Iterable[Level]) -> list[tuple[int, int]]:
        """Return levels in units, after making the scale fine enough for all of them."""
        levels = list(levels)
        while True:
            price_decimals, size_decimals = self.price_decimals, self.size_decimals
            try:
                prices = [units(price, price_decimals) for price, _ in levels]
            except TooFineError as error:
                self.rescale(error.decimals, size_decimals)
                continue
            try:
                return list(zip(prices, [units(size, size_decimals) for _, size in levels], strict=True))
            except TooFineError as error:
                self.rescale(price_decimals, error.decimals)

    def rescale(self, price_decimals: int, size_decimals: int) -> None:
        """Make the scale finer; what is there keeps its value."""
        price_factor = 10 ** (price_decimals - self.price_decimals)
        size_factor = 10 ** (size_decimals - self.size_decimals)
        self._sizes = {price * price_factor: size * size_factor for price, size in self._sizes.items()}
        self._prices = [price * price_factor for price in self._prices]
        self.price_decimals, self.size_decimals = price_decimals, size_decimals
