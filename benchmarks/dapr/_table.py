"""The table of docs/dapr.md: what was measured, a column for each target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks._measure import percentile
from benchmarks.dapr._protocol import BULK_ENTRIES, Way
from benchmarks.dapr._rounds import RATE_OF_BATCHES, Sample, rate_of_frames
from benchmarks.dapr._targets import Target
from virtufin_examples.frames import Encoding

_US_PER_MS = 1000


@dataclass(frozen=True, slots=True)
class Column:
    """What one target showed."""

    target: Target
    samples: tuple[Sample, ...]

    def rates(self, way: Way, encoding: Encoding) -> list[float]:
        """Return the frames/s of each round, where as much as goes was sent."""
        return [sample.received.rate for sample in self._of(way, encoding, paced=False)]

    def latencies_ms(self, encoding: Encoding) -> list[list[float]]:
        """Return the latencies of each round."""
        return [
            [each / _US_PER_MS for each in sample.received.latencies_us]
            for sample in self._of(Way.OURS, encoding, paced=True)
        ]

    def processor_us(self, encoding: Encoding) -> dict[str, float]:
        """Return the processor time a frame by process, where as much as goes was sent."""
        samples = self._of(Way.OURS, encoding, paced=False)
        return {name: median(each.processor_us[name] for each in samples) for name in samples[0].processor_us}

    def disordered(self) -> int:
        """Return how many frames of bulk publishes came behind a later one."""
        return sum(sample.received.disordered for sample in self._of(Way.BULK, Encoding.FRAME, paced=False))

    def _of(self, way: Way, encoding: Encoding, *, paced: bool) -> list[Sample]:
        return [
            sample
            for sample in self.samples
            if (sample.way, sample.encoding, sample.frames_a_second > 0) == (way, encoding, paced)
        ]


def columns(samples: Sequence[Sample]) -> list[Column]:
    """Sort samples by target."""
    targets = dict.fromkeys(sample.target for sample in samples)
    return [
        Column(target, tuple(sample for sample in samples if sample.target is target)) for target in targets
    ]


def table(found: Sequence[Column]) -> str:
    """Return the table in Markdown."""
    lines = [["", *(column.target for column in found)], ["---"] * (len(found) + 1)]
    lines += [[title, *(cell(column, found[0]) for column in found)] for title, cell in _ROWS]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_Cell = Callable[[Column, Column], str]


def _rate(way: Way, encoding: Encoding) -> _Cell:
    def cell(column: Column, _first: Column) -> str:
        rates = column.rates(way, encoding)
        spread = f" ({_number(min(rates))} to {_number(max(rates))})" if len(rates) > 1 else ""
        return f"{_number(median(rates))}{spread}"

    return cell


def _of_bare(encoding: Encoding) -> _Cell:
    def cell(column: Column, _first: Column) -> str:
        return f"{median(column.rates(Way.OURS, encoding)) / median(column.rates(Way.BARE, encoding)):.2f}"

    return cell


def _of_first(encoding: Encoding) -> _Cell:
    def cell(column: Column, first: Column) -> str:
        return f"{median(column.rates(Way.OURS, encoding)) / median(first.rates(Way.OURS, encoding)):.2f}"

    return cell


def _latency(encoding: Encoding) -> _Cell:
    def cell(column: Column, _first: Column) -> str:
        rounds = column.latencies_ms(encoding)
        each = [median(percentile(one, share) for one in rounds) for share in (0.5, 0.99)]
        pooled = [value for one in rounds for value in one]
        return " / ".join(f"{value:.1f}" for value in (*each, percentile(pooled, 0.999), max(pooled)))

    return cell


def _processor(encoding: Encoding) -> _Cell:
    def cell(column: Column, _first: Column) -> str:
        parts = column.processor_us(encoding)
        daprd = parts["publisher's sidecar"] + parts.get("reader's sidecar", 0.0)
        shown = (parts["publisher"], daprd, parts.get("broker", 0.0), parts["reader"])
        return " + ".join(f"{value:.2f}" if value < 10 else _number(value) for value in shown)

    return cell


def _bulk(column: Column, _first: Column) -> str:
    order = "out of order" if column.disordered() else "in order"
    return f"{_rate(Way.BULK, Encoding.FRAME)(column, column)}, {order}"


def _number(value: float) -> str:
    """Three digits are what such a figure holds."""
    return f"{float(f'{value:.3g}'):,.0f}"


_KAFKA_RATE = f"{rate_of_frames(Target.KAFKA):g}"
_ROWS: tuple[tuple[str, _Cell], ...] = (
    ("**one frame a message**, frames/s", _rate(Way.OURS, Encoding.FRAME)),
    ("of embedded", _of_first(Encoding.FRAME)),
    ("bare calls, one at a time, frames/s", _rate(Way.BARE, Encoding.FRAME)),
    ("ours of that", _of_bare(Encoding.FRAME)),
    (f"bare bulk calls of {BULK_ENTRIES}, frames/s", _bulk),
    (
        f"latency at {rate_of_frames(Target.REDIS):g}/s (Kafka {_KAFKA_RATE}/s), ms: p50 / p99 / p99.9 / max",
        _latency(Encoding.FRAME),
    ),
    (
        "processor a frame, us: publisher + sidecars + broker + reader",
        _processor(Encoding.FRAME),
    ),
    ("**batches**, frames/s", _rate(Way.OURS, Encoding.BATCH)),
    ("of embedded", _of_first(Encoding.BATCH)),
    ("bare calls with full batches, frames/s", _rate(Way.BARE, Encoding.BATCH)),
    ("ours of that", _of_bare(Encoding.BATCH)),
    (f"latency at {RATE_OF_BATCHES:g}/s, ms: p50 / p99 / p99.9 / max", _latency(Encoding.BATCH)),
    (
        "processor a frame, us: publisher + sidecars + broker + reader",
        _processor(Encoding.BATCH),
    ),
)
