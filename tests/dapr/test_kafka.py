"""What only Kafka does."""

from __future__ import annotations

import asyncio

import pytest

from tests.dapr.targets import Target
from virtufin_examples.bus import CLOUDEVENT_JSON
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.client import subscribe
from virtufin_examples.frames import Frame, encode_frame_event

pytestmark = pytest.mark.parametrize("target", [Target.KAFKA], indirect=True, scope="session")


@pytest.mark.parametrize("answered", [False, True])
async def test_a_subscriber_that_was_killed_and_is_back_at_once_gets_its_frames(target, topic, answered):
    """The sidecar may end the new subscription with the old one, which it tells nobody."""
    grpc = target.sidecar("hasty").grpc
    bus = DaprBus(target=grpc, app_id="hasty")

    async def publish(sequence: int) -> None:
        frame = Frame(topic, "c", 1, sequence, sequence, b"")
        await bus.publish(topic, encode_frame_event(frame), content_type=CLOUDEVENT_JSON)

    killed = await subscribe(topic, dapr=grpc)
    await publish(1)
    if answered:
        await anext(killed)
    await killed._bus._channel.close()  # as the kernel does for a program that is killed

    async with asyncio.timeout(45), subscribe(topic, dapr=grpc, silent_seconds=1) as items:
        await publish(2)
        async for item in items:
            if isinstance(item, Frame) and item.sequence == 2:
                break
    await killed.close()
    await bus.close()
