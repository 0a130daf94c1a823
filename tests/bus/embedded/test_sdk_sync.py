"""The unmodified, synchronous `dapr` SDK against a runtime in a process of its own."""

from __future__ import annotations

import json
import threading
import uuid

import grpc
import pytest
from dapr.clients import BulkPublishEntry, DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._request import TransactionalStateOperation, TransactionOperationType
from dapr.clients.grpc._response import TopicEventResponse, UnlockResponseStatus
from dapr.clients.grpc._state import Concurrency, StateItem, StateOptions
from dapr.conf import settings
from dapr.proto.runtime.v1 import metadata_pb2

from tests.bus.embedded.conftest import runtime_process

FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write)


@pytest.fixture
def client(sdk_address):
    with DaprClient(sdk_address) as client:
        yield client


@pytest.fixture
def topic():
    return f"topic-{uuid.uuid4()}"


def _read(subscription, count):
    messages = []
    for _ in range(count):
        message = subscription.next_message()
        subscription.respond_success(message)
        messages.append(message)
    return messages


def test_published_messages_arrive_in_order(client, topic):
    subscription = client.subscribe("pubsub", topic)
    for number in range(50):
        client.publish_event("pubsub", topic, json.dumps({"n": number}), data_content_type="application/json")

    messages = _read(subscription, 50)

    assert [message.data() for message in messages] == [{"n": number} for number in range(50)]
    first = messages[0]
    assert (first.topic(), first.pubsub_name(), first.source()) == (topic, "pubsub", "virtufin")
    assert (first.type(), first.spec_version()) == ("com.dapr.event.sent", "1.0")
    assert {"topic", "pubsubname", "time", "traceid", "traceparent", "tracestate"} <= set(first.extensions())
    subscription.close()


def test_bulk_published_messages_arrive_in_order_with_their_own_types(client, topic):
    subscription = client.subscribe("pubsub", topic)
    response = client.publish_events(
        "pubsub",
        topic,
        [
            "text",
            b"\x00\xff",
            BulkPublishEntry(event='{"a":1}', content_type="application/json"),
            BulkPublishEntry(event="x", metadata={"cloudevent.id": "my-id"}),
        ],
    )

    messages = _read(subscription, 4)

    assert response.failed_entries == []
    assert [message.raw_data() for message in messages] == [b"text", b"\x00\xff", b'{"a":1}', b"x"]
    assert [message.data_content_type() for message in messages][:3] == [
        "text/plain",
        "application/octet-stream",
        "application/json",
    ]
    assert messages[3].id() == "my-id"
    subscription.close()


def test_a_structured_cloudevent_keeps_its_free_attributes(client, topic):
    subscription = client.subscribe("pubsub", topic)
    structured = {
        "specversion": "1.0",
        "id": "c-1",
        "source": "urn:test",
        "type": "frame",
        "datacontenttype": "text/plain",
        "data": '[{"T":"t"}]',
        "sequence": "1732108308123456789",
    }
    client.publish_event(
        "pubsub", topic, json.dumps(structured), data_content_type="application/cloudevents+json"
    )

    (message,) = _read(subscription, 1)

    assert (message.id(), message.source(), message.type()) == ("c-1", "urn:test", "frame")
    assert message.data() == '[{"T":"t"}]'
    assert message.extensions()["sequence"] == "1732108308123456789"
    subscription.close()


def test_raw_payloads_pass_untouched(client, topic):
    subscription = client.subscribe("pubsub", topic, metadata={"rawPayload": "true"})
    client.publish_event("pubsub", topic, b"\x01\x02", publish_metadata={"rawPayload": "true"})

    (message,) = _read(subscription, 1)

    assert message.raw_data() == b"\x01\x02"
    assert message.source() == "Dapr"
    subscription.close()


def test_retry_delivers_again_and_drop_goes_to_the_dead_letter_topic(client, topic):
    subscription = client.subscribe("pubsub", topic, dead_letter_topic=topic + "-dead")
    dead = client.subscribe("pubsub", topic + "-dead")
    client.publish_event("pubsub", topic, "poison", data_content_type="text/plain")

    first = subscription.next_message()
    subscription.respond_retry(first)
    second = subscription.next_message()
    assert second.id() == first.id()
    subscription.respond_drop(second)
    (letter,) = _read(dead, 1)

    assert (letter.id(), letter.raw_data(), letter.topic()) == (first.id(), b"poison", topic + "-dead")
    assert letter.extensions()["topic"] == topic
    subscription.close()
    dead.close()


def test_a_handler_in_the_background_is_served(client, topic):
    seen, done = [], threading.Event()

    def handle(message):
        seen.append(message.data())
        if len(seen) == 3:
            done.set()
        return TopicEventResponse("success")

    close = client.subscribe_with_handler("pubsub", topic, handle)
    for text in ("a", "b", "c"):
        client.publish_event("pubsub", topic, text, data_content_type="text/plain")

    assert done.wait(10)
    close()
    assert seen == ["a", "b", "c"]


def test_state_with_etags(client, topic):
    key = topic
    assert client.get_state("statestore", key).data == b""
    client.save_state("statestore", key, "1", options=FIRST_WRITE)
    with pytest.raises(DaprGrpcError) as caught:
        client.save_state("statestore", key, "2", options=FIRST_WRITE)
    assert caught.value.code() is grpc.StatusCode.ABORTED

    first = client.get_state("statestore", key)
    client.save_state("statestore", key, "2", etag=first.etag, options=FIRST_WRITE)
    with pytest.raises(DaprGrpcError) as caught:
        client.save_state("statestore", key, "3", etag=first.etag)
    assert caught.value.code() is grpc.StatusCode.ABORTED
    with pytest.raises(DaprGrpcError) as caught:
        client.delete_state("statestore", key, etag=first.etag)
    assert caught.value.code() is grpc.StatusCode.ABORTED
    assert client.get_state("statestore", key).data == b"2"

    client.save_state("statestore", key, "last write wins")
    client.delete_state("statestore", key, etag=client.get_state("statestore", key).etag)
    assert client.get_state("statestore", key).etag == ""


def test_bulk_state_and_transactions(client, topic):
    client.save_bulk_state(
        "statestore", [StateItem(key=topic + "-a", value="1"), StateItem(key=topic + "-b", value="2")]
    )
    client.execute_state_transaction(
        "statestore",
        [
            TransactionalStateOperation(key=topic + "-a", operation_type=TransactionOperationType.delete),
            TransactionalStateOperation(key=topic + "-c", data="3"),
        ],
    )

    items = client.get_bulk_state("statestore", [topic + end for end in ("-a", "-b", "-c")]).items

    assert [(item.key, item.data) for item in items] == [
        (topic + "-a", b""),
        (topic + "-b", b"2"),
        (topic + "-c", b"3"),
    ]


def test_a_value_says_when_it_expires(client, topic):
    client.save_state("statestore", topic, "1", state_metadata={"ttlInSeconds": "100"})
    assert client.get_state("statestore", topic).data == b"1"


def _locking(call, *arguments):
    with pytest.warns(UserWarning, match="Alpha"):
        return call("lockstore", *arguments)


def test_locks(client, topic):
    assert _locking(client.try_lock, topic, "one", 10)
    assert not _locking(client.try_lock, topic, "two", 10)
    assert _locking(client.unlock, topic, "two").status is UnlockResponseStatus.lock_belongs_to_others
    assert _locking(client.unlock, topic, "one").status is UnlockResponseStatus.success
    assert _locking(client.unlock, topic, "one").status is UnlockResponseStatus.lock_does_not_exist


def test_secrets(client):
    assert client.get_secret("secretstore", "alpaca").secret == {
        "key": "canary-key",
        "hosts": "api.alpaca.markets",
    }
    assert set(client.get_bulk_secret("secretstore").secrets) == {"alpaca", "other"}
    with pytest.raises(grpc.RpcError, match="secret none not found") as caught:
        client.get_secret("secretstore", "none")
    assert caught.value.code() is grpc.StatusCode.INTERNAL


def test_metadata(client):
    client.set_metadata("mine", "value")
    metadata = client.get_metadata()

    assert metadata.application_id == "virtufin"
    assert metadata.extended_metadata["mine"] == "value"
    names = {component.name: component.type for component in metadata.registered_components}
    assert set(names) == {"pubsub", "statestore", "lockstore", "secretstore"}
    assert names["pubsub"] == "pubsub.in-memory"


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda c: c.publish_event("none", "t", "x"), "DAPR_PUBSUB_NOT_FOUND"),
        (
            lambda c: c.publish_event("pubsub", "t", "[]", data_content_type="application/cloudevents+json"),
            "DAPR_PUBSUB_CLOUD_EVENT_CREATION",
        ),
        (lambda c: c.get_state("none", "k"), "DAPR_STATE_NOT_FOUND"),
        (lambda c: c.save_state("statestore", "a||b", "x"), "DAPR_STATE_ILLEGAL_KEY"),
    ],
)
def test_errors_carry_daprs_codes(client, call, reason):
    with pytest.raises(DaprGrpcError) as caught:
        call(client)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.error_code() == reason


def test_a_subscription_heals_when_the_runtime_is_back(monkeypatch, topic):
    with runtime_process() as addresses:
        monkeypatch.setattr(settings, "DAPR_HTTP_ENDPOINT", f"http://{addresses.http}", raising=False)
        client = DaprClient(addresses.grpc)
        subscription = client.subscribe("pubsub", topic)
    ports = [int(address.rpartition(":")[2]) for address in (addresses.grpc, addresses.http)]
    with client, runtime_process(grpc_port=ports[0], http_port=ports[1]):
        received = []
        reader = threading.Thread(target=lambda: received.append(subscription.next_message().data()))
        reader.start()
        while topic not in [entry.topic for entry in _subscriptions(client)]:
            reader.join(0.02)
        client.publish_event("pubsub", topic, "again", data_content_type="text/plain")
        reader.join(20)
        subscription.close()

    assert received == ["again"]


def _subscriptions(client):
    return client._stub.GetMetadata(metadata_pb2.GetMetadataRequest()).subscriptions
