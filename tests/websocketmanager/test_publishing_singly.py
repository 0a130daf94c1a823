"""Encoding `frame` where bulk calls keep their order: an event a frame, what has gathered in one call."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.frames.runs import in_runs
from tests.websocketmanager.spooling import PLATFORM, nobody, size_of
from tests.websocketmanager.test_publisher import FRAME, World
from tests.websocketmanager.test_spooling import kill
from virtufin_examples.bus import CLOUDEVENT_JSON
from virtufin_examples.connections import settle
from virtufin_examples.errors import ConflictError
from virtufin_examples.frames import Frame
from virtufin_examples.websocketmanager import _carrier as carrier
from virtufin_examples.websocketmanager import _sender as sender

NUMBERS = [str(number) for number in range(1, 41)]


@pytest.fixture
async def world(spool_dir):
    world = World(spool_dir)
    world.bus.keeps_bulk_order = True
    await world.hub.start(PLATFORM, nobody)
    yield world
    await world.hub.stop(0)


def events(world):
    return [json.loads(m[1]) for m in world.bus.on("t") if m[2] == CLOUDEVENT_JSON]


def sequences(world):
    return [int(event["sequence"]) for event in events(world)]


def gaps(world):
    return [
        (note["cause"], note["first_sequence"], note["last_sequence"], note["sequence"])
        for kind, note in world.notes("t.events")
        if kind == "gap"
    ]


async def busy(world, *texts, name="c1"):
    """Return a source that sent `texts` while an earlier frame was in flight."""
    source = world.source(options=FRAME, name=name)
    await settle()
    gate = world.bus.gate["t"] = asyncio.Event()
    source.send("0")
    await settle()
    source.send(*texts)
    del world.bus.gate["t"]
    gate.set()
    return source


async def test_a_frame_alone_goes_at_once_and_what_gathered_meanwhile_goes_together(world):
    source = await busy(world, *NUMBERS)
    await world.clock.advance(1)
    assert sequences(world) == list(range(1, 42))
    assert [event["data"] for event in events(world)] == ["0", *NUMBERS]
    assert world.bus.bulks == [2, 4, 8, 16, 10]  # after a start, or a failure, by doubling
    assert world.bus.most_in_flight == 1
    source.send("alone")
    await settle()
    assert len(world.bus.bulks) == 5


async def test_where_the_bus_does_not_keep_the_order_each_goes_by_itself(world):
    world.bus.keeps_bulk_order = False
    await busy(world, *NUMBERS)
    await world.clock.advance(1)
    assert sequences(world) == list(range(1, 42))
    assert world.bus.bulks == []


async def test_a_call_is_bounded_in_events_and_in_bytes(world, monkeypatch):
    monkeypatch.setattr(carrier, "EVENTS_BYTES", 5000)
    monkeypatch.setattr(sender, "MAX_EVENTS", 8)
    await busy(world, *NUMBERS)
    await world.clock.advance(1)
    assert sequences(world) == list(range(1, 42))
    assert max(world.bus.bulks) == 8
    source = world.source("t", FRAME, "large")
    before = len(world.bus.bulks)
    source.send(*NUMBERS[:6], size=1500)
    await settle()
    assert max(world.bus.bulks[before:]) == 2
    assert sequences(world)[41:] == list(range(1, 7))


async def test_what_the_bus_left_of_a_call_goes_next_and_nothing_twice(world):
    world.bus.takes = 3
    await busy(world, *NUMBERS)
    await world.clock.advance(1)
    assert sequences(world) == list(range(1, 42))
    assert max(world.bus.bulks) == 3


async def test_a_bus_that_fails_is_tried_with_one_and_loses_nothing(world):
    source = await busy(world, *NUMBERS[:9])
    await settle()
    before = len(world.bus.bulks)
    world.bus.down = True
    source.send(*NUMBERS)
    await world.clock.advance(5)
    world.bus.down = False
    await world.clock.advance(5)
    assert sequences(world) == list(range(1, 51))
    assert world.bus.bulks[before] == 2
    assert gaps(world) == []


async def test_a_frame_that_the_bus_never_takes_is_a_gap_and_its_neighbours_go_once(world):
    world.bus.bad = b'"data":"20"'
    await busy(world, *NUMBERS)
    await world.clock.advance(60)
    assert sequences(world) == [each for each in range(1, 42) if each != 21]
    assert gaps(world) == [("bus", 21, 21, 21)]


async def test_a_frame_that_cannot_be_encoded_is_a_gap_in_its_place(world):
    source = await busy(world, "1")
    source.outlet.put(run := in_runs([Frame("", "c1", 1, 3, 5, b"\xff")]), size_of(run))
    source.sequence = 3
    source.send("4", "5")
    await settle()
    assert sequences(world) == [1, 2, 4, 5]
    assert gaps(world) == [("bus", 3, 3, 3)]


async def test_after_a_pause_in_mid_run_only_what_is_still_ours_goes_on(world):
    lost, kept = await busy(world, name="lost"), world.source(options=FRAME, name="kept")
    await settle()
    gate = world.bus.gate["t"] = asyncio.Event()
    lost.send("1")
    await settle()
    for number in range(6):
        lost.send(str(number))
        kept.send(str(number))
    lost.answer = ConflictError("taken")
    world.clock._elapsed_ns += 10_000_000_000
    del world.bus.gate["t"]
    gate.set()
    await settle()
    await world.clock.advance(5)
    assert [event["sequence"] for event in events(world) if event["connectionid"] == "lost"] == ["1", "2"]
    assert [event["data"] for event in events(world) if event["connectionid"] == "kept"] == list("012345")
    assert lost.confirms == 1


async def test_what_was_sent_in_part_when_the_process_died_is_sent_whole_by_the_next(world, spool_dir):
    world.bus.takes = 5
    bulk = world.bus.publish_bulk

    async def once(topic, messages, *, content_type):
        taken = await bulk(topic, messages, content_type=content_type)
        world.bus.down = taken == 5
        return taken

    world.bus.publish_bulk = once
    await busy(world, *NUMBERS)
    await world.clock.advance(5)  # long enough for it to go to disk
    before = sequences(world)
    assert before == list(range(1, len(before) + 1))
    assert 5 < len(before) < 41
    kill(world, spool_dir)
    world.bus.publish_bulk, world.bus.down = bulk, False
    second = World(spool_dir, holder="two", bus=world.bus)
    await second.hub.start(PLATFORM, nobody)
    await second.clock.advance(5)
    after = sequences(world)[len(before) :]
    assert after == list(range(after[0], 42))
    assert after[0] <= len(before) + 1
    await second.hub.stop(0)
