"""The unmodified, asynchronous `dapr` SDK against a runtime in a process of its own."""

from __future__ import annotations

import asyncio
import uuid

import grpc
import pytest
from dapr.aio.clients import DaprClient
from dapr.clients.exceptions import DaprInternalError
from dapr.clients.grpc._response import TopicEventResponse
from dapr.clients.grpc._state import Concurrency, StateOptions


@pytest.fixture
async def client(sdk_address):
    async with DaprClient(sdk_address) as client:
        yield client


@pytest.fixture
def topic():
    return f"topic-{uuid.uuid4()}"


async def test_messages_arrive_in_order_with_many_under_way(client, topic):
    subscription = await client.subscribe("pubsub", topic)
    for number in range(20):
        await client.publish_event("pubsub", topic, str(number), data_content_type="text/plain")

    messages = [await subscription.next_message() for _ in range(20)]  # none answered yet
    assert [message.data() for message in messages] == [str(number) for number in range(20)]
    for message in reversed(messages):
        await subscription.respond_success(message)
    await subscription.close()


async def test_bulk_published_messages_arrive(client, topic):
    subscription = await client.subscribe("pubsub", topic)
    response = await client.publish_events("pubsub", topic, ["a", b"b"])

    messages = [await subscription.next_message() for _ in range(2)]

    assert response.failed_entries == []
    assert [message.raw_data() for message in messages] == [b"a", b"b"]
    await subscription.close()


async def test_retry_and_drop(client, topic):
    subscription = await client.subscribe("pubsub", topic, dead_letter_topic=topic + "-dead")
    dead = await client.subscribe("pubsub", topic + "-dead")
    await client.publish_event("pubsub", topic, "x", data_content_type="text/plain")

    first = await subscription.next_message()
    await subscription.respond_retry(first)
    second = await subscription.next_message()
    await subscription.respond_drop(second)
    letter = await dead.next_message()

    assert first.id() == second.id() == letter.id()
    await subscription.close()
    await dead.close()


async def test_a_handler_is_served(client, topic):
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def handle(message):
        seen.put_nowait(message.data())
        return TopicEventResponse("success")

    close = await client.subscribe_with_handler("pubsub", topic, handle)
    await client.publish_event("pubsub", topic, "x", data_content_type="text/plain")

    assert await asyncio.wait_for(seen.get(), 10) == "x"
    await close()


async def test_state_secrets_and_metadata(client, topic):
    options = StateOptions(concurrency=Concurrency.first_write)
    await client.save_state("statestore", topic, "1", options=options)
    with pytest.raises(DaprInternalError) as caught:
        await client.save_state("statestore", topic, "1", options=options)
    assert caught.value.__cause__.code() is grpc.StatusCode.ABORTED
    stored = await client.get_state("statestore", topic)
    await client.delete_state("statestore", topic, etag=stored.etag)

    assert stored.data == b"1"
    assert (await client.get_secret("secretstore", "other")).secret == {"token": "t"}
    assert (await client.get_metadata()).application_id == "virtufin"
