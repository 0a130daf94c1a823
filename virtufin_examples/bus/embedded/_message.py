"""One published message in the exact bytes that go down a subscription stream.

The bytes are put together once, when the message is published, and written to every subscriber as they
are: a serialised `SubscribeTopicEventsResponseAlpha1` whose `event_message` is a `TopicEventRequest`.
Protobuf lets serialised messages of one type be joined (a repeated scalar field: the last one wins),
which is how parts that many messages share are encoded once and cached.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dapr.proto.runtime.v1 import appcallback_pb2
from google.protobuf import json_format, struct_pb2

PUBSUB_NAME = "pubsub"

_EVENT_MESSAGE_TAG = b"\x12"  # SubscribeTopicEventsResponseAlpha1.event_message, length-delimited
_DATA_TAG = b"\x3a"  # TopicEventRequest.data, length-delimited
_EXTENSIONS_TAG = b"\x52"  # TopicEventRequest.extensions, length-delimited
_CACHED_VALUE_CHARACTERS = 128  # longer attributes are not worth keeping
_CACHED_ENTRIES = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """An event as one kind of subscriber sees it.

    `frame` is what is written to the stream; from `body_start` on it is the serialised `TopicEventRequest`.
    `expires_at` is a time of the broker's clock in seconds, None for a message that never expires.
    """

    id: str
    frame: bytes
    body_start: int
    expires_at: float | None = None

    @property
    def body(self) -> bytes:
        """The serialised `TopicEventRequest`."""
        return self.frame[self.body_start :]

    def on_topic(self, topic: str) -> Message:
        """Return the same event on another topic, without its expiry (a dead letter is to be read)."""
        override = appcallback_pb2.TopicEventRequest(topic=topic).SerializeToString()
        return _message(self.id, (self.body, override), None)


def build_message(
    event: appcallback_pb2.TopicEventRequest,
    data: bytes,
    extensions: Mapping[str, object],
    expires_at: float | None = None,
) -> Message:
    """Return the message of `event`, whose `data` and `extensions` are to be empty, with these.

    Data, which may be megabytes, are copied once so, and four times by way of the event.
    """
    entries = b"".join(
        _text_entry(name, value)
        if isinstance(value, str) and len(value) <= _CACHED_VALUE_CHARACTERS
        else _entry(name, value)
        for name, value in extensions.items()
    )
    parts = (
        event.SerializeToString(),
        *(_DATA_TAG, _varint(len(data)), data),
        *(_EXTENSIONS_TAG, _varint(len(entries)), entries),
    )
    return _message(event.id, parts, expires_at)


def message_of(event: appcallback_pb2.TopicEventRequest, expires_at: float | None = None) -> Message:
    """Return the message of an event that has its extensions."""
    return _message(event.id, (event.SerializeToString(),), expires_at)


def _message(event_id: str, body: Sequence[bytes], expires_at: float | None) -> Message:
    head = _EVENT_MESSAGE_TAG + _varint(sum(map(len, body)))
    return Message(event_id, b"".join((head, *body)), len(head), expires_at)


def _entry(name: str, value: object) -> bytes:
    struct = struct_pb2.Struct()
    json_format.ParseDict({name: value}, struct)
    return struct.SerializeToString()


@functools.lru_cache(maxsize=_CACHED_ENTRIES)
def _text_entry(name: str, value: str) -> bytes:
    """Return what `_entry` does for a string, in a tenth of the time: nearly all attributes are strings."""
    key, text = name.encode(), value.encode()
    string = b"\x1a" + _varint(len(text)) + text  # Value.string_value
    entry = b"\x0a%b%b\x12%b%b" % (_varint(len(key)), key, _varint(len(string)), string)
    return b"\x0a%b%b" % (_varint(len(entry)), entry)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
