"""Opens a Binance feed of many pairs over several workers and shows each pair's book.

It reads the built-in simulator and says SIMULATED; with --upstream live the real market, without an account.
"""

from __future__ import annotations

import sys
from pathlib import Path

from virtufin_examples.example_run import main

SETTINGS = Path(__file__).parents[1] / "settings" / "settings.binance.json"

if __name__ == "__main__":
    sys.exit(
        main(
            sys.argv[1:],
            title="Binance market data",
            description="Opens a Binance feed of many pairs over several workers and shows each pair's book. "
            "It needs no account: --upstream live reads the real market.",
            settings=SETTINGS,
        )
    )
