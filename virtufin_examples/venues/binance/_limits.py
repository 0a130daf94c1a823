"""What Binance allows, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from virtufin_examples.venues.binance._endpoints import Market

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one market.

    Messages are those to the venue, pings and pongs among them. Weights are those of the REST API, an address
    a minute; `depth_weights` gives the weight of a snapshot of up to so many levels.
    """

    messages_a_second: int = 5
    streams: int = 1024
    connects: int = 300
    connects_seconds: float = 300.0
    ping_seconds: float = 20.0
    pong_seconds: float = 60.0
    life_seconds: float = DAY_SECONDS
    weight_a_minute: int = 6000
    depth_weights: tuple[tuple[int, int], ...] = ((100, 5), (500, 25), (1000, 50), (5000, 250))


SPOT = Limits()
"""Source: binance-spot-api-docs, web-socket-streams ("WebSocket Limits") and rest-api ("Order book")."""

US = Limits(
    ping_seconds=180.0,
    pong_seconds=600.0,
    weight_a_minute=1200,
    depth_weights=((100, 1), (500, 5), (1000, 10), (5000, 50)),
)
"""Source: binance-us-api-docs. It names no limit of connects: that of spot is kept."""

USD_M = Limits(
    messages_a_second=10,
    ping_seconds=180.0,
    pong_seconds=600.0,
    weight_a_minute=2400,
    depth_weights=((50, 2), (100, 5), (500, 10), (1000, 20)),
)
"""Source: USD-M futures, "Websocket Market Streams" (older copies say 200 streams) and "Order Book". It names
no limit of connects: that of spot is kept.
"""

LIMITS: Mapping[Market, Limits] = {Market.SPOT: SPOT, Market.US: US, Market.USD_M: USD_M}
