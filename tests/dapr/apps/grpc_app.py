"""An unmodified `dapr[grpc]` app: PORT NOTES TOPIC."""

from __future__ import annotations

import sys
from pathlib import Path

from dapr.clients.grpc._response import TopicEventResponse
from dapr.ext.grpc import App, SubscriptionMessage

from tests.dapr.apps.behaviour import Behaviour

port, notes, topic = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
behaviour = Behaviour(notes)
app = App(max_grpc_message_length=16 * 1024 * 1024)


def handle(handler: str, event: SubscriptionMessage) -> TopicEventResponse:
    answer = behaviour.handle(
        handler, event.id(), event.topic(), event.data_content_type(), event.raw_data() or b""
    )
    return TopicEventResponse(answer.lower())


@app.subscribe("pubsub", topic, dead_letter_topic=f"dead.{topic}")
def on_event(event: SubscriptionMessage) -> TopicEventResponse:
    return handle("programmatic", event)


@app.subscribe("pubsub", f"dead.{topic}")
def on_dead_letter(event: SubscriptionMessage) -> TopicEventResponse:
    return handle("dead", event)


@app.subscribe("pubsub", f"{topic}.raw", metadata={"rawPayload": "true"})
def on_raw(event: SubscriptionMessage) -> TopicEventResponse:
    return handle("raw", event)


@app.subscribe("pubsub", f"{topic}.declared", disable_topic_validation=True)
def on_declared(event: SubscriptionMessage) -> TopicEventResponse:
    return handle("declared", event)


@app.subscribe("pubsub", f"{topic}.bulk")
def on_bulk(event: SubscriptionMessage) -> TopicEventResponse:
    return handle("bulk", event)


app.run(port, "127.0.0.1")
