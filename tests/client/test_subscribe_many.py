"""Several topics in one iterator, and a reader that stops reading."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.bus.embedded import EmbeddedRuntime
from virtufin_examples.client import subscribe
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import (
    BATCH_CONTENT_TYPE,
    BATCH_EVENT_TYPE,
    NOTE_CONTENT_TYPE,
    ConnectionBeat,
    Frame,
    Gap,
    Heartbeat,
    Silent,
    encode_batch,
    encode_note,
)

MEGABYTE = 1 << 20
BOUND_BYTES = 128 * MEGABYTE
"""The subscriber's inbox (32 MiB a topic), the runtime's queue for it, and what gRPC holds in between."""
BLOCKED_SECONDS = 3.0


@pytest.fixture
async def runtime():
    runtime = EmbeddedRuntime()
    addresses = await runtime.start()
    yield addresses.grpc
    await runtime.stop()


@pytest.fixture
async def bus(runtime):
    bus = DaprBus(target=runtime, app_id="websocketmanager")
    assert (await bus.sidecar()).lane is not None  # as the WebSocketManager publishes
    yield bus
    await bus.close()


async def _publish(bus, topic, *frames, instance="host-1"):
    await bus.publish(
        topic,
        encode_batch(frames, instance=instance),
        content_type=BATCH_CONTENT_TYPE,
        metadata={"cloudevent.type": BATCH_EVENT_TYPE},
    )


async def _beat(bus, topic, connection_id, last_sequence):
    beat = ConnectionBeat(
        connection_id=connection_id,
        state="connected",
        epoch=1,
        last_received_ns=1,
        last_sequence=last_sequence,
    )
    note = Heartbeat(topic=topic, kind="beat", sent_ns=1, connections=(beat,))
    kind, data = encode_note(note)
    await bus.publish(topic, data, content_type=NOTE_CONTENT_TYPE, metadata={"cloudevent.type": kind})


def _frame(topic, sequence, connection="c", data=b"x"):
    return Frame(topic, connection, 1, sequence, time.time_ns(), data)


async def test_several_topics_come_in_one_iterator_each_in_order_with_its_own_numbers(runtime, bus):
    async with subscribe(["trades", "quotes"], dapr=runtime, window_seconds=0.05) as items:
        for sequence in (1, 2, 4):
            await _publish(bus, "trades", _frame("trades", sequence, "t"))
        for sequence in (1, 2):
            await _publish(bus, "quotes", _frame("quotes", sequence, "q"))
        received = [await asyncio.wait_for(anext(items), 10) for _ in range(6)]

        assert [each.sequence for each in received if isinstance(each, Frame) and each.topic == "quotes"] == [
            1,
            2,
        ]
        trades = [each for each in received if each.topic == "trades"]
        assert [each.sequence for each in trades if isinstance(each, Frame)] == [1, 2, 4]
        (gap,) = (each for each in trades if isinstance(each, Gap))
        assert (trades.index(gap), gap.first_sequence, gap.last_sequence) == (2, 3, 3)
        assert (items.frames, items.gaps) == (5, 1)
        assert {name: (each.frames, each.gaps) for name, each in items.topics.items()} == {
            "trades": (3, 1),
            "quotes": (2, 0),
        }
        assert all(0 <= each.lag < 60 for each in items.topics.values())
        assert items.place == {"t": 4, "q": 2}


async def test_a_silent_topic_is_told_while_another_one_speaks(runtime, bus):
    async with subscribe(["quiet", "busy"], dapr=runtime, silent_seconds=0.5) as items:
        silent = None
        async with asyncio.timeout(15):
            for sequence in itertools.count(1):
                await _publish(bus, "busy", _frame("busy", sequence))
                item = await anext(items)
                if isinstance(item, Silent):
                    silent = item
                    break
        assert silent.topic == "quiet"


async def test_lists_of_several_topics_tell_the_lag_of_each(runtime, bus):
    async with subscribe(("a", "b"), dapr=runtime) as items:
        await _publish(bus, "a", _frame("a", 1))
        await _publish(bus, "b", _frame("b", 1))
        seen = []
        while len(seen) < 2:
            seen += await asyncio.wait_for(items.next_batch(), 10)
        assert {each.topic for each in seen} == {"a", "b"}
        assert all(each.lag_ns > 0 for each in items.topics.values())


@pytest.mark.parametrize("topics", ["", [], ["a", ""]])
def test_no_topic_is_refused(topics):
    with pytest.raises(InvalidInputError, match="topic is"):
        subscribe(topics)


async def test_heartbeats_of_two_instances_tell_of_their_own_connections_only(runtime, bus):
    async with subscribe("shared", dapr=runtime, window_seconds=0.05) as items:
        await _publish(bus, "shared", _frame("shared", 1, "one"), instance="host-shard-1")
        await _publish(bus, "shared", _frame("shared", 1, "two"), instance="host-shard-2")
        await _beat(bus, "shared", "one", 1)
        await _beat(bus, "shared", "two", 2)
        received = [await asyncio.wait_for(anext(items), 10) for _ in range(3)]
        gap = received[-1]
        assert isinstance(gap, Gap)
        assert (gap.connection_id, gap.first_sequence, gap.last_sequence) == ("two", 2, 2)
        assert items.refused == 0


async def test_a_reader_that_stops_reading_holds_the_publisher_up_within_a_bound_and_loses_nothing(
    runtime, bus
):
    payload = b"x" * MEGABYTE
    async with subscribe("big", dapr=runtime) as items:
        published = 0
        while True:
            published += 1
            assert published * MEGABYTE < BOUND_BYTES, "nothing held the publisher up"
            publishing = asyncio.create_task(_publish(bus, "big", _frame("big", published, data=payload)))
            done, _ = await asyncio.wait({publishing}, timeout=BLOCKED_SECONDS)
            if not done:
                break
        received = [await asyncio.wait_for(anext(items), 10) for _ in range(published)]
        await publishing
        assert [each.sequence for each in received] == list(range(1, published + 1))
        assert (items.gaps, items.duplicates) == (0, 0)
        assert items.lag >= BLOCKED_SECONDS / 2, "the lag tells it"
