"""The levels of a generated book, in whole ticks and whole lots."""

from __future__ import annotations

import random

LOTS_PER_UNIT = 10_000

_LEVELS = 20  # each side starts with
_FEWEST = 10
_MOST = 40
_MOST_CHANGES = 3  # in one update
_KINDS = ("move", "resize", "add", "delete")
_KIND_WEIGHTS = (25, 25, 35, 15)
_MOST_LOTS = 50_000
_TIGHT = 2  # free steps of the grid between bid and ask that are left alone
_FARTHEST = 60  # steps of the grid from the best price that a new level may lie

Levels = list[tuple[int, int]]  # price in ticks, size in lots


class Ladder:
    """Changes a little with every update and never crosses.

    Invariants: 10 to 40 levels a side, best bid below best ask.
    """

    def __init__(self, rng: random.Random, base_ticks: int) -> None:
        self._rng = rng
        self._grid = max(1, base_ticks // 100_000)  # ticks between neighbouring prices
        self._base = base_ticks
        self.bids = {base_ticks - self._grid * (n + 1): self._lots() for n in range(_LEVELS)}
        self.asks = {base_ticks + self._grid * (n + 1): self._lots() for n in range(_LEVELS)}

    def best_first(self) -> tuple[Levels, Levels]:
        """All bids and asks."""
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())

    def update(self) -> tuple[Levels, Levels]:
        """Change one to three things; returns the bids and asks that are different now, 0 for gone."""
        bids, asks = dict(self.bids), dict(self.asks)
        while (bids, asks) == (self.bids, self.asks):
            for _ in range(self._rng.randint(1, _MOST_CHANGES)):
                self._change()
        return _difference(bids, self.bids), _difference(asks, self.asks)

    def _change(self) -> None:
        kind = self._rng.choices(_KINDS, _KIND_WEIGHTS)[0]
        if kind == "move":
            self._move(up=self._rng.random() < self._upward())
            return
        on_bids = self._rng.choice((True, False))
        side = self.bids if on_bids else self.asks
        if kind == "add" and len(side) < _MOST:
            self._add(on_bids=on_bids)
        elif kind == "delete" and len(side) > _FEWEST:
            del side[self._rng.choice(list(side))]
        else:
            side[self._rng.choice(list(side))] = self._lots()

    def _add(self, *, on_bids: bool) -> None:
        """A new level (or a new size) up to 60 steps away, inside the spread while that is wide."""
        bid, ask = max(self.bids), min(self.asks)
        room = (ask - bid) // self._grid - 1
        inside = room > _TIGHT
        steps = -self._rng.randint(1, room) if inside else self._rng.randrange(_FARTHEST)
        if on_bids:
            self.bids[max(1, bid - self._grid * steps)] = self._lots()
        else:
            self.asks[ask + self._grid * steps] = self._lots()

    def _upward(self) -> float:
        """Chance of a move up: above one half below the base price, so that the book comes back."""
        middle = (max(self.bids) + min(self.asks)) / 2
        return min(0.9, max(0.1, 0.5 + (self._base - middle) / self._base * 200))

    def _move(self, *, up: bool) -> None:
        """The best level of a side is taken, the other side follows one step."""
        taken, following = (self.asks, self.bids) if up else (self.bids, self.asks)
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


def _difference(before: dict[int, int], after: dict[int, int]) -> list[tuple[int, int]]:
    """Levels whose size differs; 0 for those that are gone."""
    prices = sorted(before.keys() | after.keys())
    return [(price, after.get(price, 0)) for price in prices if before.get(price) != after.get(price)]
