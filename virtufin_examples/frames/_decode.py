"""Any message of a topic to the items it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames._batch import decode_runs
from virtufin_examples.frames._events import frame_from_event
from virtufin_examples.frames._model import Frame, Gap, Heartbeat, Restored, Stale
from virtufin_examples.frames._names import BATCH_EVENT_TYPE, FRAME_EVENT_TYPE
from virtufin_examples.frames._notes import decode_note, is_note
from virtufin_examples.frames._run import FrameRun

Received: TypeAlias = Frame | Gap | Stale | Restored | Heartbeat


@dataclass(frozen=True, slots=True)
class Message:
    """What one Dapr message carried. `instance` names the publishing process, where the message says so."""

    items: list[Received | FrameRun]
    instance: str = ""


def decode_message(
    topic: str, event_type: str, content_type: str, data: bytes, extensions: Mapping[str, object]
) -> list[Received]:
    """Return the items of a delivered CloudEvent, told by its type.

    `topic` is the topic of the frames, also for what came on its companion. Raises `InvalidInputError` for
    anything that no WebSocketManager publishes.
    """
    items = read_message(topic, event_type, content_type, data, extensions).items
    out: list[Received] = []
    for item in items:
        if isinstance(item, FrameRun):
            out.extend(item.frames(topic))
        else:
            out.append(item)
    return out


def read_message(
    topic: str, event_type: str, content_type: str, data: bytes, extensions: Mapping[str, object]
) -> Message:
    """Return the items and who published them; see `decode_message`."""
    if event_type == BATCH_EVENT_TYPE:
        instance, runs = decode_runs(topic, data)
        return Message([*runs], instance)
    if event_type == FRAME_EVENT_TYPE:
        return Message([frame_from_event(topic, content_type, data, extensions)])
    if is_note(event_type):
        return Message([decode_note(topic, event_type, data)])
    raise InvalidInputError(
        f"topic {topic}: a message of type {event_type!r} is neither frame, batch, marker nor heartbeat",
        hint="let nothing else publish to this topic",
    )
