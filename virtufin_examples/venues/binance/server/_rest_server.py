"""The REST side of the market data: snapshots of books and a little about the symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from virtufin_examples.venues.binance._codec import encode
from virtufin_examples.venues.binance._codes import (
    ILLEGAL_CHARACTERS,
    INVALID_LIMIT,
    INVALID_SYMBOL,
    MISSING_PARAMETER,
    TOO_MANY_REQUESTS,
)
from virtufin_examples.venues.binance._endpoints import Market
from virtufin_examples.venues.binance._limits import Limits
from virtufin_examples.venues.binance.server._gates import Refusal, WeightGate

_INFO_WEIGHTS: Mapping[Market, int] = {Market.SPOT: 20, Market.US: 10, Market.USD_M: 1}
_DEFAULT_LEVELS: Mapping[Market, int] = {Market.SPOT: 100, Market.US: 100, Market.USD_M: 500}
_USD_M_LEVELS = frozenset({5, 10, 20, 50, 100, 500, 1000})
_MOST_LEVELS = 5000

Depth = Callable[[str, int], bytes | None]
"""Symbol in upper case and levels a side to the encoded snapshot; None for no such symbol."""


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """An HTTP answer with a JSON body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class RestServer:
    """Answers `depth` and `exchangeInfo` of one market, within its weights."""

    def __init__(self, market: Market, limits: Limits, gate: WeightGate, depth: Depth) -> None:
        self._market = market
        self._limits = limits
        self._gate = gate
        self._depth = depth

    def depth(self, query: Mapping[str, str], address: str, now: float) -> RestAnswer:
        """Answer a request for a snapshot; `now` is Unix seconds."""
        asked = query.get("limit", str(_DEFAULT_LEVELS[self._market]))
        levels = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0
        capped = min(max(levels, 1), _MOST_LEVELS)
        weight = next((weight for most, weight in self._limits.depth_weights if capped <= most), 0)
        refused = self._gate.enter(address, weight or self._limits.depth_weights[-1][1], now)
        if refused is not None:
            return self._refuse(refused, address, now)
        symbol = query.get("symbol", "")
        if not symbol:
            text = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
            return self._error(MISSING_PARAMETER, text, address, now)
        if not levels:
            text = "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'."
            return self._error(ILLEGAL_CHARACTERS, text, address, now)
        if self._market is Market.USD_M and levels not in _USD_M_LEVELS:
            return self._error(INVALID_LIMIT, "Data sent for parameter 'limit' is not valid.", address, now)
        body = self._depth(symbol, capped)
        if body is None:
            return self._error(INVALID_SYMBOL, "Invalid symbol.", address, now)
        return RestAnswer(200, body, self._used(address, now))

    def exchange_info(self, symbols: tuple[str, ...], address: str, now: float) -> RestAnswer:
        """Answer with symbols and the rate limits, no more."""
        refused = self._gate.enter(address, _INFO_WEIGHTS[self._market], now)
        if refused is not None:
            return self._refuse(refused, address, now)
        limit = {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": self._limits.weight_a_minute,
        }
        body = {
            "timezone": "UTC",
            "serverTime": int(now * 1000),
            "rateLimits": [limit],
            "symbols": [{"symbol": symbol, "status": "TRADING"} for symbol in symbols],
        }
        return RestAnswer(200, encode(body), self._used(address, now))

    def _used(self, address: str, now: float) -> dict[str, str]:
        return {"X-MBX-USED-WEIGHT-1M": str(self._gate.used(address, now))}

    def _error(self, code: int, text: str, address: str, now: float) -> RestAnswer:
        return RestAnswer(400, encode({"code": code, "msg": text}), self._used(address, now))

    def _refuse(self, refused: Refusal, address: str, now: float) -> RestAnswer:
        limit = self._limits.weight_a_minute
        text = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
        if refused.status == 418:
            until = int((now + refused.retry_after_seconds) * 1000)
            text = f"Way too much request weight used; IP banned until {until}."
        headers = {"Retry-After": str(refused.retry_after_seconds), **self._used(address, now)}
        return RestAnswer(refused.status, encode({"code": TOO_MANY_REQUESTS, "msg": text}), headers)
