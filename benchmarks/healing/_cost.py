"""What healing costs the hot path, in one run: frames from a socket through link and stream into batches."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence

from virtufin_examples.connections import Continuity, Grant, StreamItem, SystemClock
from virtufin_examples.connections._link import Link
from virtufin_examples.connections._stream import Stream
from virtufin_examples.frames import FrameRun, encode_runs
from virtufin_examples.venues import Session, Verdict
from virtufin_examples.venues.binance import BinanceConnector

_URL = "wss://stream.binance.com:9443/stream?streams=btcusdt@depth"
_FRAMES_A_READ = 100
_READS = 1000
_PADDING = '"b":[["1.00","2.0"]],"a":[["1.01","2.0"]]'


class _Owner:
    def judged(self, verdict: Verdict) -> None:
        """No frame here is an answer."""

    def noted(self, error_type: str, reason: str) -> None:
        """Nothing goes wrong here."""

    def low(self) -> None:
        """More sequences than frames were granted."""

    def flows(self, received_ns: int) -> None:
        """Nobody waits for it here."""


class _Encoding:
    """Does what publishing costs, all but the bus."""

    def put(self, items: Sequence[StreamItem], size: int) -> None:  # noqa: ARG002 - the outlet's signature
        encode_runs([item for item in items if isinstance(item, FrameRun)], instance="bench")


class _Silent(Session):
    reads_answers = False


def frames_a_second(rounds: int) -> dict[str, list[float]]:
    """Return frames/s by way, a sample a round; the ways take turns."""
    return asyncio.run(_measure(rounds))


async def _measure(rounds: int) -> dict[str, list[float]]:
    reads = [
        [
            f'{{"stream":"btcusdt@depth","data":{{"e":"depthUpdate","E":1700000000000,"s":"BTCUSDT",'
            f'"U":{number},"u":{number},{_PADDING}}}}}'.encode()
            for number in range(read * _FRAMES_A_READ + 1, (read + 1) * _FRAMES_A_READ + 1)
        ]
        for read in range(_READS)
    ]
    samples: dict[str, list[float]] = {"without": [], "healing": [], "peek on every frame": []}
    for turn in range(rounds + 1):
        for name, taken in samples.items():
            link = _link(name)
            began = time.perf_counter()
            for count, read in enumerate(reads):
                link.received(read, 1_700_000_000_000_000_000, binary=False)
                if count % 100 == 99:
                    link.take_sample()  # what the watchdog does about once a second
            if turn:  # the first round warms up
                taken.append(_READS * _FRAMES_A_READ / (time.perf_counter() - began))
    return samples


def _link(name: str) -> Link:
    stream = Stream("c1", "wss://venue.example/feed", time.monotonic)
    stream.grant(Grant(1, 1, 1 << 40), 0)
    stream.publish_to(_Encoding())
    session = _Silent(_URL) if name == "without" else BinanceConnector().session(_URL, {})
    return Link(
        stream,
        session,
        _Owner(),
        epoch=1,
        clock=SystemClock(),
        continuity=Continuity() if name == "peek on every frame" else None,
        samples=name == "healing",
    )


def costs(samples: dict[str, list[float]]) -> dict[str, float]:
    """Return what share of the frames/s without healing each way costs, as the median of the rounds."""
    without = samples["without"]
    return {
        name: statistics.median(1 - each / bare for each, bare in zip(taken, without, strict=True))
        for name, taken in samples.items()
        if name != "without"
    }
