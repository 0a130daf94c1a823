"""What only Redis does."""

from __future__ import annotations

import asyncio

import pytest

from tests.dapr.targets import Target
from virtufin_examples.bus import CLOUDEVENT_JSON
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.client import Subscription, subscribe
from virtufin_examples.frames import Frame, encode_frame_event

pytestmark = pytest.mark.parametrize("target", [Target.REDIS], indirect=True, scope="session")


async def test_redis_hands_on_what_was_left_after_the_processing_timeout(opened, further, kind, topic):
    sidecar = further("impatient", replace={'"40000"': '"1000"', '"5000"': '"500"'})
    client = await opened(kind, "impatient", sidecar)
    reader = await client.subscribe(topic)
    await client.publish(topic, b"left behind")
    await reader.next()
    await reader.close()

    returning = await client.subscribe(topic)

    assert (await returning.take()).data == b"left behind"


async def test_two_daprds_of_one_app_id_take_frames_from_each_other_and_readers_are_told(
    further, topic, caplog
):
    one, other = further("twins"), further("twins")
    bus = DaprBus(target=one.grpc, app_id="twins")

    async def read(items: Subscription) -> None:
        async for _ in items:
            if "does another program read with the same app id?" in caplog.text:
                return

    async with (
        asyncio.timeout(30),
        subscribe(topic, dapr=one.grpc, window_seconds=0) as here,
        subscribe(topic, dapr=other.grpc, window_seconds=0) as there,
    ):
        reading = [asyncio.create_task(read(items)) for items in (here, there)]
        for sequence in range(1, 201):
            frame = Frame(topic, "c", 1, sequence, sequence, b"")
            await bus.publish(topic, encode_frame_event(frame), content_type=CLOUDEVENT_JSON)
        await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
    await bus.close()
