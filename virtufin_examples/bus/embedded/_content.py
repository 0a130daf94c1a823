"""Content types, sorted as daprd sorts them (components-contrib `contenttype`)."""

from __future__ import annotations

import msgspec

from virtufin_examples.bus._port import CLOUDEVENT_JSON

JSON_CONTENT_TYPE = "application/json"
BINARY_CONTENT_TYPE = "application/octet-stream"
CLOUDEVENT_PROTOBUF = "application/cloudevents+protobuf"


def media_type(content_type: str) -> str:
    """Return the type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_json(content_type: str) -> bool:
    """Whether data of this type are a JSON value."""
    return media_type(content_type) in (JSON_CONTENT_TYPE, CLOUDEVENT_JSON)


def is_text(content_type: str) -> bool:
    """Whether data of this type are a string."""
    return content_type.lower().startswith("text/") or media_type(content_type) == "application/xml"


def is_binary(content_type: str) -> bool:
    """Whether data of this type travel as base64."""
    return media_type(content_type) in (BINARY_CONTENT_TYPE, CLOUDEVENT_PROTOBUF)


def holds_json(data: bytes) -> bool:
    """Whether the bytes are one JSON value."""
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
