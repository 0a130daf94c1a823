"""Publish and subscribe: what arrives, as what, in which order, with three clients."""

from __future__ import annotations

import asyncio
import json

import pytest
from dapr.clients import BulkPublishEntry

from tests.dapr.clients import Kind
from tests.dapr.differences import expected
from tests.dapr.targets import PUBSUBS

pytestmark = pytest.mark.parametrize("target", PUBSUBS, indirect=True, scope="session")
both_sdks = pytest.mark.parametrize("kind", [Kind.SYNC, Kind.ASYNC], ids=str)

JSON = "application/json"
BYTES = "application/octet-stream"
STRUCTURED = "application/cloudevents+json"
LARGE_INTEGER = 1732108308123456789


async def test_messages_arrive_in_order_and_once(client, topic):
    reader = await client.subscribe(topic)
    sent = [f"message {number}".encode() for number in range(50)]

    async def publish():
        for data in sent:
            await client.publish(topic, data)

    publishing = asyncio.create_task(publish())
    messages = await reader.take_all(50)
    await publishing

    assert [message.data for message in messages] == sent
    assert len({message.id for message in messages}) == 50


async def test_a_plain_message_becomes_a_cloudevent(client, topic):
    reader = await client.subscribe(topic)
    await client.publish(topic, b"x")

    message = await reader.take()

    assert (message.topic, message.source, message.type) == (topic, "conformance", "com.dapr.event.sent")
    assert message.content_type == "text/plain"
    assert {"topic", "pubsubname", "time", "traceid", "traceparent", "tracestate"} <= set(message.extensions)
    assert message.extensions["topic"] == topic
    assert message.extensions["pubsubname"] == "pubsub"


async def test_metadata_override_the_attributes_of_the_cloudevent(client, topic):
    reader = await client.subscribe(topic)
    overrides = {"id": f"id-{topic}", "source": "urn:test", "type": "com.test", "subject": "topic/7"}
    await client.publish(topic, b"x", **{f"cloudevent.{name}": value for name, value in overrides.items()})

    message = await reader.take()

    assert (message.id, message.source, message.type) == (
        f"id-{topic}",
        "urn:test",
        "com.test",
    )
    assert message.extensions["subject"] == "topic/7"


async def test_a_structured_cloudevent_keeps_its_attributes_and_its_text(client, topic):
    reader = await client.subscribe(topic)
    event = {
        "specversion": "1.0",
        "id": f"id-{topic}",
        "source": "urn:test",
        "type": "com.test.frame",
        "datacontenttype": "text/plain",
        "data": '[{"T":"o","S":"BTC/USD"}]',
        "sequence": str(LARGE_INTEGER),
        "level": 3,
        "flag": True,
    }
    await client.publish(topic, json.dumps(event).encode(), STRUCTURED)

    message = await reader.take()

    assert (message.id, message.source, message.type) == (
        f"id-{topic}",
        "urn:test",
        "com.test.frame",
    )
    assert message.data == event["data"].encode()
    assert message.content_type == "text/plain"
    assert message.extensions["sequence"] == str(LARGE_INTEGER)
    assert (message.extensions["level"], message.extensions["flag"]) == (3, True)


async def test_a_structured_cloudevent_keeps_its_bytes(client, topic):
    reader = await client.subscribe(topic)
    event = {
        "specversion": "1.0",
        "id": f"id-{topic}",
        "source": "urn:test",
        "type": "com.test.frame",
        "datacontenttype": BYTES,
        "data_base64": "AP+A",
    }
    await client.publish(topic, json.dumps(event).encode(), STRUCTURED)

    message = await reader.take()

    assert (message.data, message.content_type) == (b"\x00\xff\x80", BYTES)


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("text/plain", "Grüße, 市场\n".encode()),
        ("text/plain;charset=utf-8", b"with a parameter"),
        ("application/xml", b"<a>1</a>"),
        (BYTES, bytes(range(256))),
        (f"{BYTES};schema=virtufin.v1.FrameBatch", bytes(range(256))),
        ("text/plain", b""),
    ],
    ids=["text", "text with a parameter", "xml", "bytes", "bytes with a schema", "empty"],
)
async def test_what_travels_exactly(client, topic, content_type, data):
    reader = await client.subscribe(topic)
    await client.publish(topic, data, content_type)

    message = await reader.take()

    assert (message.data, message.content_type) == (data, content_type)


async def test_json_arrives_as_the_same_value(client, topic):
    reader = await client.subscribe(topic)
    await client.publish(topic, b'{"b": 1.5, "a": [true, null, "x"]}', JSON)

    message = await reader.take()

    assert json.loads(message.data) == {"b": 1.5, "a": [True, None, "x"]}
    assert message.content_type == JSON


@pytest.mark.parametrize(
    ("key", "content_type", "data"),
    [
        ("json", JSON, b'{"z": 1732108308123456789, "a": 1}'),
        ("other types", "application/vnd.apache.arrow.stream", b"\x08\x96\x01"),
        ("text that is not UTF-8", "text/plain", b"\xff\xfe"),
    ],
)
async def test_what_does_not_travel_everywhere(client, topic, target, key, content_type, data):
    reader = await client.subscribe(topic)
    await client.publish(topic, data, content_type)

    message = await reader.take()

    assert _fate(message.data, data) == expected(key, target.target)


def _fate(received: bytes, sent: bytes) -> str:
    """Say in a word what became of the data."""
    if received == sent:
        return "exact bytes"
    if not received:
        return "empty"
    if b"\xef\xbf\xbd" in received:
        return "damaged"
    return "written anew, rounded" if b"1732108308123456800" in received else repr(received)


@pytest.mark.parametrize("size", [200_000, 700_000])
async def test_messages_as_large_as_batches(client, topic, size):
    reader = await client.subscribe(topic)
    data = bytes(index % 251 for index in range(1000)) * (size // 1000)
    await client.publish(topic, data, BYTES)

    message = await reader.take()

    assert message.data == data


async def test_the_largest_message(client, topic, target):
    reader = await client.subscribe(topic)
    data = b"\x5a" * (12 * 1024 * 1024)
    try:
        await client.publish(topic, data, BYTES)
    except Exception as error:  # noqa: BLE001 - each client has its own
        outcome = "refused" if "max_payload" in str(error) or "maximum payload" in str(error) else repr(error)
    else:
        outcome = "delivered" if (await reader.take()).data == data else "damaged"

    assert outcome == expected("12 MiB", target.target)


async def test_raw_payloads_pass_without_an_envelope(client, topic):
    reader = await client.subscribe(topic, metadata={"rawPayload": "true"})
    await client.publish(topic, b"\x00\x01\xff", BYTES, rawPayload="true")

    message = await reader.take()

    assert (message.data, message.source, message.content_type) == (b"\x00\x01\xff", "Dapr", BYTES)


async def test_an_expired_message_is_not_delivered(client, topic):
    reader = await client.subscribe(topic)
    expired = {"specversion": "1.0", "id": f"id-{topic}", "source": "urn:test", "type": "t", "data": 1}
    expired["expiration"] = "2020-01-01T00:00:00Z"
    await client.publish(topic, json.dumps(expired).encode(), STRUCTURED)
    await client.publish(topic, b"long-lived", ttlInSeconds="60")

    assert (await reader.take()).data == b"long-lived"


@both_sdks
async def test_bulk_entries_arrive_with_their_own_types(client, topic, kind):
    reader = await client.subscribe(topic)
    publishing = asyncio.create_task(
        client.publish_bulk(
            topic,
            [
                "text",
                b"\x00\xff",
                BulkPublishEntry(event='{"a":1}', content_type=JSON),
                BulkPublishEntry(event="x", metadata={"cloudevent.id": f"id-{topic}"}),
            ],
        )
    )
    messages = {message.data: message for message in await reader.take_all(4)}
    answer = await publishing

    assert answer.failed_entries == []
    assert {data: message.content_type for data, message in messages.items()} == {
        b"text": "text/plain",
        b"\x00\xff": BYTES,
        b'{"a":1}': JSON,
        b"x": "text/plain",
    }
    assert messages[b"x"].id == f"id-{topic}"
