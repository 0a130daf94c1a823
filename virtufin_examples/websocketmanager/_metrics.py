"""Prometheus metrics, read from the connections when they are scraped: the hot path counts plain integers."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from virtufin_examples.connections import State
from virtufin_examples.websocketmanager._hub import PublisherHub
from virtufin_examples.websocketmanager._manager import ConnectionManager

_PREFIX = "virtufin_websocketmanager_"
_LATENCY_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0)


def publish_latency(registry: CollectorRegistry) -> Histogram:
    """Return the histogram of the time that the bus takes for one message, by topic."""
    return Histogram(
        _PREFIX + "publish_seconds",
        "Time that the bus took for one message.",
        ["topic"],
        buckets=_LATENCY_BUCKETS,
        registry=registry,
    )


class ManagerCollector(Collector):
    """Reads the connections and topics at each scrape."""

    def __init__(self, manager: ConnectionManager, hub: PublisherHub) -> None:
        self._manager = manager
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        yield from self._connections()
        yield from self._topics()

    def _connections(self) -> Iterator[Metric]:
        states = GaugeMetricFamily(_PREFIX + "connections", "Connections by state.", labels=["state"])
        labels = ["connection_id", "owner"]
        frames = CounterMetricFamily(_PREFIX + "frames", "Frames received.", labels=labels)
        size = CounterMetricFamily(_PREFIX + "bytes", "Bytes of frames received.", labels=labels)
        reconnects = CounterMetricFamily(_PREFIX + "reconnects", "Sockets after the first.", labels=labels)
        held = GaugeMetricFamily(_PREFIX + "held_bytes", "Waiting for the first publish.", labels=labels)
        everything = self._manager.all()
        for state in State:
            count = sum(managed.connection.state is state for managed in everything)
            states.add_metric([state.value], count)
        for managed in everything:
            connection, key = managed.connection, [managed.id, managed.owner]
            frames.add_metric(key, connection.stream.frames)
            size.add_metric(key, connection.stream.bytes)
            reconnects.add_metric(key, connection.reconnects)
            held.add_metric(key, connection.stream.held_bytes)
        yield from (states, frames, size, reconnects, held)

    def _topics(self) -> Iterator[Metric]:
        queued = GaugeMetricFamily(
            _PREFIX + "queue_bytes", "Waiting for the bus in memory.", labels=["topic"]
        )
        dropped = CounterMetricFamily(
            _PREFIX + "dropped_frames", "Frames dropped, each inside an announced gap.", labels=["topic"]
        )
        spooled = GaugeMetricFamily(_PREFIX + "spool_bytes", "Waiting for the bus on disk.", labels=["topic"])
        for topic, figures in self._hub.figures().items():
            queued.add_metric([topic], figures.memory_bytes)
            spooled.add_metric([topic], figures.disk_bytes)
            dropped.add_metric([topic], figures.dropped_frames)
        failing = GaugeMetricFamily(
            _PREFIX + "spool_failing",
            "1 while the spool takes nothing more, or drops the oldest to take the newest.",
            value=float(bool(self._hub.problem)),
        )
        yield from (queued, spooled, dropped, failing)
