"""Messages and a clock for the tests of the embedded runtime."""

from __future__ import annotations

from dapr.proto.runtime.v1 import appcallback_pb2, pubsub_pb2
from hypothesis import settings

from virtufin_examples.bus.embedded._envelope import Moment, Publish
from virtufin_examples.bus.embedded._message import Message
from virtufin_examples.bus.embedded._metadata import lower_names
from virtufin_examples.bus.embedded._publication import Publication, publication

seeded = settings(derandomize=True, deadline=None)
"""The same cases every time, on a machine of any speed."""


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def publish(
    data: bytes = b"x",
    *,
    topic: str = "topic",
    content_type: str = "text/plain",
    metadata: dict[str, str] | None = None,
    raw: bool = False,
    clock: float = 1000.0,
    app_id: str = "app",
) -> Publication:
    request = Publish(app_id, topic, data, content_type, lower_names(metadata or {}))
    return publication(request, Moment(clock, 1_700_000_000.0), raw=raw)


def event(message: Message | None) -> appcallback_pb2.TopicEventRequest:
    assert message is not None
    response = pubsub_pb2.SubscribeTopicEventsResponseAlpha1.FromString(message.frame)
    assert response.event_message == appcallback_pb2.TopicEventRequest.FromString(message.body)
    return response.event_message
