"""What an account may do. Plans change, so the numbers are data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from virtufin_examples.venues.alpaca._endpoints import Kind


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of an account; None is unlimited.

    Defaults are those of Algo Trader Plus. `refused` names endpoints whose authentication ends in an
    error code: 409 (not in the plan), 408, 411, 500.
    """

    connections_per_endpoint: int | None = 1
    stock_symbols: int | None = None
    """Entries of trades and quotes together; bars are free."""
    orderbook_symbols: int | None = None
    option_quotes: int | None = 1000
    auth_seconds: float = 10.0
    refused: Mapping[str, int] = field(default_factory=dict)


BASIC = Limits(
    stock_symbols=30,
    orderbook_symbols=10,
    option_quotes=200,
    refused={"v2/sip": 409, "v1beta1/opra": 409},
)
"""The free plan: IEX only."""

ALGO_TRADER_PLUS = Limits()

PLANS: Mapping[str, Limits] = {"basic": BASIC, "algo_trader_plus": ALGO_TRADER_PLUS}

COUNTED: Mapping[Kind, frozenset[str]] = {
    Kind.STOCKS: frozenset({"trades", "quotes"}),
    Kind.CRYPTO: frozenset({"orderbooks"}),
    Kind.OPTIONS: frozenset({"quotes"}),
}
"""The channels whose entries a plan counts, together."""


def allowed_symbols(plan: str, kind: Kind) -> int | None:
    """Return how many entries of the counted channels a plan allows; None is unlimited or not known."""
    limits = PLANS[plan]
    allowed = {
        Kind.STOCKS: limits.stock_symbols,
        Kind.CRYPTO: limits.orderbook_symbols,
        Kind.OPTIONS: limits.option_quotes,
    }
    return allowed.get(kind)
