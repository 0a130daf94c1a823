"""The CloudEvent of a published message.

The rules are those of Dapr's envelope (components-contrib `pubsub/envelope.go`), save that every content
type keeps its exact bytes, where daprd re-serialises JSON, replaces what is not UTF-8 in text, and empties
types it does not know (`_strict.py` does as daprd).
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from dapr.proto.runtime.v1 import appcallback_pb2
from google.protobuf import json_format

from virtufin_examples.bus._port import CLOUDEVENT_JSON
from virtufin_examples.bus.embedded._content import (
    BINARY_CONTENT_TYPE,
    JSON_CONTENT_TYPE,
    holds_json,
    is_binary,
    is_json,
    media_type,
)
from virtufin_examples.bus.embedded._message import PUBSUB_NAME, Message, build_message
from virtufin_examples.bus.embedded._metadata import cloudevent_overrides, ttl_seconds
from virtufin_examples.bus.embedded._statuses import RefusedError
from virtufin_examples.errors import InvalidInputError

DEFAULT_CONTENT_TYPE = "text/plain"
DEFAULT_TYPE = "com.dapr.event.sent"
DEFAULT_SOURCE = "Dapr"
SPEC_VERSION = "1.0"
STREAM_PATH = "/"
MAX_NESTING = 16  # of extensions

_DATA_FIELDS = frozenset(("data", "data_base64"))
_EVENT_FIELDS = frozenset(("id", "source", "type", "specversion", "datacontenttype"))
_TRACE_FIELDS = ("traceid", "traceparent", "tracestate")


@dataclass(frozen=True, slots=True)
class Moment:
    """One point in time: by the broker's clock, in seconds, and as Unix time, in seconds."""

    clock: float
    unix: float


@dataclass(frozen=True, slots=True)
class Publish:
    """A publish request, or one entry of a bulk request; names of metadata are in lower case.

    `strict`: data without a content type have none, as with daprd, instead of being JSON.
    """

    app_id: str
    topic: str
    data: bytes
    content_type: str
    metadata: Mapping[str, str]
    strict: bool = False


def cloud_event(request: Publish, moment: Moment) -> Message:
    """Return the event of a message published without `rawPayload`.

    Raises `InvalidInputError` for a structured CloudEvent that is none, and for a bad time to live.
    """
    if media_type(request.content_type) == CLOUDEVENT_JSON:
        return event_from_structured(request, moment)
    return _enveloped(request, moment)


def raw_event(data: bytes, topic: str) -> Message:
    """Return the event that stands for an opaque payload."""
    event = _event(str(uuid.uuid4()), DEFAULT_SOURCE, DEFAULT_TYPE, BINARY_CONTENT_TYPE, topic)
    return build_message(event, data, {"topic": topic, "pubsubname": PUBSUB_NAME})


def event_from_structured(request: Publish, moment: Moment) -> Message:
    """Return the event that the data hold in CloudEvents' JSON format.

    Its free attributes become extensions; Dapr's own (topic, pubsubname, trace, time) are added.
    Raises `InvalidInputError` when the data hold none.
    """
    try:
        attributes = msgspec.json.decode(request.data, type=dict[str, msgspec.Raw])
        given = {
            name: msgspec.json.decode(value) for name, value in attributes.items() if name not in _DATA_FIELDS
        }
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(
            f"data for topic {request.topic!r} are no CloudEvent: {error}",
            reason="DAPR_PUBSUB_CLOUD_EVENT_CREATION",
            hint=f"content type {CLOUDEVENT_JSON} asks for a JSON object",
        ) from error
    content_type = _attribute(given, "datacontenttype", "")
    data, content_type = _structured_data(
        attributes, content_type, "" if request.strict else JSON_CONTENT_TYPE
    )
    event = _event(
        _attribute(given, "id", "") or str(uuid.uuid4()),
        _attribute(given, "source", DEFAULT_SOURCE),
        _attribute(given, "type", DEFAULT_TYPE),
        content_type,
        request.topic,
    )
    event.spec_version = _attribute(given, "specversion", SPEC_VERSION)
    extensions = {name: value for name, value in given.items() if name not in _EVENT_FIELDS}
    for name, value in extensions.items():
        _check_extension(name, value, MAX_NESTING)
    extensions["topic"] = request.topic
    extensions["pubsubname"] = PUBSUB_NAME
    for name in _TRACE_FIELDS:
        extensions.setdefault(name, "")
    extensions.setdefault("time", rfc3339(int(moment.unix)))
    expires_at = _expiry(request.metadata, moment, extensions)
    return build_message(event, data, extensions, expires_at)


def structured(message: Message, *, exact: bool = True) -> bytes:
    """Return the event of `message` in CloudEvents' JSON format.

    Data are JSON, base64 of bytes, or a string, by their content type, as in daprd's envelope. What is not
    UTF-8 and should be a string is base64 as well; without `exact` it is damaged instead, as by daprd.
    """
    event = appcallback_pb2.TopicEventRequest.FromString(message.body)
    envelope: dict[str, object] = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "specversion": event.spec_version,
        **json_format.MessageToDict(event.extensions),
    }
    content_type = event.data_content_type
    if content_type:
        envelope["datacontenttype"] = content_type
    if (not content_type or is_json(content_type)) and holds_json(event.data):
        envelope["data"] = msgspec.Raw(event.data)
    elif is_binary(content_type) or (exact and not _is_utf8(event.data)):
        envelope["data_base64"] = base64.b64encode(event.data).decode()
    else:
        envelope["data"] = event.data.decode(errors="replace")
    return msgspec.json.encode(envelope)


@functools.lru_cache(maxsize=64)
def rfc3339(unix_seconds: int) -> str:
    """Return a time as daprd writes it: UTC, whole seconds."""
    return dt.datetime.fromtimestamp(unix_seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _enveloped(request: Publish, moment: Moment) -> Message:
    extensions: dict[str, object] = {
        "pubsubname": PUBSUB_NAME,
        "time": rfc3339(int(moment.unix)),
        "topic": request.topic,
        "traceid": "",
        "traceparent": "",
        "tracestate": "",
    }
    event_id, source, event_type = "", request.app_id, DEFAULT_TYPE
    expires_at = None
    if request.metadata:
        given = cloudevent_overrides(request.metadata)
        event_id = given.pop("id", "")
        source = given.pop("source", source)
        event_type = given.pop("type", event_type)
        extensions.update(given)
        expires_at = _expiry(request.metadata, moment, extensions)
    event = _event(
        event_id or str(uuid.uuid4()),
        source,
        event_type,
        request.content_type or DEFAULT_CONTENT_TYPE,
        request.topic,
    )
    return build_message(event, request.data, extensions, expires_at)


def _structured_data(
    attributes: Mapping[str, msgspec.Raw], content_type: str, default_type: str
) -> tuple[bytes, str]:
    """Return the data and their content type (CloudEvents JSON format 1.0.2, section 3.1).

    JSON stays as it is written. Data without a content type are JSON, whatever `default_type` calls it.
    """
    encoded = attributes.get("data_base64")
    if encoded is not None:
        try:
            data = base64.b64decode(msgspec.json.decode(encoded, type=str), validate=True)
        except ValueError as error:  # both decoders' errors are
            raise InvalidInputError(f"data_base64 of the CloudEvent is no base64: {error}") from error
        return data, content_type
    member = attributes.get("data")
    if member is None:
        return b"", content_type
    text = bytes(member)
    if not content_type:
        return text, default_type
    if text.startswith(b'"') and not is_json(content_type) and not media_type(content_type).endswith("+json"):
        return msgspec.json.decode(text, type=str).encode(), content_type
    return text, content_type


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _event(
    event_id: str, source: str, event_type: str, content_type: str, topic: str
) -> appcallback_pb2.TopicEventRequest:
    return appcallback_pb2.TopicEventRequest(
        id=event_id,
        source=source,
        type=event_type,
        spec_version=SPEC_VERSION,
        data_content_type=content_type,
        topic=topic,
        pubsub_name=PUBSUB_NAME,
        path=STREAM_PATH,
    )


def _attribute(given: Mapping[str, object], name: str, default: str) -> str:
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise InvalidInputError(f"attribute {name} of the CloudEvent is {value!r}, not a string")
    return value


def _check_extension(name: str, value: object, levels: int) -> None:
    """Refuse what a subscriber could not read: protobuf stops at 100 levels, and its numbers are doubles."""
    if isinstance(value, dict | list):
        if levels == 0:
            raise InvalidInputError(f"attribute {name} of the CloudEvent is nested too deeply")
        for inner in value.values() if isinstance(value, dict) else value:
            _check_extension(name, inner, levels - 1)
    elif isinstance(value, int) and abs(value) > sys.float_info.max:
        raise InvalidInputError(f"attribute {name} of the CloudEvent is too large a number")


def _expiry(metadata: Mapping[str, str], moment: Moment, extensions: dict[str, object]) -> float | None:
    """Return when the message expires by the broker's clock, and note it in the event as daprd does."""
    seconds = ttl_seconds(metadata) if metadata else None
    if seconds is not None:
        extensions["expiration"] = rfc3339(int(moment.unix + seconds))
        return moment.clock + seconds
    stated = extensions.get("expiration")
    if not isinstance(stated, str) or not stated:
        return None
    try:
        until = dt.datetime.fromisoformat(stated)
    except ValueError as error:
        raise InvalidInputError(
            f"expiration of the CloudEvent is {stated!r}", hint="give a time as in 2026-01-31T12:00:00Z"
        ) from error
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return moment.clock + until.timestamp() - moment.unix
