"""What becomes of a message by how its subscriber answers: ack, retry, drop, no answer at all."""

from __future__ import annotations

import asyncio

import pytest

from tests.dapr.clients import Kind, ended
from tests.dapr.differences import expected
from tests.dapr.targets import APP, PUBSUBS
from virtufin_examples.bus import Ack

pytestmark = pytest.mark.parametrize("target", PUBSUBS, indirect=True, scope="session")


async def test_a_message_answered_with_retry_comes_again(client, topic):
    reader = await client.subscribe(topic)
    await client.publish(topic, b"again")

    first = await reader.next()
    await reader.answer(first, Ack.RETRY)
    second = await reader.take()

    assert (second.id, second.data) == (first.id, b"again")


async def test_a_dropped_message_goes_to_the_dead_letter_topic(client, topic):
    dead = await client.subscribe(f"dead.{topic}")
    reader = await client.subscribe(topic, dead=f"dead.{topic}")
    await client.publish(topic, b"poison", **{"cloudevent.id": f"id-{topic}"})

    await reader.answer(await reader.next(), Ack.DROP)
    letter = await dead.take()

    assert (letter.id, letter.data) == (f"id-{topic}", b"poison")


async def test_a_dropped_message_without_a_dead_letter_topic_is_gone(client, topic):
    reader = await client.subscribe(topic)
    publishing = asyncio.create_task(_publish(client, topic, b"dropped", b"next"))

    await reader.answer(await reader.next(), Ack.DROP)

    assert (await reader.take()).data == b"next"
    await publishing


@pytest.mark.parametrize("kind", [Kind.OURS], ids=str)  # one is enough: it takes half a minute
async def test_after_ten_deliveries_a_message_goes_to_the_dead_letter_topic(client, topic):
    dead = await client.subscribe(f"dead.{topic}")
    reader = await client.subscribe(topic, dead=f"dead.{topic}")
    await client.publish(topic, b"poison")

    deliveries = 0
    while deliveries < 10:
        await reader.answer(await reader.next(), Ack.RETRY)
        deliveries += 1

    assert (await dead.take(25)).data == b"poison"


async def test_what_follows_a_message_that_is_tried_again(client, topic, target):
    reader = await client.subscribe(topic)
    publishing = asyncio.create_task(_publish(client, topic, b"first", b"second"))

    await reader.answer(await reader.next(), Ack.RETRY)
    order = [message.data for message in await reader.take_all(2)]
    await publishing

    seen = "goes on" if order == [b"second", b"first"] else "waits"
    assert seen == expected("retry", target.target)


async def test_how_many_messages_are_unanswered_at_once(client, topic, target):
    reader = await client.subscribe(topic)
    publishing = asyncio.create_task(_publish(client, topic, b"first", b"second"))
    first = await reader.next()
    try:
        second = await reader.next(1.0)
    except TimeoutError:
        seen = "one"
    else:
        seen = "many"
        await reader.answer(second)
    await reader.answer(first)
    await publishing

    assert seen == expected("in flight", target.target)


async def _publish(client, topic: str, *data: bytes) -> None:
    for entry in data:
        await client.publish(topic, entry)


async def test_the_first_message_after_a_subscription_began_anew(client, topic, target):
    reader = await client.subscribe(topic)
    await client.publish(topic, b"before")
    await reader.take()
    await reader.close()
    await ended(target.sidecar(APP), topic)

    again = await client.subscribe(topic)
    publishing = asyncio.create_task(_publish(client, topic, b"first", b"second"))
    seen = "arrives" if (await again.take()).data == b"first" else "comes later"
    if seen == "arrives":
        await again.take()
    await publishing

    assert seen == expected("anew", target.target)


async def test_what_an_ended_subscription_left_unanswered(opened, kind, topic, target):
    app_id = "left"
    leaving, publisher = await opened(kind, app_id), await opened(kind, app_id)
    reader = await leaving.subscribe(topic)
    await publisher.publish(topic, b"left behind")
    await reader.next()
    await reader.close()
    await ended(target.sidecar(app_id), topic)

    returning = await (await opened(kind, app_id)).subscribe(topic)
    wanted = expected("left", target.target)
    try:  # Kafka's group may take a while to give the partition to its new reader
        message = await returning.take(15 if wanted == "comes again" else 3)
    except TimeoutError:
        seen = "not within 3 s"
    else:
        seen = "comes again" if message.data == b"left behind" else repr(message)

    assert seen == wanted
