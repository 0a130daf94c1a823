"""More comes in than goes out: memory keeps its bound, order holds, the account closes, numbers tell it."""

from __future__ import annotations

import pytest

from tests.websocketmanager.fakes import MemoryBus
from tests.websocketmanager.test_publisher import World
from virtufin_examples.connections import settle
from virtufin_examples.frames import Encoding, Markers, Overflow
from virtufin_examples.websocketmanager import _backlog as backlog
from virtufin_examples.websocketmanager import _publisher as module
from virtufin_examples.websocketmanager._source import PublishOptions

QUEUE_BYTES = 30_000
BATCH_BYTES = 10_000
FRAME_BYTES = 500
PUBLISH_SECONDS = 2.0
STEP_SECONDS = 0.25
BURST_STEPS = 40
"""10 s."""
A_STEP = round(2 * BATCH_BYTES / FRAME_BYTES * STEP_SECONDS / PUBLISH_SECONDS)
"""Frames: twice what the bus takes meanwhile."""


class SlowBus(MemoryBus):
    """Takes seconds for each message."""

    clock = None

    async def publish(self, topic, data, *, content_type, metadata=None):
        await self.clock.sleep(PUBLISH_SECONDS)
        await super().publish(topic, data, content_type=content_type, metadata=metadata)


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(backlog, "QUEUE_BYTES", QUEUE_BYTES)
    monkeypatch.setattr(module, "BATCH_BYTES", BATCH_BYTES)
    world = World(tmp_path, bus=SlowBus())
    world.bus.clock = world.clock
    return world


async def _burst(world, source):
    """Send for 10 s where the source is read; return the most that was held in memory."""
    most = 0
    for _ in range(BURST_STEPS):
        if source.reading:
            source.send(*(["x"] * A_STEP), size=FRAME_BYTES)
        most = max(most, world.hub.figures()["t"].memory_bytes)
        await world.clock.advance(STEP_SECONDS)
    return most


async def _drain(world, source):
    for _ in range(200):
        if not source.outlet.queued_bytes:
            break
        await world.clock.advance(PUBLISH_SECONDS)
    await world.clock.advance(2 * PUBLISH_SECONDS)
    await settle()


def _account(world, source):
    """Check that each number came once and in order or lies in a gap; return how many lie in gaps."""
    came = [frame.sequence for frame in world.frames()]
    assert came == sorted(set(came))
    lost = {n for _, first, last, _ in world.gaps() for n in range(first, last + 1)}
    assert not lost & set(came)
    assert lost | set(came) == set(range(1, source.sequence + 1))
    return len(lost)


@pytest.mark.parametrize("overflow", Overflow)
async def test_a_burst_at_twice_the_maximum_onto_a_bus_that_takes_seconds(world, overflow):
    await world.hub.start("platform", _nobody)
    source = world.source(options=PublishOptions(Encoding.BATCH, overflow, Markers.INLINE))

    most = await _burst(world, source)
    figures = world.hub.figures()["t"]
    assert most <= QUEUE_BYTES + BATCH_BYTES + A_STEP * (FRAME_BYTES + 200), "the queue and one message"
    if overflow is Overflow.SPOOL:
        assert figures.disk_bytes > 0, "the numbers say where it is"

    await _drain(world, source)

    lost = _account(world, source)
    assert world.hub.figures()["t"].dropped_frames == lost
    assert (lost > 0) == (overflow is Overflow.DROP_OLDEST)
    assert world.hub.figures()["t"].memory_bytes == 0
    assert world.bus.most_in_flight == 1
    await world.hub.stop(5)


async def _nobody(_connection_id):
    return ""


async def test_a_frame_over_the_batch_limit_goes_by_itself_in_its_place(world):
    await world.hub.start("platform", _nobody)
    source = world.source()
    source.send("small")
    source.send("large", size=2 * BATCH_BYTES)
    source.send("small")

    await _drain(world, source)

    assert [len(frame.data) for frame in world.frames()] == [5, 2 * BATCH_BYTES, 5]
    assert _account(world, source) == 0
    await world.hub.stop(5)


async def test_heartbeats_take_a_tenth_of_a_slow_bus_at_most_while_frames_wait(world):
    source = world.source(options=PublishOptions(Encoding.BATCH, Overflow.SPOOL, Markers.INLINE))
    await _burst(world, source)
    kinds = [message[3]["cloudevent.type"].rpartition(".")[2] for message in world.bus.on("t")]
    assert len(kinds) >= 4
    assert kinds.count("heartbeat") == 1
    await _drain(world, source)
