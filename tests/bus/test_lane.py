"""The lane of the embedded runtime, from its frames to a bus that uses it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest
from dapr.proto.runtime.v1 import pubsub_pb2

from tests.bus.embedded.conftest import running
from virtufin_examples.bus import Ack
from virtufin_examples.bus import _lane as wire
from virtufin_examples.bus._dapr_channel import is_own_port
from virtufin_examples.bus._lane_client import LanePublisher, LaneStream
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.bus.embedded import EmbeddedRuntime
from virtufin_examples.errors import (
    AccessDeniedError,
    InvalidInputError,
    ResourceLimitError,
    UnavailableError,
)

TOKEN = "a-token-of-the-test"


@pytest.fixture
async def runtime() -> AsyncIterator[str]:
    async with running(api_token=TOKEN) as addresses:
        yield addresses.grpc


async def lane_bus(target: str, app_id: str = "one", **options) -> DaprBus:
    bus = DaprBus(target=target, app_id=app_id, api_token=TOKEN, **options)
    assert (await bus.sidecar()).lane is not None
    return bus


async def address_of(target: str) -> wire.LaneAddress:
    bus = await lane_bus(target)
    found = (await bus.sidecar()).lane
    await bus.close()
    assert found is not None
    return found


def initial(topic: str) -> pubsub_pb2.SubscribeTopicEventsRequestAlpha1:
    return pubsub_pb2.SubscribeTopicEventsRequestAlpha1(
        initial_request=pubsub_pb2.SubscribeTopicEventsRequestInitialAlpha1(pubsub_name="pubsub", topic=topic)
    )


def request(topic: str, data: bytes) -> pubsub_pb2.PublishEventRequest:
    return pubsub_pb2.PublishEventRequest(
        pubsub_name="pubsub", topic=topic, data=data, data_content_type="text/plain"
    )


@pytest.mark.parametrize("seed", range(5))
def test_frames_are_found_however_the_bytes_are_cut(seed):
    chance = random.Random(seed)
    sent = [
        (chance.randrange(1, 9), chance.randrange(2**32), chance.randbytes(chance.choice((0, 1, 40, 5000))))
        for _ in range(60)
    ]
    stream = b"".join(wire.lane_frame(*frame) for frame in sent)
    reader, found, begin = wire.FrameReader(), [], 0
    while begin < len(stream):
        end = begin + chance.choice((1, 5, 9, 100, 20_000))
        found += reader.feed(stream[begin:end])
        begin = end

    assert found == sent


def test_a_frame_beyond_the_limit_is_refused_before_it_has_come():
    head = wire.lane_header(wire.PUBLISH, 1, wire.MAX_BODY_BYTES + 1)
    with pytest.raises(wire.LaneError, match=str(wire.MAX_BODY_BYTES)):
        wire.FrameReader().feed(head)


@pytest.mark.parametrize("text", ["", "1234", "/key", "port/key"])
def test_metadata_that_name_no_lane(text):
    assert wire.parse_lane(text) is None


async def test_a_runtime_that_mimics_daprd_has_no_lane():
    async with running(strict=True) as addresses:
        bus = DaprBus(target=addresses.grpc, app_id="one")
        assert (await bus.sidecar()).lane is None
        await bus.close()


async def test_a_greeting_for_another_runtime_is_not_answered(runtime):
    right = await address_of(runtime)
    with pytest.raises(UnavailableError):
        await LanePublisher(runtime).connect(wire.LaneAddress(right.port, "another", 1), "one", TOKEN)


async def test_a_greeting_without_the_token_is_refused(runtime):
    with pytest.raises(AccessDeniedError) as caught:
        await LanePublisher(runtime).connect(await address_of(runtime), "one", "a-wrong-token")
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "frame",
    [
        wire.lane_frame(wire.PUBLISH, 1, request("ticks", b"1").SerializeToString()),
        wire.lane_frame(wire.HELLO, 0, b"no JSON"),
        wire.lane_header(wire.HELLO, 0, 2**31),
    ],
)
async def test_whoever_does_not_greet_first_is_cut_off(runtime, frame):
    where = await address_of(runtime)
    reader, writer = await asyncio.open_connection(wire.LANE_HOST, where.port)
    writer.write(frame)
    try:
        assert await reader.read() == b""
    except ConnectionResetError:
        pass
    finally:
        writer.close()


async def test_what_was_published_before_a_publisher_broke_the_rules_is_delivered(runtime):
    where = await address_of(runtime)
    publisher, stream = LanePublisher(runtime), LaneStream(runtime, "ticks")
    await stream.connect(where, "two", TOKEN)
    await stream.open(initial("ticks"))
    await publisher.connect(where, "one", TOKEN)
    publisher.write(
        wire.lane_frame(wire.PUBLISH, 1, request("ticks", b"sound").SerializeToString())
        + wire.lane_frame(wire.WELCOME, 2, b"")
    )
    await asyncio.wait_for(publisher.ended.wait(), 5)
    async with asyncio.timeout(5):
        assert [event.data for event in await stream.next_events() or ()] == [b"sound"]
    bus = await lane_bus(runtime)
    await bus.publish("ticks", b"of another", content_type="text/plain")
    async with asyncio.timeout(5):
        assert [event.data for event in await stream.next_events() or ()] == [b"of another"]
    await stream.close()
    await bus.close()


async def test_what_the_runtime_refuses_says_what_was_tried(runtime):
    bus = await lane_bus(runtime, pubsub_name="nothing")
    with pytest.raises(InvalidInputError, match="publish to ticks: pubsub nothing is not found"):
        await bus.publish("ticks", b"", content_type="text/plain")
    with pytest.raises(InvalidInputError, match="subscription of ticks: pubsub nothing"):
        await bus.subscribe("ticks")
    await bus.close()


async def test_publications_that_wait_for_room_keep_their_order(runtime):
    where = await address_of(runtime)
    publisher, reader = LanePublisher(runtime), LaneStream(runtime, "ticks")
    await publisher.connect(where, "one", TOKEN)
    await reader.connect(where, "one", TOKEN)
    await reader.open(initial("ticks"))
    size = 9 * 1024 * 1024  # four fill the subscriber's queue of 32 MiB
    calls = [
        asyncio.ensure_future(publisher.publish(request("ticks", bytes([number]) * size), "publish", 20))
        for number in range(8)
    ]
    seen = []
    while len(seen) < len(calls):
        for event in await reader.next_events() or ():
            seen.append(event.data[0])
            reader.answer(event.id, Ack.SUCCESS)
    await asyncio.gather(*calls)
    await reader.close()
    publisher.cancel()
    await publisher.ended.wait()

    assert seen == list(range(8))


async def test_a_subscriber_that_stops_reading_holds_the_publisher_up(runtime, monkeypatch):
    monkeypatch.setattr("virtufin_examples.bus.embedded._pubsub.PUBLISH_WAIT_SECONDS", 0.1)
    where = await address_of(runtime)
    bus, reader = await lane_bus(runtime), LaneStream(runtime, "ticks")
    await reader.connect(where, "slow", TOKEN)
    await reader.open(initial("ticks"))
    for _ in range(4):
        await bus.publish("ticks", b"x" * 9 * 1024 * 1024, content_type="text/plain")
    with pytest.raises(ResourceLimitError, match="topic 'ticks' is full: a subscriber of app id 'slow'"):
        await bus.publish("ticks", b"x", content_type="text/plain")
    await reader.close()
    await bus.close()


async def test_what_is_not_answered_goes_to_a_reader_that_comes_back(runtime):
    bus = await lane_bus(runtime)
    first = await bus.subscribe("ticks")
    for number in range(3):
        await bus.publish("ticks", b"%d" % number, content_type="text/plain")
    taken = await anext(aiter(first))
    second = await bus.subscribe("ticks")
    await taken.answer(Ack.SUCCESS)
    await first.close()
    await bus.publish("ticks", b"3", content_type="text/plain")

    reader = aiter(second)
    assert [(await anext(reader)).event.data for _ in range(3)] == [b"1", b"2", b"3"]
    await bus.close()


async def test_an_event_to_try_again_comes_again_and_a_dropped_one_as_a_dead_letter(runtime):
    bus = await lane_bus(runtime)
    dead = aiter(await bus.subscribe("dead"))
    reader = aiter(await bus.subscribe("ticks", dead_letter_topic="dead"))
    await bus.publish("ticks", b"1", content_type="text/plain")
    await (await anext(reader)).answer(Ack.RETRY)
    await (await anext(reader)).answer(Ack.DROP)

    assert (await anext(dead)).event.data == b"1"
    await bus.close()


async def test_a_runtime_that_is_started_again_is_found_again():
    first = EmbeddedRuntime()
    target = (await first.start()).grpc
    bus = DaprBus(target=target, app_id="one")
    old = (await bus.sidecar()).lane
    subscription = await bus.subscribe("ticks")
    await first.stop()
    with pytest.raises(UnavailableError):
        await bus.publish("ticks", b"0", content_type="text/plain")

    again = EmbeddedRuntime(grpc_port=int(target.rpartition(":")[2]))
    await again.start()
    reader = aiter(subscription)
    event = asyncio.ensure_future(anext(reader))
    async with asyncio.timeout(15):
        while not event.done():  # until both are there again
            with contextlib.suppress(UnavailableError):
                await bus.publish("ticks", b"1", content_type="text/plain")
            await asyncio.wait({event}, timeout=0.05)
    assert event.result().event.data == b"1"
    assert subscription.breaks == 1
    new = (await bus.sidecar()).lane
    assert new is not None
    assert new != old
    await bus.close()
    await again.stop()


async def test_where_the_lane_is_out_of_reach_grpc_is_taken(runtime, monkeypatch):
    monkeypatch.setattr("virtufin_examples.bus.dapr.is_own_port", lambda *_: False)
    bus = await lane_bus(runtime)
    reader = aiter(await bus.subscribe("ticks"))
    await bus.publish("ticks", b"1", content_type="text/plain")

    assert (await anext(reader)).event.data == b"1"
    await bus.close()


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("127.0.0.1:50001", True),
        ("localhost:50001", True),
        ("[::1]:50001", True),
        ("dns:localhost:50001", True),
        ("10.0.0.1:50001", False),
        ("example.com:50001", False),
        ("https://localhost:50001", False),
        ("127.0.0.1:50002", False),  # a proxy, a forwarded port
    ],
)
def test_only_a_runtime_on_this_machine_with_nothing_between_is_asked_for_a_lane(endpoint, expected):
    assert is_own_port(endpoint, 50001) is expected
