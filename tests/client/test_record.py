"""Recording and replaying through the embedded runtime, in both encodings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.client.recording_parts import items_of, running_bus, running_runtime, write_recording
from tests.frames.recording_samples import frame
from virtufin_examples.bus import CLOUDEVENT_JSON
from virtufin_examples.client import Recorded, open_replay, record, subscribe
from virtufin_examples.errors import UnavailableError
from virtufin_examples.frames import (
    BATCH_CONTENT_TYPE,
    BATCH_EVENT_TYPE,
    NOTE_CONTENT_TYPE,
    Cause,
    Encoding,
    Frame,
    FrameFlag,
    Gap,
    RecordingReader,
    Stale,
    encode_batch,
    encode_frame_event,
    encode_note,
)

GAP = Gap(
    topic="ticks",
    connection_id="c",
    epoch_before=1,
    epoch_after=2,
    cause=Cause.RECONNECT,
    from_ns=frame(2).received_ns,
    to_ns=frame(4).received_ns,
    sequence=3,
    venue_from=2**60,
)
STALE = Stale(
    topic="ticks", connection_id="c", epoch=2, sequence=5, since_ns=9, symbols=("A",), reason="quiet"
)
ITEMS = [
    frame(1, '{"price": 1.10, "s": "€"}'.encode(), venue_sequence=2**63 + 1),
    frame(2, b"\x00\xff\xfe", flags=FrameFlag.BINARY | FrameFlag.SIMULATED),
    GAP,
    frame(4, b"", epoch=2, connection_url="wss://stream.example/v2", flags=FrameFlag.BACKFILL),
    STALE,
    frame(6, b'{"n": 12345678901234567890}', epoch=2),
]


@pytest.fixture
async def runtime() -> AsyncIterator[str]:
    async with running_runtime() as address:
        yield address


async def publish(target: str, items, topic: str = "ticks") -> None:
    """As the WebSocketManager does: batches with their markers inline."""
    async with running_bus(target) as bus:
        for item in items:
            if isinstance(item, Frame):
                data, kind, metadata = encode_batch([item], instance="host-1"), BATCH_CONTENT_TYPE, {}
                metadata["cloudevent.type"] = BATCH_EVENT_TYPE
            else:
                event_type, data = encode_note(item)
                kind, metadata = NOTE_CONTENT_TYPE, {"cloudevent.type": event_type}
            await bus.publish(topic, data, content_type=kind, metadata=metadata)


async def recorded(path: Path, target: str, count: int, begin, topic: str = "ticks"):
    """Record so many frames of what `begin` has published once the recording is in force."""
    begun = asyncio.Event()
    task = asyncio.create_task(
        record(topic, path, dapr=target, count=count, on_progress=lambda _: begun.set())
    )
    await asyncio.wait_for(begun.wait(), 10)
    await begin()
    return await asyncio.wait_for(task, 10)


@pytest.mark.parametrize("encoding", Encoding)
async def test_a_recording_of_a_replay_of_a_recording_is_the_same(
    tmp_path: Path, runtime: str, encoding: Encoding
) -> None:
    first, second = tmp_path / "first.rec", tmp_path / "second.rec"
    done = await recorded(first, runtime, 4, lambda: publish(runtime, ITEMS))
    assert items_of(first) == ITEMS
    assert (done.frames, done.markers, done.gaps, done.replayed) == (4, 2, 1, 0)

    async def play() -> None:
        async with open_replay(first, topic="ticks", encoding=encoding, dapr=runtime) as replay:
            assert (await replay.run()).whole

    done = await recorded(second, runtime, 4, play)
    found = items_of(second)
    assert [item for item in found if isinstance(item, Frame)] == [
        item for item in ITEMS if isinstance(item, Frame)
    ]
    assert found == ITEMS
    assert (done.frames, done.replayed > 0) == (4, True)


@pytest.mark.parametrize("encoding", Encoding)
async def test_a_subscriber_can_tell_a_replay_from_live_frames(
    tmp_path: Path, runtime: str, encoding: Encoding
) -> None:
    path = write_recording(tmp_path / "a.rec")
    async with subscribe("ticks", dapr=runtime) as items, running_bus(runtime) as bus:
        await bus.publish(
            "ticks", encode_frame_event(frame(1, connection_id="x")), content_type=CLOUDEVENT_JSON
        )
        assert (await anext(items)).connection_id == "x"
        assert items.replayed == 0
        async with open_replay(path, topic="ticks", encoding=encoding, dapr=runtime) as replay:
            await replay.run()
        found = await anext(items)
        assert (found.connection_id, found.received_ns) == ("c", frame(1).received_ns)
        assert items.replayed > 0


async def test_a_recording_ends_when_it_is_told_to(tmp_path: Path, runtime: str) -> None:
    path, begun, stop = tmp_path / "a.rec", asyncio.Event(), asyncio.Event()

    def at(now: Recorded) -> None:
        begun.set()
        if now.frames == 2:
            stop.set()

    task = asyncio.create_task(record("ticks", path, dapr=runtime, stop=stop, on_progress=at))
    await asyncio.wait_for(begun.wait(), 10)
    await publish(runtime, [frame(1), frame(2)])
    assert (await asyncio.wait_for(task, 10)).frames == 2
    assert items_of(path) == [frame(1), frame(2)]


async def test_a_cancelled_recording_is_whole(tmp_path: Path, runtime: str) -> None:
    path, begun = tmp_path / "a.rec", asyncio.Event()
    task = asyncio.create_task(record("ticks", path, dapr=runtime, on_progress=lambda _: begun.set()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with path.open("rb") as stream:
        reader = RecordingReader(stream, "a.rec")
        assert (len([*reader]), reader.ended) == (1, True)


async def test_a_recording_ends_with_its_time(tmp_path: Path, runtime: str) -> None:
    done = await record("ticks", tmp_path / "a.rec", dapr=runtime, seconds=0.01)
    assert (done.frames, (tmp_path / "a.rec").exists()) == (0, True)


async def test_a_second_session_announces_what_it_missed(tmp_path: Path, runtime: str) -> None:
    path = tmp_path / "a.rec"
    await recorded(path, runtime, 2, lambda: publish(runtime, [frame(1), frame(2)]))
    await publish(runtime, [frame(3), frame(4)])
    done = await recorded(path, runtime, 1, lambda: publish(runtime, [frame(5)]))
    found = items_of(path)
    assert [getattr(item, "sequence", None) for item in found] == [1, 2, 0, 5]
    assert (found[2].first_sequence, found[2].last_sequence, done.gaps) == (3, 4, 1)


async def test_without_a_sidecar_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        await record("ticks", tmp_path / "a.rec", dapr="127.0.0.1:1")
    assert not (tmp_path / "a.rec").exists()
