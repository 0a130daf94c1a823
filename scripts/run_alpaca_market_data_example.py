"""Opens an Alpaca feed through a worker and prints what arrives on its topic.

Without an account, a key or a platform it starts the built-in ones and says SIMULATED.
"""

from __future__ import annotations

import sys
from pathlib import Path

from virtufin_examples.example_run import main

SETTINGS = Path(__file__).parents[1] / "settings" / "settings.alpaca.json"

if __name__ == "__main__":
    sys.exit(
        main(
            sys.argv[1:],
            title="Alpaca market data",
            description="Opens an Alpaca feed through a worker and prints what arrives on its topic.",
            settings=SETTINGS,
        )
    )
