"""Counting what a run received: frames, gaps, latency. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from virtufin_examples.frames import Frame, Gap, Item

_STEP = math.log(1.02)  # width of a latency bucket: 2 %
_FLOOR_MS = 0.001


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from socket receipt to callback; None where no frame was measured."""

    p50: float | None
    p99: float | None
    max: float | None


class LatencyHistogram:
    """Percentiles within 2 % in bounded memory, however long the run."""

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._count = 0
        self._max_ms = 0.0

    def add(self, ms: float) -> None:
        """Count one value; a negative one (two machines' clocks) counts as 0."""
        self._max_ms = max(self._max_ms, ms)
        bucket = math.floor(math.log(max(ms, _FLOOR_MS) / _FLOOR_MS) / _STEP)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._count += 1

    def percentile(self, share: float) -> float:
        """Return the value that `share` (0..1) of all are at or below; 0 without values."""
        wanted = math.ceil(self._count * share)
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(self._max_ms, _FLOOR_MS * math.exp((bucket + 0.5) * _STEP))
        return 0.0

    def latency(self) -> Latency:
        """Return the percentiles that a summary shows."""
        if not self._count:
            return Latency(None, None, None)
        return Latency(
            round(self.percentile(0.5), 3), round(self.percentile(0.99), 3), round(self._max_ms, 3)
        )


class Tally:
    """Counts items. Frames received before `opened_ns` waited for the feed to open: that is no latency."""

    def __init__(self, opened_ns: int) -> None:
        self._opened_ns = opened_ns
        self._histogram = LatencyHistogram()
        self._first_ns = 0
        self._last_ns = 0
        self.frames = 0
        self.gaps = 0
        self._gap_ns = 0

    def add(self, item: Item, now_ns: int) -> None:
        """Count an item that was handed over at `now_ns` (Unix time)."""
        if isinstance(item, Frame):
            self.frames += 1
            self._first_ns = min(self._first_ns or item.received_ns, item.received_ns)
            self._last_ns = max(self._last_ns, item.received_ns)
            if item.received_ns >= self._opened_ns:
                self._histogram.add((now_ns - item.received_ns) / 1e6)
        elif isinstance(item, Gap):
            self.gaps += 1
            self._gap_ns += max(0, item.to_ns - item.from_ns)

    @property
    def gap_ms(self) -> float:
        """Length of all gaps together."""
        return round(self._gap_ns / 1e6, 3)

    def end(self, now_ns: int) -> None:
        """Data have ended: a silence up to now is part of the run."""
        self._last_ns = max(self._last_ns, now_ns)

    @property
    def seconds(self) -> float:
        """From the receipt of the first frame to the end of the data; 0 without a frame."""
        return (self._last_ns - self._first_ns) / 1e9 if self.frames else 0.0

    @property
    def rate(self) -> float:
        """Frames a second in that time."""
        return (self.frames - 1) / self.seconds if self.seconds > 0 else 0.0

    def latency(self) -> Latency:
        """Percentiles of the time from socket receipt to callback."""
        return self._histogram.latency()
