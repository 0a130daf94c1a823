"""The book behind Alpaca's `orderbooks` channel."""

from __future__ import annotations

import random

from virtufin_examples.simulators._instrument import Scale
from virtufin_examples.simulators._ladder import LOTS_PER_UNIT, Ladder, Levels
from virtufin_examples.venues.alpaca import Level, Orderbook, Timestamp


class BookSource:
    """A ladder as Alpaca's messages, each with its time."""

    def __init__(self, symbol: str, rng: random.Random, base_ticks: int, scale: Scale, now_ns: int) -> None:
        self._symbol = symbol
        self._scale = scale
        self._ladder = Ladder(rng, base_ticks)
        self._updated = Timestamp(now_ns)

    def snapshot(self) -> Orderbook:
        """The whole book, with the time of its last update."""
        bids, asks = self._ladder.best_first()
        return Orderbook(self._symbol, self._updated, self._levels(bids), self._levels(asks), r=True)

    def update(self, now_ns: int) -> Orderbook:
        """Change one to three things and return the levels that are different now."""
        bids, asks = self._ladder.update()
        self._updated = Timestamp(now_ns)
        return Orderbook(self._symbol, self._updated, self._levels(bids), self._levels(asks))

    def _levels(self, pairs: Levels) -> tuple[Level, ...]:
        return tuple(Level(self._scale.price(ticks), lots / LOTS_PER_UNIT) for ticks, lots in pairs)
