"""A replay on a bus in memory and a clock that is moved by its waiter."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Self

import pytest

from tests.client.recording_parts import HandClock, MemoryBus, write_recording
from tests.frames.recording_samples import ITEMS, frame
from virtufin_examples._generated.virtufin.v1 import frames_pb2
from virtufin_examples.bus import CLOUDEVENT_JSON
from virtufin_examples.client import AtOnce, OnCredit, Replayed, Timed, default_topic, open_replay
from virtufin_examples.client._replay import MESSAGE_BYTES, Replay
from virtufin_examples.errors import InvalidInputError, PreconditionError, UnavailableError
from virtufin_examples.frames import (
    BATCH_CONTENT_TYPE,
    REPLAY_SOURCE,
    Encoding,
    Frame,
    Gap,
    Heartbeat,
    Silent,
    decode_batch,
    decode_message,
)

SECOND = 1_000_000_000


class Player:
    """A replay with its parts in the hands of a test."""

    def __init__(self, path: Path, *, encoding=Encoding.BATCH, pace=None, topic="again") -> None:
        self.clock = HandClock()
        self.bus = MemoryBus(self.clock)
        self.progress: list[Replayed] = []
        self._stream = path.open("rb")
        self.replay = Replay(
            self._stream,
            path,
            self.bus,
            topic=topic,
            encoding=encoding,
            pace=pace or AtOnce(),
            clock=self.clock,
            on_progress=self.progress.append,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error) -> None:
        self._stream.close()

    def sent(self) -> list:
        """Every item published, in order, heartbeats too."""
        found = []
        for topic, data, content_type, metadata in self.bus.messages:
            if content_type == CLOUDEVENT_JSON:
                event = json.loads(data)
                assert event["source"] == REPLAY_SOURCE
                found.append((topic, event["sequence"]))
                continue
            assert metadata["cloudevent.source"] == REPLAY_SOURCE
            decoded = decode_message(topic, metadata["cloudevent.type"], content_type, data, {})
            found.extend((topic, item) for item in decoded)
        return found

    def times(self) -> list[float]:
        """When each message went, in seconds after the first."""
        return [(at - self.bus.times[0]) / SECOND for at in self.bus.times]


def recording_of(path: Path, *items) -> Path:
    return write_recording(path, sessions=((tuple(items),),))


async def test_a_batch_says_that_a_file_is_its_source(tmp_path: Path) -> None:
    path = recording_of(tmp_path / "a.rec", frame(1), frame(2))
    with Player(path) as player:
        await player.replay.run()
        batches = [data for _, data, kind, _ in player.bus.messages if kind == BATCH_CONTENT_TYPE]
    batch = frames_pb2.FrameBatch.FromString(batches[0])
    assert (len(batches), batch.source_kind) == (1, frames_pb2.SOURCE_KIND_FILE)
    assert batch.instance.startswith("replay-")
    assert [item.sequence for item in decode_batch("again", batches[0])] == [1, 2]


async def test_everything_goes_in_order_between_two_heartbeats(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.rec")
    with Player(path) as player:
        done = await player.replay.run()
        sent = [item for _, item in player.sent()]
    first, *middle, last = sent
    expected = [item for item in ITEMS if not isinstance(item, Silent)]
    assert [item.sequence for item in middle] == [item.sequence for item in expected]
    assert {item.topic for item in sent} == {"again"}
    assert (first.kind, first.connections, last.kind) == ("start", (), "stop")
    assert {beat.connection_id: beat.last_sequence for beat in last.connections} == {"c": 9, "d": 1}
    assert (done.frames, done.markers, done.whole, done.torn_bytes) == (7, 3, True, 0)
    assert done.read_bytes == done.size_bytes == path.stat().st_size
    assert player.progress[-1].frames == 7


async def test_in_frame_encoding_a_message_is_a_frame_and_markers_have_their_companion(
    tmp_path: Path,
) -> None:
    path = write_recording(tmp_path / "a.rec")
    with Player(path, encoding=Encoding.FRAME) as player:
        await player.replay.run()
        topics = [topic for topic, *_ in player.bus.messages]
    assert (topics.count("again"), topics.count("again.events")) == (7, 5)


async def test_batches_stay_within_their_bound(tmp_path: Path) -> None:
    path = recording_of(tmp_path / "a.rec", *(frame(n, b"z" * (MESSAGE_BYTES // 3)) for n in range(1, 8)))
    with Player(path) as player:
        await player.replay.run()
        sizes = [len(data) for _, data, kind, _ in player.bus.messages if kind == BATCH_CONTENT_TYPE]
    assert (len(sizes), max(sizes) < MESSAGE_BYTES + 1000) == (3, True)


async def test_a_gap_that_the_recorder_found_is_announced_with_a_number(tmp_path: Path) -> None:
    gap = Gap(
        topic="ticks",
        connection_id="c",
        epoch_before=1,
        epoch_after=1,
        cause="bus",
        from_ns=1,
        to_ns=2,
        first_sequence=2,
        last_sequence=4,
    )
    with Player(recording_of(tmp_path / "a.rec", frame(1), gap, frame(5))) as player:
        await player.replay.run()
        gaps = [item for _, item in player.sent() if isinstance(item, Gap)]
    assert [(item.sequence, item.first_sequence, item.last_sequence) for item in gaps] == [(2, 2, 4)]


@pytest.mark.parametrize(("speed", "expected"), [(1.0, 1.5), (10.0, 0.15), (0.5, 3.0)])
async def test_a_timed_replay_keeps_the_pauses(tmp_path: Path, speed: float, expected: float) -> None:
    start = frame(1).received_ns
    path = recording_of(tmp_path / "a.rec", frame(1), frame(2, received_ns=start + 3 * SECOND // 2))
    with Player(path, pace=Timed(speed)) as player:
        await player.replay.run()
        frames = [
            at
            for at, (_, _, kind, _) in zip(player.times(), player.bus.messages, strict=True)
            if kind == BATCH_CONTENT_TYPE
        ]
    assert frames == [0.0, pytest.approx(expected)]


async def test_a_long_pause_is_filled_with_heartbeats(tmp_path: Path) -> None:
    start = frame(1).received_ns
    path = recording_of(tmp_path / "a.rec", frame(1), frame(2, received_ns=start + 7 * SECOND))
    with Player(path, pace=Timed(1)) as player:
        await player.replay.run()
        kinds = [item.kind for _, item in player.sent() if isinstance(item, Heartbeat)]
        beats = [
            at
            for at, (_, item) in zip(player.times(), player.sent(), strict=True)
            if isinstance(item, Heartbeat)
        ]
    assert kinds == ["start", "beat", "beat", "beat", "stop"]
    assert beats[1:4] == pytest.approx([2, 4, 6])


async def test_just_as_many_items_go_as_credit_was_granted(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.rec")
    counts = []
    with Player(path, pace=OnCredit(2)) as player:

        def watch(now: Replayed) -> None:
            counts.append(now.frames + now.markers)
            if counts[-3:] == [2, 2, 2]:
                player.replay.grant(3)
            if counts[-3:] == [5, 5, 5]:
                player.replay.finish()

        player.replay._on_progress = watch
        done = await player.replay.run()
    assert (done.frames + done.markers, done.whole) == (5, False)
    assert counts == sorted(counts)


async def test_credit_for_a_replay_that_is_not_on_credit_is_refused(tmp_path: Path) -> None:
    with (
        Player(write_recording(tmp_path / "a.rec")) as player,
        pytest.raises(PreconditionError, match="not on credit"),
    ):
        player.replay.grant(1)


async def test_a_replay_that_is_stopped_says_how_far_it_came(tmp_path: Path) -> None:
    path = recording_of(tmp_path / "a.rec", *(frame(n) for n in range(1, 100)))
    with Player(path, encoding=Encoding.FRAME) as player:
        player.bus.on_publish = lambda: len(player.bus.messages) == 11 and player.replay.stop()
        done = await player.replay.run()
        last = player.sent()[-1][1]
    assert (done.frames, done.whole) == (11, False)
    assert (last.kind, last.connections[0].last_sequence) == ("stop", 11)


async def test_a_cancelled_replay_still_says_that_it_stops(tmp_path: Path) -> None:
    path = recording_of(tmp_path / "a.rec", frame(1), frame(2))
    with Player(path, pace=OnCredit(1)) as player:
        waiting = asyncio.Event()

        async def wait(_wake: asyncio.Event, _seconds: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

        player.clock.wait = wait
        task = asyncio.create_task(player.replay.run())
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert player.sent()[-1][1].kind == "stop"


async def test_a_torn_recording_is_played_up_to_its_tail(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.rec", end=False)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with Player(path) as player:
        done = await player.replay.run()
    assert (done.frames, done.whole, done.read_bytes + done.torn_bytes) == (5, False, len(whole) - 40)
    assert path.read_bytes() == whole[:-40]


async def test_damage_ends_a_replay_after_what_lies_before_it(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.rec")
    data = bytearray(path.read_bytes())
    data[-300] ^= 1
    path.write_bytes(data)
    with Player(path) as player:
        with pytest.raises(InvalidInputError, match=r"a\.rec at offset"):
            await player.replay.run()
        assert any(isinstance(item, Frame) for _, item in player.sent())
        assert player.sent()[-1][1].kind == "stop"


async def test_a_bus_that_is_down_ends_it_with_the_bus_error(tmp_path: Path) -> None:
    with Player(write_recording(tmp_path / "a.rec")) as player:
        player.bus.fail = UnavailableError("Dapr is down")
        with pytest.raises(UnavailableError, match="Dapr is down"):
            await player.replay.run()


async def test_live_and_replayed_frames_do_not_meet_by_default(tmp_path: Path) -> None:
    with Player(write_recording(tmp_path / "a.rec"), topic="") as player:
        assert player.replay.topic == default_topic("ticks") == "ticks-replay"


async def test_a_file_that_is_none_is_told_before_anything_is_connected(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"none\.rec: No such file"):
        async with open_replay(tmp_path / "none.rec", dapr="127.0.0.1:1"):
            pass
    (tmp_path / "text").write_text("no")
    with pytest.raises(InvalidInputError, match="no recording"):
        async with open_replay(tmp_path / "text", dapr="127.0.0.1:1"):
            pass
