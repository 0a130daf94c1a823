"""CloudEvents as the gateway carries them, and their protobuf form."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp

from virtufin_examples._generated.io.cloudevents.v1 import cloudevents_pb2

CLIENT_SOURCE = "urn:com.virtufin.client"
JSON = "application/json"
_CONTENT_TYPE = "datacontenttype"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudEvent:
    """One event. `extensions` are the attributes beyond the four named here; on the way out all are strings.

    `data` are the bytes as published; for a JSON content type that is UTF-8 JSON.
    """

    type: str
    data: bytes = b""
    content_type: str = JSON
    source: str = CLIENT_SOURCE
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    extensions: Mapping[str, str] = field(default_factory=dict)


def is_text(content_type: str) -> bool:
    """Whether data of this content type is text: JSON or `text/*`."""
    base = content_type.partition(";")[0].strip().lower()
    return base.startswith("text/") or base in (JSON, "") or base.endswith("+json")


def to_proto(event: CloudEvent) -> cloudevents_pb2.CloudEvent:
    """Return the protobuf form; text travels as text, everything else as bytes."""
    message = cloudevents_pb2.CloudEvent(
        id=event.id, source=event.source, spec_version="1.0", type=event.type
    )
    for name, value in {_CONTENT_TYPE: event.content_type, **event.extensions}.items():
        message.attributes[name].ce_string = value
    if is_text(event.content_type):
        message.text_data = event.data.decode()
    else:
        message.binary_data = event.data
    return message


def from_proto(message: cloudevents_pb2.CloudEvent) -> CloudEvent:
    """Read the protobuf form; attributes of every kind become strings."""
    attributes = {name: _text(value) for name, value in message.attributes.items()}
    kind = message.WhichOneof("data")
    if kind == "text_data":
        data = message.text_data.encode()
    elif kind == "proto_data":
        data = message.proto_data.value
    else:
        data = message.binary_data
    return CloudEvent(
        id=message.id,
        source=message.source,
        type=message.type,
        content_type=attributes.pop(_CONTENT_TYPE, ""),
        data=data,
        extensions=attributes,
    )


def _text(value: cloudevents_pb2.CloudEvent.CloudEventAttributeValue) -> str:
    kind = value.WhichOneof("attr")
    if kind is None:
        return ""
    inner = getattr(value, kind)
    if isinstance(inner, bool):
        return "true" if inner else "false"
    if isinstance(inner, bytes):
        return inner.decode("utf-8", "replace")
    if isinstance(inner, Timestamp):
        return inner.ToJsonString()
    return str(inner)
