"""What is published, as each kind of subscriber sees it: with `rawPayload` or without, at either end."""

from __future__ import annotations

from typing import Protocol

from virtufin_examples.bus.embedded._envelope import (
    Moment,
    Publish,
    cloud_event,
    event_from_structured,
    raw_event,
    structured,
)
from virtufin_examples.bus.embedded._message import Message
from virtufin_examples.errors import InvalidInputError


class Publication(Protocol):
    """A published message. Views are built once and shared by all subscribers of a kind."""

    def view(self, *, raw: bool) -> Message | None:
        """Return what a subscription with or without `rawPayload` gets, None when it cannot be read so."""

    def dead_letter(self, topic: str) -> Publication:
        """Return the same for a dead letter topic. It does not expire: a dead letter is to be read."""


class CloudEventPublication:
    """A CloudEvent. To a `rawPayload` subscriber its JSON form is the payload."""

    __slots__ = ("_message", "_raw", "_topic")

    def __init__(self, message: Message, topic: str) -> None:
        self._message = message
        self._topic = topic
        self._raw: Message | None = None

    def view(self, *, raw: bool) -> Message | None:
        """Return the event."""
        if not raw:
            return self._message
        if self._raw is None:
            self._raw = raw_event(structured(self._message), self._topic)
        return self._raw

    def dead_letter(self, topic: str) -> CloudEventPublication:
        """Return the event on another topic."""
        return CloudEventPublication(self._message.on_topic(topic), topic)


class RawPublication:
    """Bytes published with `rawPayload`. Who subscribes without it gets the CloudEvent in them."""

    __slots__ = ("_data", "_event", "_raw", "_topic")

    def __init__(self, data: bytes, topic: str, event: Message | None) -> None:
        self._data = data
        self._topic = topic
        self._event = event
        self._raw: Message | None = None

    def view(self, *, raw: bool) -> Message | None:
        """Return the bytes, or the CloudEvent that they hold."""
        if not raw:
            return self._event
        if self._raw is None:
            self._raw = raw_event(self._data, self._topic)
        return self._raw

    def dead_letter(self, topic: str) -> RawPublication:
        """Return the bytes on another topic."""
        return RawPublication(self._data, topic, None if self._event is None else self._event.on_topic(topic))


def publication(request: Publish, moment: Moment, *, raw: bool) -> Publication:
    """Return what is published; raises `InvalidInputError` for a bad CloudEvent or time to live."""
    if not raw:
        return CloudEventPublication(cloud_event(request, moment), request.topic)
    try:
        event = event_from_structured(request, moment)
    except InvalidInputError:
        event = None  # an opaque payload: the broker reports it where a subscriber asks for an event
    return RawPublication(request.data, request.topic, event)
