from __future__ import annotations

import base64
import json

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from tests.bus.embedded.events import event, publish, seeded
from virtufin_examples.errors import InvalidInputError

CLOUDEVENT = "application/cloudevents+json"


def _extensions(message):
    return json_format.MessageToDict(event(message).extensions)


@seeded
@given(
    st.binary(max_size=500),
    st.sampled_from(
        [
            "application/octet-stream",
            "application/octet-stream;schema=virtufin.v1.FrameBatch",
            "application/json",
            "application/x-protobuf",
            "application/vnd.apache.arrow.stream",
            "text/plain",
            "text/csv; charset=utf-8",
        ]
    ),
)
def test_every_content_type_keeps_its_exact_bytes(data, content_type):
    message = event(publish(data, content_type=content_type).view(raw=False))

    assert message.data == data
    assert message.data_content_type == content_type


def test_json_is_not_reserialised():
    data = b'{"b" : 1732108308123456789,\n "a":"\\u00e9", "b":2}'

    assert event(publish(data, content_type="application/json").view(raw=False)).data == data


def test_the_envelope_is_daprs():
    message = publish(b"hello", topic="orders", content_type="", app_id="shop").view(raw=False)

    built = event(message)
    assert (built.source, built.type, built.spec_version) == ("shop", "com.dapr.event.sent", "1.0")
    assert (built.topic, built.pubsub_name, built.path) == ("orders", "pubsub", "/")
    assert built.data_content_type == "text/plain"
    assert len(built.id) == 36
    assert _extensions(message) == {
        "topic": "orders",
        "pubsubname": "pubsub",
        "time": "2023-11-14T22:13:20Z",
        "traceid": "",
        "traceparent": "",
        "tracestate": "",
    }


def test_metadata_override_attributes_whatever_their_case():
    metadata = {
        "cloudevent.id": "my-id",
        "CloudEvent.Source": "urn:me",
        "cloudevent.type": "my.type",
        "cloudevent.subject": "topic/17",
        "cloudevent.traceparent": "00-1-2-01",
        "cloudevent.tracestate": "a=b",
    }
    message = publish(metadata=metadata).view(raw=False)

    assert (event(message).id, event(message).source, event(message).type) == ("my-id", "urn:me", "my.type")
    extensions = _extensions(message)
    assert extensions["subject"] == "topic/17"
    assert extensions["traceparent"] == extensions["traceid"] == "00-1-2-01"
    assert extensions["tracestate"] == "a=b"


def test_free_attributes_of_a_structured_cloudevent_come_out_as_extensions():
    structured = {
        "specversion": "1.0",
        "id": "c-7",
        "source": "urn:com.virtufin.websocketmanager",
        "type": "com.virtufin.websocketmanager.frame",
        "datacontenttype": "text/plain",
        "data": 'tick "é" \n',
        "connectionid": "c",
        "sequence": "1732108308123456789",
        "count": 3,
        "live": True,
    }
    message = publish(json.dumps(structured).encode(), content_type=CLOUDEVENT).view(raw=False)

    assert event(message).data == 'tick "é" \n'.encode()
    assert event(message).id == "c-7"
    assert event(message).source == "urn:com.virtufin.websocketmanager"
    assert event(message).type == "com.virtufin.websocketmanager.frame"
    extensions = _extensions(message)
    assert extensions["connectionid"] == "c"
    assert extensions["sequence"] == "1732108308123456789"
    assert (extensions["count"], extensions["live"]) == (3, True)
    assert (extensions["topic"], extensions["pubsubname"]) == ("topic", "pubsub")
    assert not {"id", "source", "type", "data", "datacontenttype", "specversion"} & set(extensions)


@seeded
@given(st.binary(max_size=300))
def test_data_base64_comes_out_as_bytes(data):
    structured = {
        "id": "1",
        "datacontenttype": "application/octet-stream",
        "data_base64": base64.b64encode(data).decode(),
    }

    assert (
        event(publish(json.dumps(structured).encode(), content_type=CLOUDEVENT).view(raw=False)).data == data
    )


def test_structured_json_data_stay_as_written():
    body = b'{"id":"1","datacontenttype":"application/json","data": {"n":1732108308123456789, "m" :1.0}}'

    assert event(publish(body, content_type=CLOUDEVENT).view(raw=False)).data == (
        b'{"n":1732108308123456789, "m" :1.0}'
    )


def test_a_structured_event_without_attributes_gets_defaults():
    message = publish(b'{"data":{"a":1}}', content_type="application/cloudevents+json; charset=utf-8").view(
        raw=False
    )

    built = event(message)
    assert (built.source, built.type, built.spec_version) == ("Dapr", "com.dapr.event.sent", "1.0")
    assert (built.data, built.data_content_type) == (b'{"a":1}', "application/json")
    assert built.id


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[1]",
        b'{"id":"1","data_base64":"?"}',
        b'{"id":"1","data_base64":7}',
        '{"id":"1","data_base64":"é"}'.encode(),
        b'{"id":"1","expiration":"soon"}',
        b'{"id":"\xff"}',
        b'{"id":7}',
        b'{"id":"\\ud800"}',
        b'{"a":' + b"9" * 400 + b"}",
        b'{"a":' + b"[" * 17 + b"]" * 17 + b"}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_bad_structured_event_is_refused(body):
    with pytest.raises(InvalidInputError):
        publish(body, content_type=CLOUDEVENT)


@pytest.mark.parametrize(
    ("metadata", "seconds"),
    [
        ({"ttlInSeconds": "5"}, 5),
        ({"TTLINSECONDS": "5"}, 5),
        ({"ttl": "1m30s"}, 90),
        ({"ttl": "250ms"}, 0.25),
    ],
)
def test_a_time_to_live_sets_the_expiry_and_says_so(metadata, seconds):
    message = publish(metadata=metadata, clock=100.0).view(raw=False)

    assert message is not None
    assert message.expires_at == pytest.approx(100.0 + seconds)
    assert "expiration" in _extensions(message)


def test_the_expiration_of_a_structured_event_counts():
    body = b'{"id":"1","expiration":"2023-11-14T22:13:25Z"}'
    message = publish(body, content_type=CLOUDEVENT, clock=100.0).view(raw=False)

    assert message is not None
    assert message.expires_at == pytest.approx(105.0)


@pytest.mark.parametrize("given_ttl", ["0", "-1", "soon", "1.5", "10000000000", "²", "5x", "0s"])
def test_a_bad_time_to_live_is_refused_with_the_value(given_ttl):
    with pytest.raises(InvalidInputError, match="ttlInSeconds") as caught:
        publish(metadata={"ttlInSeconds": given_ttl})
    assert repr(given_ttl) in str(caught.value)


def test_raw_bytes_come_out_as_they_went_in():
    message = event(publish(b"\x00\xff", raw=True).view(raw=True))

    assert (message.data, message.data_content_type, message.source) == (
        b"\x00\xff",
        "application/octet-stream",
        "Dapr",
    )


def test_raw_bytes_are_no_event_unless_they_hold_one():
    assert publish(b"\x00\xff", raw=True).view(raw=False) is None
    held = publish(b'{"id":"7","datacontenttype":"text/plain","data":"x"}', raw=True)
    assert event(held.view(raw=False)).id == "7"
    assert event(held.dead_letter("dead").view(raw=False)).topic == "dead"


@pytest.mark.parametrize(
    ("content_type", "data", "member"),
    [
        ("application/json", b'{"a":1}', ("data", {"a": 1})),
        ("application/json", b"{broken", ("data", "{broken")),
        ("application/json", b"{\xff", ("data_base64", base64.b64encode(b"{\xff").decode())),
        ("text/plain", b"hello", ("data", "hello")),
        ("application/octet-stream", b"\xff", ("data_base64", "/w==")),
    ],
)
def test_a_raw_subscriber_gets_an_event_in_its_json_form(content_type, data, member):
    message = event(publish(data, content_type=content_type).view(raw=True))

    envelope = json.loads(message.data)
    assert envelope[member[0]] == member[1]
    assert (envelope["topic"], envelope["datacontenttype"]) == ("topic", content_type)
    assert message.data_content_type == "application/octet-stream"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
_NAMES = st.sampled_from(
    [
        "id",
        "source",
        "type",
        "specversion",
        "datacontenttype",
        "data",
        "data_base64",
        "time",
        "expiration",
        "topic",
    ]
)


@seeded
@given(st.dictionaries(_NAMES | st.text(max_size=5), _JSON, max_size=8), st.booleans())
def test_whatever_is_published_is_refused_or_can_be_read(attributes, raw):
    try:
        published = publish(json.dumps(attributes).encode(), content_type=CLOUDEVENT)
    except InvalidInputError:
        return

    message = published.view(raw=raw)

    assert event(message).id
    assert _extensions(message)["topic"] == "topic"
    assert event(published.dead_letter("dead").view(raw=raw)).topic == "dead"
