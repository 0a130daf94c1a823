from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.frames import strategies
from tests.frames.strategies import steady
from virtufin_examples._generated.virtufin.v1 import frames_pb2
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import Frame, FrameFlag, decode_batch, encode_batch


def a_frame(
    sequence: int, *, connection: str = "c", epoch: int = 1, received_ns: int = 1000, **more
) -> Frame:
    return Frame("ticks", connection, epoch, sequence, received_ns, b"x%d" % sequence, **more)


KEPT = [
    a_frame(1, flags=FrameFlag.SIMULATED, venue_sequence=7, connection_url="wss://x"),
    a_frame(2, received_ns=1005, connection_url="wss://x"),
    a_frame(9, connection="d", epoch=3, received_ns=990, flags=FrameFlag.BINARY | FrameFlag.BACKFILL),
]


def test_a_batch_of_format_1_is_read() -> None:
    data = (Path(__file__).parent / "batches" / "v1.batch").read_bytes()
    assert decode_batch("ticks", data) == KEPT
    assert parsed(data).format_version == 1


def parsed(data: bytes) -> frames_pb2.FrameBatch:
    return frames_pb2.FrameBatch.FromString(data)


@steady
@given(st.lists(strategies.frames()))
def test_every_batch_comes_back_as_it_was(frames: list[Frame]) -> None:
    assert decode_batch("ticks", encode_batch(frames, instance="i")) == frames


@steady
@given(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from("ab"), st.integers(0, 5), st.integers(-3, 10**9)))
)
def test_runs_of_any_shape_come_back_in_order(steps: list[tuple[int, str, int, int]]) -> None:
    frames, sequence, time = [], 0, 10**18
    for step, connection, flag, elapsed in steps:
        sequence, time = sequence + step, time + elapsed
        frames.append(a_frame(sequence, connection=connection, received_ns=time, flags=FrameFlag(flag)))
    assert decode_batch("ticks", encode_batch(frames, instance="")) == frames


def test_consecutive_frames_of_one_connection_and_epoch_share_a_run() -> None:
    frames = [
        a_frame(1),
        a_frame(2),
        a_frame(4),
        a_frame(5, epoch=2),
        a_frame(6, epoch=2, connection="d"),
        a_frame(7, epoch=2, connection="d", connection_url="wss://x"),
    ]
    batch = parsed(encode_batch(frames, instance="host-1"))
    assert (batch.format_version, batch.instance, batch.source_kind) == (1, "host-1", 1)
    assert [(r.connection_id, r.epoch, r.first_sequence, len(r.payloads)) for r in batch.runs] == [
        ("c", 1, 1, 2),
        ("c", 1, 4, 1),
        ("c", 2, 5, 1),
        ("d", 2, 6, 1),
        ("d", 2, 7, 1),
    ]


def test_what_says_nothing_is_left_off() -> None:
    run = parsed(encode_batch([a_frame(1), a_frame(2), a_frame(3)], instance="")).runs[0]
    assert (list(run.received_delta_ns), list(run.flags), list(run.venue_sequences)) == ([], [], [])
    frames = [
        a_frame(1, flags=FrameFlag.BINARY),
        a_frame(2, received_ns=1005, venue_sequence=9),
        a_frame(3, received_ns=1005),
    ]
    run = parsed(encode_batch(frames, instance="")).runs[0]
    assert (list(run.received_delta_ns), list(run.flags), list(run.venue_sequences)) == ([5], [1], [0, 9, 0])


def test_reads_what_another_writer_made_with_the_contract_alone() -> None:
    batch = frames_pb2.FrameBatch(format_version=1, instance="go")
    batch.runs.add(
        connection_id="c",
        epoch=2,
        first_sequence=10,
        payloads=[b"a", b"b", b"c"],
        first_received_ns=100,
        received_delta_ns=[7],
        flags=[0, FrameFlag.SIMULATED],
        venue_sequences=[1],
        connection_url="wss://x",
    )
    batch.runs.add(connection_id="nothing")
    assert decode_batch("ticks", batch.SerializeToString()) == [
        Frame("ticks", "c", 2, 10, 100, b"a", FrameFlag.NONE, 1, "wss://x"),
        Frame("ticks", "c", 2, 11, 107, b"b", FrameFlag.SIMULATED, 0, "wss://x"),
        Frame("ticks", "c", 2, 12, 107, b"c", FrameFlag.NONE, 0, "wss://x"),
    ]


def test_a_newer_format_is_refused_with_both_versions_named() -> None:
    data = frames_pb2.FrameBatch(format_version=2).SerializeToString()
    with pytest.raises(InvalidInputError, match=r"ticks.*format_version 2, this reader knows 1"):
        decode_batch("ticks", data)


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"not a batch", b'{"json": true}'])
def test_what_is_no_batch_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError, match="no FrameBatch"):
        decode_batch("ticks", data)


@pytest.mark.parametrize("field", ["received_delta_ns", "flags", "venue_sequences"])
def test_a_run_whose_lists_do_not_fit_is_refused(field: str) -> None:
    batch = frames_pb2.FrameBatch(format_version=1)
    batch.runs.add(connection_id="c", first_sequence=1, payloads=[b"a"], **{field: [1, 2]})
    with pytest.raises(InvalidInputError, match=f"2 {field} for 1 payloads"):
        decode_batch("ticks", batch.SerializeToString())


@steady
@given(st.binary(max_size=60))
def test_garbage_never_breaks_the_reader_otherwise(data: bytes) -> None:
    with contextlib.suppress(InvalidInputError):
        decode_batch("ticks", data)
