"""CloudEvents between their protobuf form and the structured JSON that goes over the bus.

CloudEvents 1.0.2: "JSON Event Format" sections 2.2 (types), 3.1 (data); "Protobuf Event Format" section 2.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from virtufin_examples._generated.io.cloudevents.v1 import cloudevents_pb2
from virtufin_examples.bus import Event
from virtufin_examples.errors import InvalidInputError

SPEC_VERSION = "1.0"

_LEGAL_NAME = re.compile(r"[a-z0-9]+")
_RESERVED = frozenset(("id", "source", "specversion", "type", "data"))
_CONTENT_TYPE = "datacontenttype"
_INT32_LIMIT = 2**31

Value = cloudevents_pb2.CloudEvent.CloudEventAttributeValue


def to_structured(event: cloudevents_pb2.CloudEvent) -> bytes:
    """Return `event` as structured JSON; nothing is added.

    Raises `InvalidInputError` naming the field: a required attribute is missing, an attribute's name is
    illegal or its value is not set, or the data do not fit their content type.
    """
    check_required({name: getattr(event, name) for name in ("id", "source", "type", "spec_version")})
    check_names(event.attributes)
    envelope: dict[str, object] = {
        "specversion": event.spec_version,
        "id": event.id,
        "source": event.source,
        "type": event.type,
    }
    for name, value in event.attributes.items():
        envelope[name] = _plain(name, value)
    envelope.update(_data(event, str(envelope.get(_CONTENT_TYPE, ""))))
    return msgspec.json.encode(envelope)


def from_event(event: Event) -> cloudevents_pb2.CloudEvent:
    """Return a delivered event in its protobuf form; attributes without a value are left out."""
    message = cloudevents_pb2.CloudEvent(
        id=event.id, source=event.source, type=event.type, spec_version=SPEC_VERSION
    )
    if event.content_type:
        message.attributes[_CONTENT_TYPE].ce_string = event.content_type
    for name, value in event.extensions.items():
        if value is not None and value != "":
            message.attributes[name].CopyFrom(_value(name, value))
    if is_text(event.content_type) or is_json(event.content_type):
        try:
            message.text_data = event.data.decode()
        except UnicodeDecodeError:  # mislabelled by its publisher: the bytes are what counts
            message.binary_data = event.data
    else:
        message.binary_data = event.data
    return message


def check_required(attributes: Mapping[str, object]) -> None:
    """Raise `InvalidInputError` naming the first attribute without a value."""
    for name, value in attributes.items():
        if not value or not isinstance(value, str):
            raise InvalidInputError(
                f"cloudevent.{name} is {'empty' if value in (None, '') else repr(value)}",
                hint="a CloudEvent needs id, source, type and spec_version; the gateway adds none",
            )


def check_names(names: Iterable[str]) -> None:
    """Raise `InvalidInputError` naming the first illegal attribute name (CloudEvents 1.0.2, section 3.1)."""
    for name in names:
        if name in _RESERVED:
            raise InvalidInputError(
                f"cloudevent.attributes[{name!r}] is reserved", hint=f"use the event's own field for {name}"
            )
        if not _LEGAL_NAME.fullmatch(name):
            raise InvalidInputError(
                f"cloudevent.attributes[{name!r}] is no legal attribute name",
                hint=f"lower-case letters and digits only, as in {_legalised(name)!r}",
            )


def is_json(content_type: str) -> bool:
    """Whether data of this content type are JSON."""
    return _media_type(content_type) == "application/json"


def is_text(content_type: str) -> bool:
    """Whether data of this content type are text that the bus keeps as it is."""
    return _media_type(content_type).startswith("text/")


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _legalised(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower()) or "name"


def _plain(name: str, value: Value) -> object:
    kind = value.WhichOneof("attr")
    if kind is None:
        raise InvalidInputError(
            f"cloudevent.attributes[{name!r}] has no value", hint="set ce_string, or leave it out"
        )
    if kind == "ce_timestamp":
        return value.ce_timestamp.ToJsonString()
    if kind == "ce_bytes":
        return base64.b64encode(value.ce_bytes).decode()
    plain: object = getattr(value, kind)
    return plain


def _data(event: cloudevents_pb2.CloudEvent, content_type: str) -> dict[str, object]:
    kind = event.WhichOneof("data")
    if kind is None:
        return {}
    if kind == "proto_data":
        raise InvalidInputError(
            "cloudevent.proto_data cannot go over the bus", hint="put the encoded message into binary_data"
        )
    if kind == "binary_data":
        return {"data_base64": base64.b64encode(event.binary_data).decode()}
    text = event.text_data
    if is_text(content_type):
        return {"data": text}
    if not is_json(content_type) and content_type:
        # As `data` a sidecar would empty it: it keeps a string of text/* only.
        return {"data_base64": base64.b64encode(text.encode()).decode()}
    if not text:
        return {}
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidInputError(
            f"cloudevent.text_data is not JSON, as datacontenttype {content_type or 'application/json'} "
            f"says: {error}",
            hint="set datacontenttype to text/plain for plain text",
        ) from error
    return {"data": msgspec.Raw(text.encode())}


def _value(name: str, value: object) -> Value:
    if name == "time" and isinstance(value, str):
        moment = Timestamp()
        try:
            moment.FromJsonString(value)
        except ValueError:
            return Value(ce_string=value)
        return Value(ce_timestamp=moment)
    if isinstance(value, str):
        return Value(ce_string=value)
    if isinstance(value, bool):
        return Value(ce_boolean=value)
    if isinstance(value, int | float) and -_INT32_LIMIT <= value < _INT32_LIMIT and value == int(value):
        return Value(ce_integer=int(value))  # the bus makes every number a float
    return Value(ce_string=msgspec.json.encode(value).decode())
