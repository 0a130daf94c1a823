"""What healing costs the whole way: from a sender's socket to a subscriber in another process, in one run."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.throughput._contenders import run_ours
from benchmarks.throughput._field import Load, Upstream, open_field
from benchmarks.throughput.sender import QUESTION
from virtufin_examples.connections import GenericConnector
from virtufin_examples.venues.binance import BinanceConnector

_PATH = "/stream"  # without streams: what is wanted is asked for later
_FRAME_BYTES = 150
_BYTES_A_WRITE = 65536
_BINANCE = BinanceConnector.name

WAYS: dict[str, Upstream] = {
    "without": Upstream(
        _PATH,
        GenericConnector.name,
        {"watch": "off", "ping_seconds": "0", "quiet_seconds": "0"},
        QUESTION,
    ),
    "healing": Upstream(_PATH, _BINANCE, {}, QUESTION),
    "peek on every frame": Upstream(_PATH, _BINANCE, {"watch": "every"}, QUESTION),
}
"""Nothing read or watched; Binance's connector as it is by default; every number of the venue followed."""


@dataclass(frozen=True, slots=True)
class Way:
    """A sample a round: the subscriber's frames/s, the WebSocketManager's processor time a frame in ns."""

    rates: list[float] = field(default_factory=list)
    processor_ns: list[float] = field(default_factory=list)


def run_path(rounds: int, frames: int) -> dict[str, Way]:
    """Return what each way gave; the ways take turns, and each begins a round in turn."""
    return asyncio.run(_measure(rounds, frames))


async def _measure(rounds: int, frames: int) -> dict[str, Way]:
    load = Load(_FRAME_BYTES, _BYTES_A_WRITE, frames, depth=True)
    ways = {name: Way() for name in WAYS}
    names = list(WAYS)
    with tempfile.TemporaryDirectory() as folder:
        async with open_field(Path(folder), print, peers=False) as shared:
            for turn in range(rounds + 1):
                for name in names:
                    outcome = await run_ours(shared, load, upstream=WAYS[name])
                    if turn:  # the first round warms up
                        ways[name].rates.append(outcome.rate)
                        ways[name].processor_ns.append(
                            outcome.processor_ns["WebSocketManager"] / outcome.frames
                        )
                names.append(names.pop(0))
    return ways
