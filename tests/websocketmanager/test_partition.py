"""One topic over several partitions: which one a connection takes, and the way of each to the bus."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.websocketmanager.fakes import MemoryBus
from tests.websocketmanager.spooling import PLATFORM, nobody
from tests.websocketmanager.test_publisher import BATCH, FRAME, World
from tests.websocketmanager.test_spooling import kill
from virtufin_examples.connections import settle
from virtufin_examples.errors import PreconditionError
from virtufin_examples.frames import decode_batch, decode_message
from virtufin_examples.websocketmanager._partition import (
    MAX_PARTITIONS,
    Partition,
    _hashed,
    partition_key,
    partition_of,
    require_partitions,
)
from virtufin_examples.websocketmanager._shard import Shard

COUNT = 3
NAMES = tuple(f"c{number}" for number in range(9))


@pytest.fixture
async def world(spool_dir):
    world = World(spool_dir, partitions=COUNT)
    await world.hub.start(PLATFORM, nobody)
    yield world
    await world.hub.stop(0)


def by_key(world, topic="t"):
    """Return the frames of each partition key in the order in which the bus took them."""
    found: dict[str, list[tuple[str, int]]] = {}
    for _, data, content_type, metadata in world.bus.on(topic):
        if "FrameBatch" in content_type:
            frames = found.setdefault(metadata["partitionKey"], [])
            frames += [(frame.connection_id, frame.sequence) for frame in decode_batch(topic, data)]
    return found


def own(name):
    return partition_of("t", name, COUNT)


@pytest.mark.parametrize(("key", "hashed"), [("", 0x811C9DC5 - (1 << 32)), ("a", 0xE40C292C - (1 << 32))])
def test_the_hash_is_fnv_1a_as_a_signed_number_without_its_sign(key, hashed):
    assert _hashed(key) == -hashed


@pytest.mark.parametrize("count", range(1, MAX_PARTITIONS + 1))
def test_every_partition_has_a_key_of_its_own(count):
    keys = [partition_key(number, count) for number in range(count)]
    assert [_hashed(key) % count for key in keys] == list(range(count))
    assert len(set(keys)) == count


def test_a_connections_lane_follows_from_its_id_and_all_lanes_are_used():
    partitions = Counter(partition_of("t", Shard(2, 4).new_id(), 4).number for _ in range(400))
    assert set(partitions) == {0, 1, 2, 3}
    assert [partition_of("t", name, COUNT).number for name in ("c0", "c1", "c4")] == [0, 2, 2]


def test_one_partition_names_no_key():
    assert Partition("t").metadata == {}
    assert Partition("t").part("p") == "p"


@pytest.mark.parametrize("kind", ["pubsub.redis", "pubsub.jetstream", "pubsub.in-memory"])
def test_a_broker_without_partitions_is_refused_with_the_setting_and_the_fix(kind):
    with pytest.raises(PreconditionError) as caught:
        require_partitions(3, "pubsub", kind)
    assert "VIRTUFIN_TOPIC_PARTITIONS is 3" in caught.value.message
    assert kind in caught.value.message
    assert "pubsub.kafka" in caught.value.hint
    require_partitions(1, "pubsub", kind)
    require_partitions(3, "pubsub", "pubsub.kafka")


async def test_each_lane_has_its_own_batches_and_heartbeats_under_its_key(world):
    sources = {name: world.source(name=name) for name in NAMES}
    for _ in range(20):
        for source in sources.values():
            source.send("x")
        await settle()
    await world.clock.advance(3)
    found = by_key(world)
    assert len(found) == COUNT
    for key, frames in found.items():
        for name in {name for name, _ in frames}:
            assert own(name).metadata == {"partitionKey": key}
            assert [number for each, number in frames if each == name] == list(range(1, 21))
    assert sum(map(len, found.values())) == 20 * len(NAMES)
    beats = {}
    for _, data, content_type, metadata in world.bus.on("t"):
        if content_type == "text/plain":
            (note,) = decode_message("t", metadata["cloudevent.type"], content_type, data, {})
            named = frozenset(each.connection_id for each in note.connections)
            beats[metadata["partitionKey"], note.publisher] = named
    assert {publisher for _, publisher in beats} == {"one/0", "one/1", "one/2"}
    assert set().union(*beats.values()) == set(NAMES)
    assert sum(map(len, beats.values())) == len(NAMES)


async def test_a_lane_that_stands_still_does_not_hold_up_the_others(world):
    slow = own("c0").metadata["partitionKey"]
    opened = asyncio.Event()
    publish = world.bus.publish

    async def gated(topic, data, *, content_type, metadata=None):
        if metadata["partitionKey"] == slow:
            await opened.wait()
        await publish(topic, data, content_type=content_type, metadata=metadata)

    world.bus.publish = gated
    sources = {name: world.source(name=name) for name in NAMES}
    for source in sources.values():
        source.send("x", "y")
    await world.clock.advance(1)
    assert slow not in by_key(world)
    others = {name for frames in by_key(world).values() for name, _ in frames}
    assert others == {name for name in NAMES if own(name) != own("c0")}
    assert world.hub.figures()["t"].memory_bytes > 0 or world.hub.figures()["t"].disk_bytes > 0
    opened.set()
    await world.clock.advance(5)
    assert {name for name, _ in by_key(world)[slow]} == set(NAMES) - others


async def test_a_frame_message_goes_under_its_connections_key(world):
    for name in NAMES:
        world.source(name=name, options=FRAME).send("x")
    await settle()
    for _, _, content_type, metadata in world.bus.on("t"):
        assert content_type == "application/cloudevents+json"
        assert set(metadata) == {"partitionKey"}
    assert len({metadata["partitionKey"] for _, _, _, metadata in world.bus.on("t")}) == COUNT


async def test_one_connection_in_another_way_is_refused_also_where_its_own_lane_is_free(world):
    world.source(name="c0")
    assert own("c1") != own("c0")
    with pytest.raises(PreconditionError, match="published by connection c0 with encoding batch"):
        world.hub.require_free("t", FRAME, "c1")
    assert world.hub.publisher("t", FRAME, "c1") is None


@pytest.mark.parametrize("partitions", [1, 2, 3, 5])
async def test_what_a_dead_process_spooled_goes_first_by_its_own_number_whatever_is_set_now(
    world, spool_dir, partitions
):
    sources = {name: world.source(name=name) for name in NAMES}
    await settle()
    world.bus.down = True
    for source in sources.values():
        source.send("1", "2")
    await world.clock.advance(3)
    kill(world, spool_dir)

    successor = World(spool_dir, holder="two", bus=MemoryBus(), partitions=partitions)
    successor.bus.down = True
    await successor.hub.start(PLATFORM, nobody)
    for name in NAMES:
        source = successor.source(name=name)
        source.sequence = 100
        source.send("new")
    await successor.clock.advance(1)
    successor.bus.down = False
    await successor.clock.advance(10)

    found = by_key(successor)
    assert set(found) == {own(name).metadata["partitionKey"] for name in NAMES}
    for name in NAMES:
        frames = found[own(name).metadata["partitionKey"]]
        assert [number for each, number in frames if each == name] == [1, 2, 101]
    await successor.hub.stop(0)


async def test_a_start_that_finds_nothing_spooled_takes_the_number_that_is_set(world):
    assert world.hub.publisher("fresh", BATCH, "c0").partition.count == COUNT
