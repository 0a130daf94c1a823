"""The names that messages carry on a topic (`docs/architecture.md`, "What a topic carries")."""

from __future__ import annotations

from typing import Final

EVENT_SOURCE: Final = "urn:com.virtufin.websocketmanager"
REPLAY_SOURCE: Final = "urn:com.virtufin.replay"
"""Source of every message that a replay publishes, in place of `EVENT_SOURCE`: it is not live."""
EVENT_TYPE_PREFIX: Final = "com.virtufin.websocketmanager."
FRAME_EVENT_TYPE: Final = EVENT_TYPE_PREFIX + "frame"
BATCH_EVENT_TYPE: Final = EVENT_TYPE_PREFIX + "batch"

TEXT_CONTENT_TYPE: Final = "text/plain"
BINARY_CONTENT_TYPE: Final = "application/octet-stream"
NOTE_CONTENT_TYPE: Final = TEXT_CONTENT_TYPE  # as JSON, Dapr would round its integers
BATCH_CONTENT_TYPE: Final = BINARY_CONTENT_TYPE + ";schema=virtufin.v1.FrameBatch"


def events_topic(topic: str) -> str:
    """Return the topic that carries the markers and heartbeats of `topic` when they are `companion`."""
    return f"{topic}.events"
