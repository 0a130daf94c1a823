"""What an account may do. Plans change, so the numbers are data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
