"""CloudEvents on their way to the bus and back."""

from __future__ import annotations

import base64
import json

import pytest
from google.protobuf.any_pb2 import Any
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples._generated.io.cloudevents.v1.cloudevents_pb2 import CloudEvent
from virtufin_examples.bus import Event
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.gateway._cloudevents import from_event, to_structured


def event(**values) -> CloudEvent:
    content_type = values.pop("content_type", None)
    message = CloudEvent(**{"id": "1", "source": "s", "type": "t", "spec_version": "1.0", **values})
    if content_type is not None:
        message.attributes["datacontenttype"].ce_string = content_type
    return message


def delivered(structured: bytes) -> Event:
    """What a bus that changes nothing hands out."""
    fields = json.loads(structured)
    content_type = fields.pop("datacontenttype", "")
    if "data_base64" in fields:
        data = base64.b64decode(fields.pop("data_base64"))
    elif content_type == "application/json":
        data = json.dumps(fields.pop("data")).encode()
    else:
        data = fields.pop("data", "").encode()
    fields.pop("specversion")
    named = {name: fields.pop(name) for name in ("id", "source", "type")}
    return Event(topic="x", data=data, content_type=content_type, extensions=fields, **named)


@pytest.mark.parametrize("field", ["id", "source", "type", "spec_version"])
def test_a_missing_attribute_is_named(field: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"cloudevent\.{field} is empty"):
        to_structured(event(**{field: ""}))


@pytest.mark.parametrize("name", ["Camel", "with_line", "with-dash", "", "ä"])
def test_an_illegal_attribute_name_is_refused(name: str) -> None:
    message = event()
    message.attributes[name].ce_string = "x"
    with pytest.raises(InvalidInputError, match="no legal attribute name"):
        to_structured(message)


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion", "data"])
def test_a_reserved_attribute_name_is_refused(name: str) -> None:
    message = event()
    message.attributes[name].ce_string = "x"
    with pytest.raises(InvalidInputError, match="reserved"):
        to_structured(message)


def test_an_attribute_without_a_value_is_refused() -> None:
    message = event()
    message.attributes["x"].SetInParent()
    with pytest.raises(InvalidInputError, match="no value"):
        to_structured(message)


def test_nothing_is_added() -> None:
    assert json.loads(to_structured(event())) == {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}


def test_attributes_of_every_kind_become_json() -> None:
    message = event()
    message.attributes["flag"].ce_boolean = True
    message.attributes["number"].ce_integer = -5
    message.attributes["text"].ce_string = "x"
    message.attributes["blob"].ce_bytes = b"\x00"
    message.attributes["uri"].ce_uri = "http://a"
    message.attributes["ref"].ce_uri_ref = "/a"
    message.attributes["time"].ce_timestamp.FromJsonString("2026-01-02T03:04:05Z")
    fields = json.loads(to_structured(message))
    assert {name: fields[name] for name in message.attributes} == {
        "flag": True,
        "number": -5,
        "text": "x",
        "blob": "AA==",
        "uri": "http://a",
        "ref": "/a",
        "time": "2026-01-02T03:04:05Z",
    }


def test_json_is_embedded_byte_for_byte() -> None:
    text = '{"n": 12345678901234567890, "f": 1.10}'
    assert text.encode() in to_structured(event(content_type="application/json", text_data=text))


def test_text_that_is_not_the_json_it_says_is_refused() -> None:
    for content_type in ("application/json", None):
        with pytest.raises(InvalidInputError, match="text_data is not JSON"):
            to_structured(event(content_type=content_type, text_data="hello"))


def test_protobuf_data_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="proto_data"):
        to_structured(event(proto_data=Any(type_url="a/b")))


def test_text_of_a_type_that_the_bus_does_not_keep_goes_as_bytes() -> None:
    fields = json.loads(to_structured(event(content_type="application/yaml", text_data="a: 1")))
    assert base64.b64decode(fields["data_base64"]) == b"a: 1"


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20).filter(
    lambda name: name not in {"id", "source", "type", "specversion", "data", "time", "datacontenttype"}
)


@given(
    st.dictionaries(names, st.text(min_size=1), max_size=5),
    st.one_of(
        st.tuples(st.just("text/plain"), st.text()),
        st.tuples(st.just("text/csv;charset=utf-8"), st.text()),
        st.tuples(st.just("application/octet-stream"), st.binary()),
        st.tuples(st.just("application/x-thing"), st.binary()),
    ),
)
def test_an_event_comes_back_as_it_went(extensions: dict[str, str], content: tuple[str, str | bytes]) -> None:
    content_type, data = content
    field = "text_data" if isinstance(data, str) else "binary_data"
    message = event(content_type=content_type, **{field: data})
    for name, value in extensions.items():
        message.attributes[name].ce_string = value
    assert from_event(delivered(to_structured(message))) == message


def test_what_the_bus_made_of_numbers_flags_and_times_is_typed_again() -> None:
    extensions = {
        "number": 5.0,
        "large": 2.0**40,
        "part": 0.5,
        "flag": True,
        "time": "2026-01-02T03:04:05Z",
        "empty": "",
        "none": None,
        "nested": {"a": [1.0]},
        "huge": float("inf"),
    }
    message = from_event(Event("1", "x", b"{}", "application/json", "t", "s", extensions))
    kinds = {name: value.WhichOneof("attr") for name, value in message.attributes.items()}
    assert kinds == {
        "datacontenttype": "ce_string",
        "number": "ce_integer",
        "large": "ce_string",
        "part": "ce_string",
        "flag": "ce_boolean",
        "time": "ce_timestamp",
        "nested": "ce_string",
        "huge": "ce_string",
    }
    assert message.attributes["number"].ce_integer == 5
    assert message.text_data == "{}"
    assert message.spec_version == "1.0"


def test_text_that_is_not_utf8_arrives_as_bytes() -> None:
    message = from_event(Event("1", "x", b"\xff", "text/plain", "t", "s", {"time": "yesterday"}))
    assert message.binary_data == b"\xff"
    assert message.attributes["time"].ce_string == "yesterday"
