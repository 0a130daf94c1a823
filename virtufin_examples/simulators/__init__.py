"""Venue servers with seeded data: what the examples and the tests use instead of an exchange."""

from virtufin_examples.simulated import SIMULATED_HEADER, SIMULATED_KEY, SIMULATED_SECRET
from virtufin_examples.simulators._alpaca import AlpacaSimulator
from virtufin_examples.simulators._binance import BinanceSimulator
from virtufin_examples.simulators._binance_recording import BinanceRecording, parse_recording
from virtufin_examples.simulators._faults import Fault, FaultKind, FaultLine, Faults, parse_plan, random_plan
from virtufin_examples.simulators._market import Emitted, Market

__all__ = [
    "SIMULATED_HEADER",
    "SIMULATED_KEY",
    "SIMULATED_SECRET",
    "AlpacaSimulator",
    "BinanceRecording",
    "BinanceSimulator",
    "Emitted",
    "Fault",
    "FaultKind",
    "FaultLine",
    "Faults",
    "Market",
    "parse_plan",
    "parse_recording",
    "random_plan",
]
