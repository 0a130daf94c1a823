"""What everybody may know of the simulators: how they say that they are, and the keys that open Alpaca's."""

from __future__ import annotations

SIMULATED_HEADER = "x-virtufin-simulated"
"""Of the answer to an upgrade."""
SIMULATED_KEY = "SIMULATED-KEY"  # no secrets
SIMULATED_SECRET = "SIMULATED-SECRET"
