"""The server half of Binance's protocol, sans-I/O: bytes in, bytes, statuses and close codes out."""

from virtufin_examples.venues.binance.server._gates import (
    OFFENCES_TO_BAN,
    Bans,
    ConnectGate,
    Refusal,
    WeightGate,
)
from virtufin_examples.venues.binance.server._outcome import CLOSE_GOING_AWAY, CLOSE_POLICY, Outcome
from virtufin_examples.venues.binance.server._rest_server import Depth, RestAnswer, RestServer
from virtufin_examples.venues.binance.server._stream_server import StreamServer

__all__ = [
    "CLOSE_GOING_AWAY",
    "CLOSE_POLICY",
    "OFFENCES_TO_BAN",
    "Bans",
    "ConnectGate",
    "Depth",
    "Outcome",
    "Refusal",
    "RestAnswer",
    "RestServer",
    "StreamServer",
    "WeightGate",
]
