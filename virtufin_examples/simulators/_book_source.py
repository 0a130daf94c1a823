"""The generator's own order book, in whole ticks and whole lots."""

from __future__ import annotations

import random

from virtufin_examples.simulators._instrument import Scale
from virtufin_examples.venues.alpaca import Level, Orderbook, Timestamp

_LEVELS = 20  # each side starts with
_FEWEST = 10
_MOST = 40
_MOST_CHANGES = 3  # in one update
_KINDS = ("move", "resize", "add", "delete")
_KIND_WEIGHTS = (25, 25, 35, 15)
_LOTS_PER_UNIT = 10_000
_MOST_LOTS = 50_000
_TIGHT = 2  # free steps of the grid between bid and ask that are left alone
_FARTHEST = 60  # steps of the grid from the best price that a new level may lie


class BookSource:
    """A book that changes a little with every update and never crosses.

    Invariants: 10 to 40 levels a side, best bid below best ask.
    """

    def __init__(self, symbol: str, rng: random.Random, base_ticks: int, scale: Scale, now_ns: int) -> None:
        self._symbol = symbol
        self._rng = rng
        self._scale = scale
        self._grid = max(1, base_ticks // 100_000)  # ticks between neighbouring prices
        self._base = base_ticks
        self._bids = {base_ticks - self._grid * (n + 1): self._lots() for n in range(_LEVELS)}
        self._asks = {base_ticks + self._grid * (n + 1): self._lots() for n in range(_LEVELS)}
        self._updated = Timestamp(now_ns)

    def snapshot(self) -> Orderbook:
        """The whole book, with the time of its last update."""
        return Orderbook(
            self._symbol,
            self._updated,
            self._levels(sorted(self._bids.items(), reverse=True)),
            self._levels(sorted(self._asks.items())),
            r=True,
        )

    def update(self, now_ns: int) -> Orderbook:
        """Change one to three things and return the levels that are different now."""
        bids, asks = dict(self._bids), dict(self._asks)
        while (bids, asks) == (self._bids, self._asks):
            for _ in range(self._rng.randint(1, _MOST_CHANGES)):
                self._change()
        self._updated = Timestamp(now_ns)
        return Orderbook(
            self._symbol,
            self._updated,
            self._levels(_difference(bids, self._bids)),
            self._levels(_difference(asks, self._asks)),
        )

    def _change(self) -> None:
        kind = self._rng.choices(_KINDS, _KIND_WEIGHTS)[0]
        if kind == "move":
            self._move(up=self._rng.random() < self._upward())
            return
        on_bids = self._rng.choice((True, False))
        side = self._bids if on_bids else self._asks
        if kind == "add" and len(side) < _MOST:
            self._add(on_bids=on_bids)
        elif kind == "delete" and len(side) > _FEWEST:
            del side[self._rng.choice(list(side))]
        else:
            side[self._rng.choice(list(side))] = self._lots()

    def _add(self, *, on_bids: bool) -> None:
        """A new level (or a new size) up to 60 steps away, inside the spread while that is wide."""
        bid, ask = max(self._bids), min(self._asks)
        room = (ask - bid) // self._grid - 1
        inside = room > _TIGHT
        steps = -self._rng.randint(1, room) if inside else self._rng.randrange(_FARTHEST)
        if on_bids:
            self._bids[max(1, bid - self._grid * steps)] = self._lots()
        else:
            self._asks[ask + self._grid * steps] = self._lots()

    def _upward(self) -> float:
        """Chance of a move up: above one half below the base price, so that the book comes back."""
        middle = (max(self._bids) + min(self._asks)) / 2
        return min(0.9, max(0.1, 0.5 + (self._base - middle) / self._base * 200))

    def _move(self, *, up: bool) -> None:
        """The best level of a side is taken, the other side follows one step."""
        taken, following = (self._asks, self._bids) if up else (self._bids, self._asks)
        best = min(taken) if up else max(taken)
        del taken[best]
        step = self._grid if up else -self._grid
        if len(taken) < _FEWEST:
            far = max(taken) if up else min(taken)
            taken[max(1, far + step)] = self._lots()
        follower = (max(following) if up else min(following)) + step
        if (follower < min(taken)) if up else (follower > max(taken)):
            following[follower] = self._lots()
        if len(following) > _MOST:
            del following[min(following) if up else max(following)]

    def _lots(self) -> int:
        return self._rng.randint(1, _MOST_LOTS)

    def _levels(self, pairs: list[tuple[int, int]]) -> tuple[Level, ...]:
        return tuple(Level(self._scale.price(ticks), lots / _LOTS_PER_UNIT) for ticks, lots in pairs)


def _difference(before: dict[int, int], after: dict[int, int]) -> list[tuple[int, int]]:
    """Levels whose size differs; 0 for those that are gone."""
    prices = sorted(before.keys() | after.keys())
    return [(price, after.get(price, 0)) for price in prices if before.get(price) != after.get(price)]
