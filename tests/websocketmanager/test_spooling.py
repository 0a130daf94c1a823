"""A topic whose bus is away: what goes to disk, what comes back, in which order, and after what."""

from __future__ import annotations

import asyncio
import errno
import json
import os

import pytest

from tests.websocketmanager.fakes import MemoryBus
from tests.websocketmanager.spooling import PLATFORM, marker, nobody
from tests.websocketmanager.test_publisher import BATCH, FakeSource, World
from virtufin_examples.connections import settle
from virtufin_examples.errors import ConflictError, UnavailableError
from virtufin_examples.frames import Encoding, FrameFlag, Markers, Overflow, decode_runs
from virtufin_examples.websocketmanager import _backlog as backlog
from virtufin_examples.websocketmanager._source import PublishOptions
from virtufin_examples.websocketmanager.spool import _disk


@pytest.fixture
async def world(spool_dir):
    world = World(spool_dir)
    await world.hub.start(PLATFORM, nobody)
    yield world
    await world.hub.stop(0)


def segments(folder):
    return sorted(folder.rglob("*.segment"))


def sequences(world):
    return [frame.sequence for frame in world.frames()]


async def test_a_healthy_bus_touches_no_disk(world, spool_dir):
    source = world.source()
    for number in range(100):
        source.send(str(number), size=10_000)
        await world.clock.advance(0.01)
    assert not segments(spool_dir)
    assert sequences(world) == list(range(1, 101))


async def test_what_the_bus_refuses_for_a_second_is_on_disk_and_comes_back_in_order(world, spool_dir):
    source = world.source()
    await settle()
    world.bus.down = True
    source.send("in flight")
    await world.clock.advance(0.9)
    assert not segments(spool_dir)
    for number in range(50):
        source.send(str(number), size=1000)
        await world.clock.advance(0.1)
    assert segments(spool_dir)
    assert world.hub.figures()["t"].memory_bytes < 5000
    assert world.hub.figures()["t"].disk_bytes > 40_000
    world.bus.down = False
    await world.clock.advance(6)
    source.send("after")
    await settle()
    assert sequences(world) == list(range(1, 53))
    assert not any(frame.flags & FrameFlag.RECOVERED for frame in world.frames())
    assert not segments(spool_dir)
    assert world.hub.figures()["t"].disk_bytes == 0
    assert world.gaps() == []


async def test_a_bus_that_hangs_is_spooled_as_one_that_refuses(world, spool_dir):
    source = world.source()
    await settle()
    world.bus.gate["t"] = asyncio.Event()
    source.send("in flight")
    await world.clock.advance(2)
    source.send("behind")
    await world.clock.advance(1)
    assert segments(spool_dir)
    world.bus.gate["t"].set()
    await world.clock.advance(1)
    assert sequences(world) == [1, 2]
    assert not segments(spool_dir)


async def test_a_feed_faster_than_the_bus_goes_to_disk_before_memory_is_full(world, spool_dir, monkeypatch):
    monkeypatch.setattr(backlog, "SPOOL_AT_BYTES", 100_000)
    source = world.source()
    await settle()
    world.bus.gate["t"] = asyncio.Event()
    for number in range(500):
        source.send(str(number), size=1000)
        await settle()
    assert segments(spool_dir)
    figures = world.hub.figures()["t"]
    assert figures.memory_bytes < 200_000
    assert figures.disk_bytes > 300_000
    world.bus.gate["t"].set()
    await world.clock.advance(1)
    assert sequences(world) == list(range(1, 501))
    assert not segments(spool_dir)


async def test_markers_keep_their_place_on_disk(world):
    source = world.source()
    await settle()
    world.bus.down = True
    source.send("1")
    await world.clock.advance(3)
    source.outlet.put([marker(2)], 256)
    source.sequence = 2
    source.send("3")
    await world.clock.advance(1)
    world.bus.down = False
    await world.clock.advance(6)
    assert sequences(world) == [1, 3]
    assert [note["sequence"] for kind, note in world.notes() if kind == "gap"] == [2]
    kinds = [message[3]["cloudevent.type"].rpartition(".")[2] for message in world.bus.on("t")]
    assert [kind for kind in kinds if kind != "heartbeat"] == ["batch", "gap", "batch"]


@pytest.mark.parametrize("encoding", [Encoding.BATCH, Encoding.FRAME])
async def test_what_a_dead_process_spooled_is_published_first_and_marked(world, spool_dir, encoding):
    options = PublishOptions(encoding, Overflow.SPOOL, Markers.INLINE)
    source = world.source(options=options)
    await settle()
    source.send("published")
    await settle()
    world.bus.down = True
    source.send(*map(str, range(2, 6)))
    await world.clock.advance(3)
    source.send("6", "7")
    await world.clock.advance(1)
    kill(world, spool_dir)

    successor = World(spool_dir, holder="two", instance="other", bus=MemoryBus())
    await successor.hub.start(PLATFORM, nobody)
    assert successor.hub.recovered("c1").sequence == 7
    after = successor.source(options=options)
    after.sequence = 100
    after.send("new")
    await successor.clock.advance(1)
    await successor.hub.stop(0)
    if encoding is Encoding.BATCH:
        frames = successor.frames()
        assert [frame.sequence for frame in frames] == [2, 3, 4, 5, 6, 7, 101]
        assert [bool(frame.flags & FrameFlag.RECOVERED) for frame in frames] == [True] * 6 + [False]
    else:
        events = [json.loads(m[1]) for m in successor.bus.on("t") if "cloudevents" in m[2]]
        assert [int(event["sequence"]) for event in events] == [2, 3, 4, 5, 6, 7, 101]
        assert [event.get("recovered") for event in events] == ["true"] * 6 + [None]
    assert not segments(spool_dir)


async def test_recovered_frames_keep_the_name_of_the_process_that_took_them_in(world, spool_dir):
    await spooled(world, "1", "2")
    kill(world, spool_dir)
    successor = World(spool_dir, holder="two", instance="other", bus=MemoryBus())
    await successor.hub.start(PLATFORM, nobody)
    await successor.clock.advance(1)
    await successor.hub.stop(0)
    batches = [m for m in successor.bus.on("t") if "FrameBatch" in m[2]]
    assert {decode_runs("t", m[1])[0] for m in batches} == {"me"}


async def test_a_successor_that_is_killed_as_well_leaves_the_rest_to_the_next(world, spool_dir):
    await spooled(world, *map(str, range(1, 8)))
    kill(world, spool_dir)
    second = World(spool_dir, holder="two", bus=MemoryBus())
    second.bus.down = True
    await second.hub.start(PLATFORM, nobody)
    source = second.source()
    source.sequence = 1000
    source.send("second")
    await second.clock.advance(5)
    kill(second, spool_dir)
    third = World(spool_dir, holder="three", bus=MemoryBus())
    holders = {"c1": "two"}

    async def holder_of(connection_id):
        return holders[connection_id]

    await third.hub.start(PLATFORM, holder_of)
    await third.clock.advance(1)
    await third.hub.stop(0)
    # what the second had in memory only is lost: its bus was down from the start, so its frame was behind
    assert sequences(third)[:7] == list(range(1, 8))
    assert set(sequences(third)[7:]) <= {1001}
    assert all(frame.flags & FrameFlag.RECOVERED for frame in third.frames())


async def test_stopping_in_an_outage_leaves_everything_on_disk(world, spool_dir):
    source = world.source()
    await settle()
    world.bus.down = True
    source.send("1", "2")
    await settle()
    source.send("3")
    source.outlet.detach(source)
    await world.hub.stop(0)
    successor = World(spool_dir, holder="two", bus=MemoryBus())
    await successor.hub.start(PLATFORM, nobody)
    await successor.clock.advance(1)
    assert sequences(successor) == [1, 2, 3]
    await successor.hub.stop(0)
    assert not [each for each in spool_dir.rglob("*") if each.is_file()]


async def test_beyond_its_bound_the_spool_drops_the_oldest_with_a_gap_in_its_place(spool_dir):
    world = World(spool_dir, max_bytes=300_000)
    await world.hub.start(PLATFORM, nobody)
    source = world.source()
    await settle()
    world.bus.down = True
    for number in range(1, 801):
        source.send(str(number), size=1000)
        await world.clock.advance(0.05)
        assert world.hub.figures()["t"].disk_bytes <= 300_000
    assert "full" in world.hub.problem
    assert [kind for kind, _ in source.notes] == ["SpoolFailed"], "said once"
    world.bus.down = False
    await world.clock.advance(6)
    ((cause, first, last, number),) = world.gaps()
    assert (cause, number) == ("overflow", last)
    assert sequences(world) == [*range(1, first), *range(last + 1, 801)]
    assert world.hub.figures()["t"].dropped_frames == last - first + 1
    assert world.hub.problem == ""
    await world.hub.stop(0)


async def test_a_disk_that_is_full_is_announced_then_the_oldest_in_memory_go(world, monkeypatch):
    monkeypatch.setattr(backlog, "QUEUE_BYTES", 20_000)
    full = True
    write_at = _disk.write_at

    def write(descriptor, data, offset):
        if full:
            write_at(descriptor, data[: len(data) // 2], offset)
            raise OSError(errno.ENOSPC, "No space left on device")
        write_at(descriptor, data, offset)

    monkeypatch.setattr(_disk, "write_at", write)
    source = world.source()
    await settle()
    world.bus.down = True
    for number in range(1, 61):
        source.send(str(number), size=1000)
        await world.clock.advance(0.1)
    assert "No space left" in world.hub.problem
    assert len(source.notes) == 1
    assert world.hub.figures()["t"].memory_bytes <= 20_000
    full = False
    await world.clock.advance(2)
    assert world.hub.problem == ""
    world.bus.down = False
    await world.clock.advance(6)
    ((cause, first, last, number),) = world.gaps()
    assert (cause, number) == ("overflow", last)
    assert sequences(world) == [*range(1, first), *range(last + 1, 61)]


async def test_a_flood_that_the_disk_cannot_follow_holds_the_sockets_up_and_loses_nothing(world, monkeypatch):
    monkeypatch.setattr(backlog, "QUEUE_BYTES", 20_000)
    source = world.source()
    await settle()
    world.bus.gate["t"] = asyncio.Event()
    source.send(*map(str, range(60)), size=1000)  # in one turn of the loop, before the disk has any
    assert not source.reading
    await settle()
    assert source.reading
    assert world.hub.figures()["t"].memory_bytes <= 20_000
    world.bus.gate["t"].set()
    await world.clock.advance(1)
    assert world.gaps() == []
    assert sequences(world) == list(range(1, 61))


async def test_while_the_bus_hangs_none_waits_for_others_that_have_nothing_to_bring(world, monkeypatch):
    monkeypatch.setattr(backlog, "QUEUE_BYTES", 20_000)
    sources = [world.source(name=f"c{number}") for number in range(8)]
    await settle()
    world.bus.gate["t"] = asyncio.Event()
    sources[0].send("in flight")
    await settle()
    sources[0].send(*map(str, range(60)), size=1000)
    assert not any(source.reading for source in sources)
    await world.clock.advance(6)
    assert all(source.reading for source in sources)
    world.bus.gate["t"].set()
    await world.clock.advance(1)


async def test_a_disk_that_stands_still_holds_the_sockets_up_for_five_seconds_only(world, monkeypatch):
    monkeypatch.setattr(backlog, "QUEUE_BYTES", 20_000)
    goes_on = asyncio.Event()
    run = world.spool.run

    async def stand_still(function, *args, **kwargs):
        await goes_on.wait()
        return await run(function, *args, **kwargs)

    monkeypatch.setattr(world.spool, "run", stand_still)
    source = world.source()
    await settle()
    world.bus.gate["t"] = asyncio.Event()
    source.send("in flight")
    await settle()
    source.send(*map(str, range(59)), size=1000)
    await world.clock.advance(4)
    assert not source.reading
    assert world.hub.problem == ""
    await world.clock.advance(2)
    assert source.reading
    assert "the disk has taken nothing for 5 s" in world.hub.problem
    assert len(source.notes) == 1
    source.send(*map(str, range(30)), size=1000)
    assert source.reading
    assert world.hub.figures()["t"].memory_bytes <= 20_000

    goes_on.set()
    await world.clock.advance(1)
    assert world.hub.problem == ""
    world.bus.gate["t"].set()
    await world.clock.advance(2)
    ((_, first, last, _),) = world.gaps()
    assert sequences(world) == [*range(1, first), *range(last + 1, 91)]


async def test_a_folder_that_cannot_be_used_is_announced_and_memory_does(tmp_path):
    (tmp_path / "file").write_text("")
    world = World(tmp_path / "file" / "spool")
    await world.hub.start(PLATFORM, nobody)
    assert "cannot be used" in world.hub.problem
    source = world.source()
    world.bus.down = True
    source.send("1")
    await world.clock.advance(3)
    world.bus.down = False
    await world.clock.advance(6)
    assert sequences(world) == [1]
    await world.hub.stop(0)


async def test_after_a_pause_nothing_goes_out_before_the_records_are_confirmed(world):
    source = world.source()
    source.send("1")
    await settle()
    source.send("2")
    world.clock._elapsed_ns += 10_000_000_000  # SIGSTOP and SIGCONT, as a clock sees them
    await settle()
    assert source.confirms == 1
    assert sequences(world) == [1, 2]
    source.send("3")
    await settle()
    assert source.confirms == 1


async def test_after_a_pause_a_connection_that_another_process_took_stays_silent(world):
    lost, kept = world.source(name="lost"), world.source(name="kept")
    lost.send("1")
    await settle()
    before = len(world.bus.messages)
    lost.send("2")
    kept.send("1")
    lost.answer = ConflictError("taken")
    world.clock._elapsed_ns += 10_000_000_000
    await settle()
    await world.clock.advance(5)
    late = [frame.connection_id for frame in world.frames()][1:]
    assert late == ["kept"]
    beats = [note for kind, note in world.notes()[before:] if kind == "heartbeat"]
    assert all(each["connectionid"] == "kept" for beat in beats for each in beat["connections"])


async def test_while_nobody_can_tell_after_a_pause_nothing_goes_out(world):
    source = world.source()
    await settle()
    source.send("1")
    source.answer = UnavailableError("no state store")
    world.clock._elapsed_ns += 10_000_000_000
    await world.clock.advance(5)
    assert sequences(world) == []
    source.answer = None
    await world.clock.advance(5)
    assert sequences(world) == [1]


async def test_after_a_pause_thousands_are_confirmed_some_at_a_time_and_each_once(world, monkeypatch):
    sources = [world.source(name=f"c{number}") for number in range(300)]
    asking = most = 0

    async def confirm(self):
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        await world.clock.sleep(0.1)
        asking -= 1
        if self.answer is not None:
            raise self.answer
        self.confirms += 1

    monkeypatch.setattr(FakeSource, "confirm", confirm)
    await settle()
    sources[0].send("1")
    sources[150].answer = UnavailableError("no state store")
    world.clock._elapsed_ns += 10_000_000_000
    await world.clock.advance(5)
    assert sequences(world) == []
    sources[150].answer = None
    await world.clock.advance(5)
    assert sequences(world) == [1]
    assert {source.confirms for source in sources} == {1}
    assert most < 20


async def test_what_another_process_has_superseded_is_deleted_not_published(world, spool_dir):
    await spooled(world, "1", "2")
    kill(world, spool_dir)
    third = World(spool_dir, holder="three", bus=MemoryBus())

    async def holder_of(_connection_id):
        return "two"

    await third.hub.start(PLATFORM, holder_of)
    await third.clock.advance(1)
    assert third.bus.on("t") == []
    assert not segments(spool_dir)
    await third.hub.stop(0)


async def test_what_a_living_process_holds_is_left_to_it(world, spool_dir):
    await spooled(world, "1", "2")
    other = World(spool_dir, holder="two", bus=MemoryBus())
    await other.hub.start(PLATFORM, nobody)
    await other.clock.advance(1)
    assert other.bus.on("t") == []
    await other.hub.stop(0)
    world.bus.down = False
    await world.clock.advance(6)
    assert sequences(world) == [1, 2]


async def test_another_platforms_spool_is_left_alone(world, spool_dir):
    await spooled(world, "1")
    kill(world, spool_dir)
    other = World(spool_dir, holder="two", bus=MemoryBus())
    await other.hub.start("another platform", nobody)
    await other.clock.advance(1)
    assert other.bus.on("t") == []
    await other.hub.stop(0)
    assert segments(spool_dir)


async def spooled(world, *texts):
    source = world.source(options=BATCH)
    await settle()
    world.bus.down = True
    source.send(*texts)
    await world.clock.advance(3)
    return source


def kill(world, spool_dir):
    """Do what SIGKILL does to the spool: its lock ends, nothing else happens any more."""
    holding = world.spool._holding
    os.close(holding._lock)
    holding._lock = -1
    for publisher in world.hub.publishers:
        publisher._task.cancel()
        publisher.backlog._spooler.cancel()
    world.hub._publishers.clear()
    for task in world.hub._tasks:
        task.cancel()
    holding._folder = None
    holding.write_marks = lambda marks: None
