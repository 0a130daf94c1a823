"""Several subscribers of one topic: in one program, in several of one name, and of several names."""

from __future__ import annotations

import asyncio

import pytest

from tests.dapr.differences import expected
from tests.dapr.targets import PUBSUBS, Target

pytestmark = pytest.mark.parametrize("target", PUBSUBS, indirect=True, scope="session")


async def test_every_app_id_gets_every_message(opened, kind, topic, target):
    here, there = await opened(kind), await opened(kind, "other")
    own, other = await here.subscribe(topic), await there.subscribe(topic)
    await here.publish(topic, b"for all")

    assert (await own.take()).data == b"for all"
    try:
        seen = (
            "gets it" if (await other.take(15 if target.target is not Target.IN_MEMORY else 1)).data else ""
        )
    except TimeoutError:
        seen = "nothing"
    assert seen == expected("other app id", target.target)


async def test_two_subscriptions_of_one_app_id(opened, kind, topic, target):
    first, second = await opened(kind), await opened(kind)
    readers = [await first.subscribe(topic), await second.subscribe(topic)]
    sent = [str(number).encode() for number in range(20)]
    publishing = asyncio.create_task(_publish(first, topic, sent))
    got: list[list[bytes]] = [[], []]

    def complete() -> bool:
        return {*got[0], *got[1]} == set(sent)

    await asyncio.gather(*(_drain(reader, each, complete) for reader, each in zip(readers, got, strict=True)))
    await publishing

    if got[0] == got[1] == sent:
        seen = "each gets all"
    elif len(got[0]) + len(got[1]) == len(sent):
        seen = "they share" if got[0] and got[1] else "the later one gets all"
    else:
        seen = f"{len(got[0])} and {len(got[1])}"
    assert seen == expected("same app id", target.target)


async def test_what_was_published_before_the_first_subscription(opened, kind, topic, target):
    client = await opened(kind)
    await client.publish(topic, b"early")
    reader = await client.subscribe(topic)
    await client.publish(topic, b"now")

    first = await reader.take()
    if first.data == b"early":
        assert (await reader.take()).data == b"now"
    seen = "delivered" if first.data == b"early" else "gone"

    assert seen == expected("before", target.target)


async def test_a_subscription_that_ends_leaves_the_others(opened, kind, topic, target):
    client = await opened(kind)
    staying = await client.subscribe(topic)
    leaving = await client.subscribe(f"{topic}.b")
    await leaving.close()
    await client.publish(topic, b"still here")

    assert (await staying.take()).data == b"still here"


async def _publish(client, topic: str, entries: list[bytes]) -> None:
    for data in entries:
        await client.publish(topic, data)


async def _drain(reader, got: list[bytes], complete) -> None:
    """Take messages until all are there and none comes for a second."""
    async with asyncio.timeout(30):
        while True:
            try:
                got.append((await reader.take(1.5)).data)
            except TimeoutError:
                if complete():
                    return
