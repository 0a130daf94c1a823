"""One simulated instrument: a price that wanders and comes back, in whole ticks."""

from __future__ import annotations

import hashlib
import math
import random
import re
from dataclasses import dataclass

_KNOWN_PRICES: dict[str, float] = {
    "AAPL": 230.0,
    "AMZN": 225.0,
    "BTC/USD": 97_000.0,
    "DOGE/USD": 0.31,
    "ETH/USD": 3_300.0,
    "FAKEPACA": 130.0,
    "GOOG": 190.0,
    "LTC/USD": 110.0,
    "META": 600.0,
    "MSFT": 430.0,
    "NVDA": 140.0,
    "QQQ": 520.0,
    "SOL/USD": 190.0,
    "SPY": 600.0,
    "TSLA": 400.0,
}
_STABLE = frozenset({"USD", "USDC", "USDT"})
_OPTION = re.compile(r"(?P<root>[A-Z][A-Z0-9]{0,5})\d{6}(?P<side>[CP])(?P<strike>\d{8})")
_CENTS = 2
_MOST_DECIMALS = 8
_SIGNIFICANT = 5  # digits that a crypto price shows
_PULL = 0.02  # part of the distance to the base price that a step is expected to take back


def base_price(symbol: str) -> float:
    """Return the price around which a symbol trades; one that nobody knows has a price of its own."""
    known = _KNOWN_PRICES.get(symbol)
    if known is not None:
        return known
    option = _OPTION.fullmatch(symbol)
    if option is not None:
        strike = int(option["strike"]) / 1000
        sign = 1 if option["side"] == "C" else -1
        return max(0.0, sign * (base_price(option["root"]) - strike)) + 2.5
    if "/" in symbol and set(symbol.split("/")) <= _STABLE:
        return 1.0
    digest = hashlib.sha256(symbol.encode()).digest()
    return 5.0 + int.from_bytes(digest[:4], "big") % 49_500 / 100


def decimals_of(symbol: str, price: float) -> int:
    """Cents for stocks and options, five significant digits for crypto."""
    if "/" not in symbol:
        return _CENTS
    return min(_MOST_DECIMALS, max(_CENTS, _SIGNIFICANT - math.floor(math.log10(price)) - 1))


@dataclass(frozen=True, slots=True)
class Scale:
    """Converts whole ticks to prices: `ticks / 10**decimals`, exact in a float's shortest form."""

    decimals: int

    def price(self, ticks: int) -> float:
        """The price of a number of ticks."""
        return float(ticks / 10**self.decimals)


class Instrument:
    """A symbol's price and day. All randomness is its own, drawn from the seed and the symbol."""

    def __init__(self, symbol: str, rng: random.Random) -> None:
        price = base_price(symbol)
        self.symbol = symbol
        self.rng = rng
        self.scale = Scale(decimals_of(symbol, price))
        self.base_ticks: int = max(100, round(price * float(10**self.scale.decimals)))
        self.ticks = self.base_ticks
        self.open_ticks = self.high_ticks = self.low_ticks = self.base_ticks
        self.day_volume = 0
        self.day_trades = 0
        self.last_id = rng.randrange(1_000, 1_000_000)

    def step(self) -> int:
        """Move the price by a few ticks, with a pull back to the base price; returns it in ticks."""
        reach = max(1, self.base_ticks // 20_000)
        drift = (self.base_ticks - self.ticks) * _PULL
        self.ticks = max(2, self.ticks + round(self.rng.uniform(-reach, reach) + drift))
        self.high_ticks = max(self.high_ticks, self.ticks)
        self.low_ticks = min(self.low_ticks, self.ticks)
        return self.ticks

    def next_id(self) -> int:
        """The next trade's id."""
        self.last_id += self.rng.randrange(1, 4)
        return self.last_id

    def spread(self) -> int:
        """Half a spread in ticks, at least one."""
        return max(1, self.rng.randrange(1, 2 + self.base_ticks // 20_000))
