"""The publisher of one topic, on a bus that fails on demand and a clock moved by hand."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from tests.frames.runs import in_runs
from tests.websocketmanager.fakes import MemoryBus
from tests.websocketmanager.spooling import PLATFORM, nobody, spool_in
from virtufin_examples.connections import VirtualClock, item_bytes, settle
from virtufin_examples.errors import InvalidInputError, PreconditionError
from virtufin_examples.frames import (
    Cause,
    ConnectionBeat,
    Encoding,
    Frame,
    Gap,
    Markers,
    Overflow,
    decode_batch,
)
from virtufin_examples.websocketmanager import _backlog as backlog
from virtufin_examples.websocketmanager import _publisher as module
from virtufin_examples.websocketmanager import _sender as sender
from virtufin_examples.websocketmanager._hub import PublisherHub, TopicFigures
from virtufin_examples.websocketmanager._metrics import publish_latency
from virtufin_examples.websocketmanager._source import PublishOptions
from virtufin_examples.websocketmanager.spool import Mark

BATCH = PublishOptions(Encoding.BATCH, Overflow.SPOOL, Markers.INLINE)
FRAME = PublishOptions()


class FakeSource:
    """A connection as the publisher sees it; its losses come back as gaps, as the stream's do."""

    def __init__(self, name: str = "c1") -> None:
        self.id = name
        self.sequence = 0
        self.outlet = None
        self.reading = True
        self.settled = Mark(0, 0)
        self.notes = []
        self.confirms = 0
        self.answer = None

    def beat(self, last_sequence):
        return ConnectionBeat(
            connection_id=self.id,
            state="connected",
            epoch=1,
            last_sequence=last_sequence,
            last_received_ns=7,
        )

    async def confirm(self):
        self.confirms += 1
        if self.answer is not None:
            raise self.answer

    def note(self, error_type, reason):
        self.notes.append((error_type, reason))

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def send(self, *texts, size=0):
        frames = []
        for text in texts:
            self.sequence += 1
            data = text.encode().ljust(size, b".")
            frames.append(Frame("", self.id, 1, self.sequence, 5, data, connection_url="wss://h/p"))
        runs = in_runs(frames)
        self.outlet.put(runs, sum(map(item_bytes, runs)))


class World:
    def __init__(
        self, folder, *, holder="one", instance="me", max_bytes=1 << 30, bus=None, partitions=1
    ) -> None:
        self.bus = bus or MemoryBus()
        self.clock = VirtualClock()
        self.spool = spool_in(folder, holder=holder, instance=instance, max_bytes=max_bytes)
        self.hub = PublisherHub(
            bus=self.bus,
            clock=self.clock,
            instance=instance,
            latency=publish_latency(CollectorRegistry()).labels,
            spool=self.spool,
            partitions=partitions,
        )

    def source(self, topic="t", options=BATCH, name="c1") -> FakeSource:
        source = FakeSource(name)
        source.outlet = self.hub.publisher(topic, options, name)
        source.outlet.attach(source)
        return source

    def frames(self, topic="t"):
        frames = []
        for _, data, content_type, _ in self.bus.on(topic):
            if "FrameBatch" in content_type:
                frames += decode_batch(topic, data)
        return frames

    def gaps(self, topic="t"):
        return [
            (note["cause"], note["first_sequence"], note["last_sequence"], note["sequence"])
            for kind, note in self.notes(topic)
            if kind == "gap"
        ]

    def notes(self, topic="t"):
        return [
            (metadata["cloudevent.type"].rpartition(".")[2], json.loads(data))
            for _, data, content_type, metadata in self.bus.on(topic)
            if content_type == "text/plain"
        ]


@pytest.fixture
async def world(spool_dir):
    world = World(spool_dir)
    await world.hub.start(PLATFORM, nobody)
    yield world
    await world.hub.stop(0)


async def test_what_gathers_while_a_message_is_in_flight_goes_as_one(world):
    source = world.source()
    await settle()
    world.bus.gate["t"] = asyncio.Event()
    source.send("a")
    await settle()
    for text in "bcdef":
        source.send(text)
        await settle()
    world.bus.gate["t"].set()
    await settle()
    batches = [m for m in world.bus.on("t") if "FrameBatch" in m[2]]
    assert [[f.text for f in decode_batch("t", m[1])] for m in batches] == [["a"], list("bcdef")]
    assert [m[3]["cloudevent.subject"] for m in batches] == ["t/1", "t/2"]
    assert world.bus.most_in_flight == 1


async def test_small_batches_keep_apart_in_the_long_run_and_a_short_burst_does_not_wait(world):
    source = world.source()
    await settle()

    async def sent_within(seconds: float) -> list[int]:
        before = len(world.bus.on("t"))
        for _ in range(round(seconds / 0.001)):
            source.send("x")
            await world.clock.advance(0.001)
        return [len(decode_batch("t", m[1])) for m in world.bus.on("t")[before:] if "FrameBatch" in m[2]]

    await world.clock.advance(1)
    assert await sent_within(0.005) == [1] * 5
    await world.clock.advance(1)
    sizes = await sent_within(0.1)
    assert sizes[: module.BATCH_BURST] == [1] * module.BATCH_BURST
    assert sizes[-20:] == [2] * 20
    await world.clock.advance(1)
    assert [frame.sequence for frame in world.frames()] == list(range(1, 106))


async def test_where_the_bus_hides_no_backlog_small_batches_go_at_once(world, monkeypatch):
    monkeypatch.setattr(world.bus, "hides_backlog", False)
    source = world.source()
    for number in range(1, 51):
        source.send(str(number))
        await settle()
    assert [frame.sequence for frame in world.frames()] == list(range(1, 51))


async def test_batches_that_are_full_do_not_wait_nor_does_what_follows_them(world, monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 3000)
    source = world.source()
    source.send(*("x" * 40), size=1000)
    await settle()
    sizes = [len(decode_batch("t", m[1])) for m in world.bus.on("t") if "FrameBatch" in m[2]]
    assert sizes == [3] * 13 + [1]


async def test_a_message_is_bounded(world, monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 3000)
    source = world.source()
    source.send(*"abcdefgh", size=1000)
    await settle()
    sizes = [len(decode_batch("t", m[1])) for m in world.bus.on("t") if "FrameBatch" in m[2]]
    assert sizes == [3, 3, 2]
    assert [frame.sequence for frame in world.frames()] == list(range(1, 9))


async def test_where_the_bus_hides_no_backlog_a_message_may_be_larger(world, monkeypatch):
    monkeypatch.setattr(world.bus, "hides_backlog", False)
    monkeypatch.setattr(module, "BATCH_BYTES", 3000)
    monkeypatch.setattr(module, "EMBEDDED_BATCH_BYTES", 6000)
    source = world.source()
    source.send(*"abcdefgh", size=1000)
    await settle()
    sizes = [len(decode_batch("t", m[1])) for m in world.bus.on("t") if "FrameBatch" in m[2]]
    assert sizes == [6, 2]


async def test_frame_encoding_sends_one_structured_event_a_frame(world):
    source = world.source(options=FRAME)
    source.send("a", "b")
    await settle()
    events = world.bus.on("t")
    assert [m[2] for m in events] == ["application/cloudevents+json"] * 2
    assert [json.loads(m[1])["data"] for m in events] == ["a", "b"]
    assert world.bus.most_in_flight == 1
    assert [kind for kind, _ in world.notes("t.events")] == ["heartbeat"]


async def test_a_bus_that_is_down_loses_nothing_and_is_drained_in_order(world):
    source = world.source()
    await settle()
    world.bus.down = True
    for number in range(20):
        source.send(str(number))
        await world.clock.advance(1)
    assert world.frames() == []
    assert world.bus.attempts < 25
    world.bus.down = False
    await world.clock.advance(5)
    assert [frame.text for frame in world.frames()] == [str(number) for number in range(20)]
    assert [note for note in world.notes() if note[0] == "gap"] == []


async def test_a_slow_topic_does_not_hold_up_another(world):
    slow, fast = world.source("slow", name="s"), world.source("fast", name="f")
    await settle()
    world.bus.gate["slow"] = asyncio.Event()
    slow.send("1")
    fast.send("1")
    await settle()
    assert [len(world.frames("slow")), len(world.frames("fast"))] == [0, 1]
    world.bus.gate["slow"].set()
    await settle()
    assert len(world.frames("slow")) == 1


async def test_beyond_the_bound_the_oldest_go_and_a_gap_in_their_place_says_so(world, monkeypatch):
    monkeypatch.setattr(backlog, "QUEUE_BYTES", 5000)
    source = world.source(options=PublishOptions(Encoding.BATCH, Overflow.DROP_OLDEST, Markers.INLINE))
    await settle()
    world.bus.down = True
    source.send("in flight")
    await settle()
    source.send(*map(str, range(2, 12)), size=1000)
    await settle()
    world.bus.down = False
    await world.clock.advance(5)
    received = [frame.sequence for frame in world.frames()]
    assert received == [1, 8, 9, 10, 11]
    ((kind, gap),) = [note for note in world.notes() if note[0] == "gap"]
    assert (kind, gap["cause"], gap["first_sequence"], gap["last_sequence"]) == ("gap", "overflow", 2, 7)
    assert gap["sequence"] == 7, "the number of the last frame that it stands for"
    kinds = [message[3]["cloudevent.type"].rpartition(".")[2] for message in world.bus.on("t")]
    assert kinds[:4] == ["heartbeat", "batch", "gap", "batch"]
    assert world.hub.figures()["t"] == TopicFigures(0, 0, 6)


async def test_block_stops_reading_until_there_is_room(world, monkeypatch):
    monkeypatch.setattr(backlog, "QUEUE_BYTES", 5000)
    source = world.source(options=PublishOptions(Encoding.BATCH, Overflow.BLOCK, Markers.INLINE))
    await settle()
    world.bus.down = True
    source.send("in flight")
    await settle()
    source.send(*map(str, range(2, 12)), size=1000)
    assert not source.reading
    world.bus.down = False
    await world.clock.advance(5)
    assert source.reading
    assert [frame.sequence for frame in world.frames()] == list(range(1, 12))
    assert [note for note in world.notes() if note[0] == "gap"] == []


async def twenty_that_block(world, size):
    """Fill the queue by 20 connections while a message is on its way."""
    options = PublishOptions(Encoding.BATCH, Overflow.BLOCK, Markers.INLINE)
    sources = [world.source(name=f"c{number}", options=options) for number in range(20)]
    await settle()
    world.bus.gate["t"] = asyncio.Event()
    sources[0].send("in flight")
    await settle()
    for source in sources:
        if source.reading:
            source.send("x", size=size)
    return sources


async def test_of_many_that_wait_only_as_many_read_again_as_there_is_room_for(world, monkeypatch):
    monkeypatch.setattr(backlog, "QUEUE_BYTES", 40_000)
    monkeypatch.setattr(module, "READ_BYTES", 5000)
    sources = await twenty_that_block(world, 5000)
    brought = sum(source.sequence for source in sources) - 1
    assert brought < 9, "the others bring nothing any more"
    stopped = [source for source in sources if not source.reading]
    assert len(stopped) == 20
    queued = []

    def read_again(source):
        source.reading = True
        if source in stopped:
            stopped.remove(source)
            source.send("y", size=5000)
        queued.append(source.outlet.queued_bytes)

    monkeypatch.setattr(FakeSource, "resume_reading", read_again)
    world.bus.gate["t"].set()
    await world.clock.advance(1)
    assert [stopped, [source for source in sources if not source.reading]] == [[], []]
    assert max(queued) < 40_000, "all at once they would fill it again"
    assert len(world.frames()) == 1 + brought + 20


async def test_those_that_have_nothing_to_bring_keep_no_other_from_reading(world, monkeypatch):
    monkeypatch.setattr(backlog, "QUEUE_BYTES", 4000)
    sources = await twenty_that_block(world, 1000)
    assert not any(source.reading for source in sources)
    world.bus.gate["t"].set()
    await settle()
    assert all(source.reading for source in sources)


async def test_a_quiet_topic_has_a_heartbeat_every_2_s_and_one_at_each_end(world):
    source = world.source()
    await settle()
    source.send("x")
    await world.clock.advance(1.9)
    assert [note["kind"] for _, note in world.notes()] == ["start"]
    await world.clock.advance(4.2)
    source.outlet.detach(source)
    assert await source.outlet.finished(5)
    beats = [note for _, note in world.notes()]
    assert [beat["kind"] for beat in beats] == ["start", "beat", "beat", "beat", "stop"]
    assert [beat["connections"][0].get("last_sequence", 0) for beat in beats] == [0, 1, 1, 1, 1]
    assert beats[0]["topic"] == "t"


async def test_a_busy_topic_has_heartbeats_too_which_name_the_quiet_connections_with_the_others(world):
    source = world.source()
    world.source(name="quiet")
    for _ in range(8):
        source.send("x")
        await world.clock.advance(1)
    beats = [note for kind, note in world.notes() if kind == "heartbeat"]
    assert [(note["kind"], [each["connectionid"] for each in note["connections"]]) for note in beats] == [
        ("start", ["c1", "quiet"]),
        *[("busy", ["c1", "quiet"])] * 4,
    ]
    assert {note["publisher"] for note in beats} == {"one"}
    assert [each.sequence for each in world.frames()] == list(range(1, 9))


async def test_markers_none_sends_frames_only(world):
    source = world.source(options=PublishOptions(Encoding.BATCH, Overflow.SPOOL, Markers.NONE))
    source.send("a")
    source.outlet.put([gap(2)], 256)
    await world.clock.advance(10)
    assert len(world.bus.messages) == 1
    source.outlet.detach(source)
    assert await source.outlet.finished(5)
    assert len(world.bus.messages) == 1


def gap(sequence: int) -> Gap:
    return Gap(
        topic="",
        connection_id="c1",
        epoch_before=1,
        epoch_after=2,
        cause=Cause.RECONNECT,
        from_ns=1,
        to_ns=2,
        sequence=sequence,
    )


async def test_a_marker_keeps_its_place_among_the_frames(world):
    source = world.source()
    source.send("a")
    source.sequence += 1
    source.outlet.put([gap(2)], 256)
    source.send("c")
    await settle()
    kinds = [message[3]["cloudevent.type"].rpartition(".")[2] for message in world.bus.on("t")]
    assert kinds == ["heartbeat", "batch", "gap", "batch"]
    assert world.notes()[1][1]["topic"] == "t"


async def test_what_the_bus_will_never_take_is_a_gap_and_does_not_hold_up_the_rest(world, monkeypatch):
    monkeypatch.setattr(sender, "MAX_PUBLISH_BYTES", 5000)
    monkeypatch.setattr(module, "BATCH_BYTES", 100)
    source = world.source()
    source.send("small")
    source.send("large", size=6000)
    source.send("small again")
    await settle()
    assert [frame.sequence for frame in world.frames()] == [1, 3]
    assert world.gaps() == [("bus", 2, 2, 2)]

    world.bus.refuse = InvalidInputError("too large for this broker")
    source.send("refused")
    await world.clock.advance(10)
    assert len(world.gaps()) == 1
    await world.clock.advance(20)  # it is given up, and its gap is refused in its turn
    world.bus.refuse = None
    await world.clock.advance(5)
    source.send("taken")
    await settle()
    assert world.frames()[-1].text == "taken"


async def test_a_topic_takes_two_connections_in_the_same_way_only(world):
    first, second = world.source(name="a"), world.source(name="b")
    assert first.outlet is second.outlet
    await settle()
    with pytest.raises(PreconditionError, match="published by connection a with encoding batch"):
        world.hub.require_free("t", FRAME, "c")
    world.hub.require_free("t", BATCH, "c")
    world.hub.require_free("other", FRAME, "c")
    first.outlet.detach(first)
    second.send("still here")
    await settle()
    assert world.frames()[-1].text == "still here"
    beat = msgspec.json.decode(json.dumps(world.notes()[0][1]))
    assert {each["connectionid"] for each in beat["connections"]} == {"a", "b"}


async def test_a_publisher_comes_back_to_life_while_it_drains(world):
    source = world.source()
    await settle()
    world.bus.gate["t"] = asyncio.Event()
    source.send("a")
    await settle()
    source.outlet.detach(source)
    assert world.hub.publisher("t", FRAME, "c1") is None
    again = world.source(name="c2")
    assert again.outlet is source.outlet
    world.bus.gate["t"].set()
    again.send("b")
    await settle()
    assert [frame.text for frame in world.frames()] == ["a", "b"]
    assert "stop" not in [note["kind"] for _, note in world.notes()]
