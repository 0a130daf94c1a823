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
from virtufin_examples.bus.embedded._strict import as_daprd_delivers
from virtufin_examples.errors import InvalidInputError


class Publication(Protocol):
    """A published message. Views are built once and shared by all subscribers of a kind."""

    def view(self, *, raw: bool, http: bool = False) -> Message | None:
        """Return what a subscription gets, None when it cannot be read so.

        `raw`: one with `rawPayload`; `http`: one whose events travel as JSON.
        """

    def dead_letter(self, topic: str) -> Publication:
        """Return the same for a dead letter topic. It does not expire: a dead letter is to be read."""


class _Event:
    """A CloudEvent as each kind of subscriber sees it; `strict` says whether these differ, as with daprd."""

    __slots__ = ("_over_grpc", "_strict", "message")

    def __init__(self, message: Message, *, strict: bool) -> None:
        self.message = message
        self._strict = strict
        self._over_grpc: Message | None = None

    def view(self, *, http: bool) -> Message:
        if http or not self._strict:
            return self.message
        if self._over_grpc is None:
            self._over_grpc = as_daprd_delivers(self.message)
        return self._over_grpc

    def as_payload(self) -> bytes:
        return structured(self.message, exact=not self._strict)

    def on_topic(self, topic: str) -> _Event:
        return _Event(self.message.on_topic(topic), strict=self._strict)


class CloudEventPublication:
    """A CloudEvent. To a `rawPayload` subscriber its JSON form is the payload."""

    __slots__ = ("_event", "_raw", "_topic")

    def __init__(self, event: _Event, topic: str) -> None:
        self._event = event
        self._topic = topic
        self._raw: Message | None = None

    def view(self, *, raw: bool, http: bool = False) -> Message | None:
        """Return the event."""
        if not raw:
            return self._event.view(http=http)
        if self._raw is None:
            self._raw = raw_event(self._event.as_payload(), self._topic)
        return self._raw

    def dead_letter(self, topic: str) -> CloudEventPublication:
        """Return the event on another topic."""
        return CloudEventPublication(self._event.on_topic(topic), topic)


class RawPublication:
    """Bytes published with `rawPayload`. Who subscribes without it gets the CloudEvent in them."""

    __slots__ = ("_data", "_event", "_raw", "_topic")

    def __init__(self, data: bytes, topic: str, event: _Event | None) -> None:
        self._data = data
        self._topic = topic
        self._event = event
        self._raw: Message | None = None

    def view(self, *, raw: bool, http: bool = False) -> Message | None:
        """Return the bytes, or the CloudEvent that they hold."""
        if not raw:
            return None if self._event is None else self._event.view(http=http)
        if self._raw is None:
            self._raw = raw_event(self._data, self._topic)
        return self._raw

    def dead_letter(self, topic: str) -> RawPublication:
        """Return the bytes on another topic."""
        return RawPublication(self._data, topic, None if self._event is None else self._event.on_topic(topic))


def publication(request: Publish, moment: Moment, *, raw: bool) -> Publication:
    """Return what is published; raises `InvalidInputError` for a bad CloudEvent or time to live."""
    if not raw:
        event = _Event(cloud_event(request, moment), strict=request.strict)
        return CloudEventPublication(event, request.topic)
    try:
        held = _Event(event_from_structured(request, moment), strict=request.strict)
    except InvalidInputError:
        # an opaque payload: the broker reports it where a subscriber asks for an event
        return RawPublication(request.data, request.topic, None)
    return RawPublication(request.data, request.topic, held)
