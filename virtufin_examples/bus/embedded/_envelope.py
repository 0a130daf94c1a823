"""From a publish request to the event that subscribers get.

The rules are those of Dapr's envelope (components-contrib `pubsub/envelope.go`), save that every content
type keeps its exact bytes, where daprd re-serialises JSON, replaces what is not UTF-8 in text, and empties
types it does not know.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import functools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from dapr.proto.runtime.v1 import appcallback_pb2
from google.protobuf import json_format

from virtufin_examples.bus._port import CLOUDEVENT_JSON
from virtufin_examples.bus.embedded._message import PUBSUB_NAME, Message, build_message
from virtufin_examples.errors import InvalidInputError

DEFAULT_CONTENT_TYPE = "text/plain"
RAW_CONTENT_TYPE = "application/octet-stream"
DEFAULT_TYPE = "com.dapr.event.sent"
DEFAULT_SOURCE = "Dapr"
SPEC_VERSION = "1.0"
STREAM_PATH = "/"

RAW_PAYLOAD = "rawPayload"
TTL_SECONDS = "ttlInSeconds"

_OVERRIDES = ("id", "source", "type", "subject", "traceid", "traceparent", "tracestate")
_OVERRIDE_PREFIX = "cloudevent."
_EVENT_FIELDS = frozenset(("id", "source", "type", "specversion", "datacontenttype", "data", "data_base64"))


@dataclass(frozen=True, slots=True)
class Moment:
    """One point in time: by the broker's clock, in seconds, and as Unix time, in seconds."""

    clock: float
    unix: float


@dataclass(frozen=True, slots=True)
class Publish:
    """A publish request, or one entry of a bulk request."""

    app_id: str
    topic: str
    data: bytes
    content_type: str
    metadata: Mapping[str, str]
    raw: bool


class CloudEventPublication:
    """A CloudEvent: built once, shared by all its subscribers."""

    __slots__ = ("_message", "_raw", "_topic")

    def __init__(self, message: Message, topic: str) -> None:
        self._message = message
        self._topic = topic
        self._raw: Message | None = None

    def view(self, *, raw: bool) -> Message | None:
        """Return the event; to a `rawPayload` subscriber, its JSON form as an opaque payload."""
        if not raw:
            return self._message
        if self._raw is None:
            self._raw = raw_message(structured(self._message), self._topic)
        return self._raw

    def undecoded(self) -> Message:
        """Return the event."""
        return self._message


class RawPublication:
    """Bytes published with `rawPayload`: who does not subscribe with it reads them as a CloudEvent."""

    __slots__ = ("_event", "_message", "_moment", "_request")

    def __init__(self, request: Publish, moment: Moment) -> None:
        self._request = request
        self._moment = moment
        self._message = raw_message(request.data, request.topic)
        self._event: Message | None = None

    def view(self, *, raw: bool) -> Message | None:
        """Return the bytes, or the CloudEvent that they hold, None when they hold none."""
        if raw:
            return self._message
        if self._event is None:
            try:
                self._event = _from_structured(self._request, self._moment)
            except InvalidInputError:
                return None
        return self._event

    def undecoded(self) -> Message:
        """Return the bytes as a raw subscriber sees them."""
        return self._message


def publication(request: Publish, moment: Moment) -> CloudEventPublication | RawPublication:
    """Return what subscribers get; raises `InvalidInputError` for a bad CloudEvent or time to live."""
    if request.raw:
        return RawPublication(request, moment)
    if request.content_type.partition(";")[0].strip().lower() == CLOUDEVENT_JSON:
        return CloudEventPublication(_from_structured(request, moment), request.topic)
    return CloudEventPublication(_enveloped(request, moment), request.topic)


def raw_message(data: bytes, topic: str) -> Message:
    """Return the event that stands for an opaque payload."""
    event = _event(str(uuid.uuid4()), DEFAULT_SOURCE, DEFAULT_TYPE, RAW_CONTENT_TYPE, data, topic)
    return build_message(event, {"topic": topic, "pubsubname": PUBSUB_NAME})


def structured(message: Message) -> bytes:
    """Return the event of `message` as a structured CloudEvent in JSON."""
    event = appcallback_pb2.TopicEventRequest.FromString(message.body)
    envelope: dict[str, object] = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "specversion": event.spec_version,
        "datacontenttype": event.data_content_type,
        **json_format.MessageToDict(event.extensions),
    }
    if _is_json(event.data_content_type) and _holds_json(event.data):
        envelope["data"] = msgspec.Raw(event.data)
    elif _is_text(event.data_content_type):
        envelope["data"] = event.data.decode(errors="replace")
    else:
        envelope["data_base64"] = base64.b64encode(event.data).decode()
    return msgspec.json.encode(envelope)


def _enveloped(request: Publish, moment: Moment) -> Message:
    metadata = request.metadata
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
    if metadata:
        given = _overrides(metadata)
        event_id = given.pop("id", "")
        source = given.pop("source", source)
        event_type = given.pop("type", event_type)
        extensions.update(given)
        expires_at = _expiry(metadata, moment, extensions)
    event = _event(
        event_id or str(uuid.uuid4()),
        source,
        event_type,
        request.content_type or DEFAULT_CONTENT_TYPE,
        request.data,
        request.topic,
    )
    return build_message(event, extensions, expires_at)


def _from_structured(request: Publish, moment: Moment) -> Message:
    try:
        attributes = msgspec.json.decode(request.data, type=dict[str, msgspec.Raw])
        given = {
            name: msgspec.json.decode(value)
            for name, value in attributes.items()
            if name not in ("data", "data_base64")
        }
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"data of topic {request.topic!r} is no CloudEvent in JSON: {error}",
            hint=f"content type {CLOUDEVENT_JSON} asks for a JSON object",
        ) from error
    given.update(_overrides(request.metadata))
    content_type = str(given.get("datacontenttype") or "")
    event = _event(
        str(given.get("id") or uuid.uuid4()),
        str(given.get("source") or DEFAULT_SOURCE),
        str(given.get("type") or DEFAULT_TYPE),
        content_type,
        _structured_data(attributes, content_type),
        request.topic,
    )
    event.spec_version = str(given.get("specversion") or SPEC_VERSION)
    extensions = {name: value for name, value in given.items() if name not in _EVENT_FIELDS}
    extensions["topic"] = request.topic
    extensions["pubsubname"] = PUBSUB_NAME
    for name in ("traceid", "traceparent", "tracestate"):
        extensions.setdefault(name, "")
    extensions.setdefault("time", rfc3339(int(moment.unix)))
    expires_at = _expiry(request.metadata, moment, extensions)
    return build_message(event, extensions, expires_at)


def _structured_data(attributes: Mapping[str, msgspec.Raw], content_type: str) -> bytes:
    """Return the data of a structured CloudEvent (CloudEvents JSON format 1.0.2, section 3.1)."""
    encoded = attributes.get("data_base64")
    if encoded is not None:
        try:
            return base64.b64decode(msgspec.json.decode(encoded, type=str), validate=True)
        except (msgspec.ValidationError, binascii.Error) as error:
            raise InvalidInputError(f"data_base64 of the CloudEvent is no base64: {error}") from error
    data = attributes.get("data")
    if data is None:
        return b""
    text = bytes(data)
    if text.startswith(b'"') and content_type and not _is_json(content_type):
        return msgspec.json.decode(text, type=str).encode()
    return text


def _event(
    event_id: str, source: str, event_type: str, content_type: str, data: bytes, topic: str
) -> appcallback_pb2.TopicEventRequest:
    return appcallback_pb2.TopicEventRequest(
        id=event_id,
        source=source,
        type=event_type,
        spec_version=SPEC_VERSION,
        data_content_type=content_type,
        topic=topic,
        data=data,
        pubsub_name=PUBSUB_NAME,
        path=STREAM_PATH,
    )


def _overrides(metadata: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in _OVERRIDES:
        value = metadata.get(_OVERRIDE_PREFIX + name, "")
        if value:
            found[name] = value
    return found


def _expiry(metadata: Mapping[str, str], moment: Moment, extensions: dict[str, object]) -> float | None:
    """Return when the message expires, and note it in the event as daprd does."""
    given = metadata.get(TTL_SECONDS, "")
    if given:
        seconds = ttl_seconds(given)
        extensions["expiration"] = rfc3339(int(moment.unix + seconds))
        return moment.clock + seconds
    stated = extensions.get("expiration")
    if not isinstance(stated, str) or not stated:
        return None
    try:
        until = dt.datetime.fromisoformat(stated)
    except ValueError as error:
        raise InvalidInputError(f"expiration {stated!r} of the CloudEvent is no RFC 3339 time") from error
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return moment.clock + until.timestamp() - moment.unix


def ttl_seconds(given: str) -> int:
    """Return a time to live in seconds; raises `InvalidInputError` unless it is a positive number."""
    if not given.isascii() or not given.isdigit() or int(given) < 1:
        raise InvalidInputError(
            f"{TTL_SECONDS} is {given!r}", hint="give a whole number of seconds from 1 on"
        )
    return int(given)


@functools.lru_cache(maxsize=64)
def rfc3339(unix_seconds: int) -> str:
    """Return a time as daprd writes it: UTC, whole seconds."""
    moment = dt.datetime.fromtimestamp(unix_seconds, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def _is_text(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type.startswith("text/") or media_type == "application/xml"


def _holds_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
