"""What the gateway counts (Prometheus)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class GatewayMetrics:
    """The gateway's metrics, in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.call_seconds = Histogram(
            "virtufin_gateway_call_seconds",
            "Calls to back ends, retries included, by service and gRPC status.",
            ("service", "status"),
            registry=registry,
        )
        self.retries = Counter(
            "virtufin_gateway_retries", "Calls made again after UNAVAILABLE.", ("service",), registry=registry
        )
        self.subscribers = Gauge(
            "virtufin_gateway_subscribers", "Callers of Pubsub.Subscribe.", registry=registry
        )
        self.topics = Gauge("virtufin_gateway_topics", "Subscriptions on the bus.", registry=registry)
        self.cut = Counter(
            "virtufin_gateway_subscribers_cut", "Callers that were too slow.", registry=registry
        )
