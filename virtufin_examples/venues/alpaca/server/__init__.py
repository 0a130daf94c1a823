"""The server half of Alpaca's protocol, sans-I/O: bytes in, bytes and close codes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from virtufin_examples.venues.alpaca._endpoints import Endpoint, Kind
from virtufin_examples.venues.alpaca.server._gate import Credentials, Gate, credentials_of
from virtufin_examples.venues.alpaca.server._market_server import ALL, MAX_MESSAGES_IN_ARRAY, MarketServer
from virtufin_examples.venues.alpaca.server._outcome import CLOSE_INTERNAL, CLOSE_POLICY, Entry, Outcome
from virtufin_examples.venues.alpaca.server._trading_server import TradingServer

AnyServer: TypeAlias = MarketServer | TradingServer


def server_for(endpoint: Endpoint, gate: Gate, headers: Mapping[str, str]) -> AnyServer:
    """Return a fresh session for a client of an endpoint."""
    kind = TradingServer if endpoint.kind is Kind.TRADING else MarketServer
    return kind(endpoint, gate, headers)


__all__ = [
    "ALL",
    "CLOSE_INTERNAL",
    "CLOSE_POLICY",
    "MAX_MESSAGES_IN_ARRAY",
    "AnyServer",
    "Credentials",
    "Entry",
    "Gate",
    "MarketServer",
    "Outcome",
    "TradingServer",
    "credentials_of",
    "server_for",
]
