from __future__ import annotations

import io
import itertools
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.frames import strategies
from tests.frames.recording_samples import HEAD, ITEMS, SESSIONS, START_NS, frame, read, recording
from tests.frames.strategies import steady
from virtufin_examples.errors import InvalidInputError, ResourceLimitError
from virtufin_examples.frames import (
    RECORDING_VERSION,
    Cause,
    Continuity,
    FrameFlag,
    Gap,
    RecordingHead,
    RecordingReader,
    RecordingWriter,
    RecordKind,
    Silent,
)
from virtufin_examples.frames._recording_format import (
    MAX_RECORD_BYTES,
    RECORD_HEAD_BYTES,
    encode_record,
    parse_record_head,
    seed_of,
)
from virtufin_examples.frames._recording_writer import RECORD_BYTES

RECORDINGS = Path(__file__).parent / "recordings"
silents = st.builds(Silent, topic=strategies.names, since_ns=strategies.nanoseconds, hint=strategies.texts)
items = st.lists(
    st.one_of(strategies.frames(), strategies.gaps, strategies.stales, strategies.restoreds, silents)
)
HEAD_BYTES = len(RecordingWriter(HEAD).head)


def reader_of(data: bytes) -> RecordingReader:
    return RecordingReader(io.BytesIO(data), "a.rec")


def offsets(data: bytes) -> list[int]:
    """Where each record begins, and the end."""
    reader = reader_of(data)
    return [reader.end, *(reader.end for _ in reader)]


def sealed(body: bytes) -> bytes:
    """A head of a file whose checksum fits."""
    return body + zlib.crc32(body).to_bytes(4, "little")


@steady
@given(st.lists(st.tuples(items, strategies.nanoseconds)))
def test_everything_comes_back_as_it_was(takes) -> None:
    writer = RecordingWriter(HEAD)
    data = writer.head + b"".join(record for taken, at in takes for record in writer.items(taken, at))
    assert read(data) == [item for taken, _ in takes for item in taken]
    assert {record.taken_ns for record in reader_of(data)} == {at for taken, at in takes if taken}


def test_a_file_says_what_it_holds_and_whether_it_was_ended() -> None:
    reader = reader_of(recording())
    assert reader.head == HEAD
    kinds = [record.kind for record in reader]
    assert (kinds.count(RecordKind.END), kinds[-1], reader.ended, reader.torn_bytes) == (
        2,
        RecordKind.END,
        True,
        0,
    )
    reader = reader_of(recording(end=False))
    assert (len([*reader]), reader.ended) == (len(kinds) - 1, False)


@pytest.mark.parametrize("version", range(1, RECORDING_VERSION + 1))
def test_the_recordings_of_every_version_are_read(version: int) -> None:
    assert read((RECORDINGS / f"v{version}.rec").read_bytes()) == ITEMS
    torn = reader_of((RECORDINGS / f"v{version}-torn.rec").read_bytes())
    assert [item for record in torn for item in record.items] == ITEMS[:-2]
    assert (torn.torn_bytes > 0, torn.ended) == (True, True)


def test_this_version_still_writes_what_is_checked_in() -> None:
    assert recording() == (RECORDINGS / f"v{RECORDING_VERSION}.rec").read_bytes()


def test_frames_share_a_record_up_to_its_bound() -> None:
    many = [frame(n, b"z" * 100_000) for n in range(1, 12)]
    records = [*RecordingWriter(HEAD).items(many, START_NS)]
    assert [len(record) // 100_000 for record in records] == [5, 5, 1]
    large = frame(1, b"z" * (RECORD_BYTES * 3))
    assert read(RecordingWriter(HEAD).head + b"".join(RecordingWriter(HEAD).items([large], 1))) == [large]


def test_a_frame_of_another_topic_is_refused() -> None:
    other = RecordingWriter(RecordingHead(topic="quotes", id="x", created_ns=1))
    with pytest.raises(InvalidInputError, match="topic ticks for a recording of quotes"):
        list(other.items([frame(1)], 1))


def test_a_record_that_no_reader_would_take_is_not_written() -> None:
    with pytest.raises(ResourceLimitError, match=str(MAX_RECORD_BYTES)):
        encode_record(RecordKind.FRAMES, 1, bytes(MAX_RECORD_BYTES + 1), 0)


@steady
@given(st.data())
def test_a_file_cut_anywhere_gives_what_was_whole_and_tells_the_rest(data: st.DataObject) -> None:
    whole = recording()
    starts = offsets(whole)
    cut = data.draw(st.integers(HEAD_BYTES, len(whole)))
    reader = reader_of(whole[:cut])
    found = [item for record in reader for item in record.items]
    assert found == ITEMS[: len(found)]
    assert reader.end == max(start for start in starts if start <= cut)
    assert reader.torn_bytes == cut - reader.end


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"vr", b"\xff" * 30, b"vr" + b"\1" * 60])
def test_a_tail_of_rubbish_is_torn_too(tail: bytes) -> None:
    reader = reader_of(recording() + tail)
    assert [item for record in reader for item in record.items] == ITEMS
    assert reader.torn_bytes == len(tail)


def test_a_reader_reads_on_where_a_file_has_grown() -> None:
    whole = recording()
    stream = io.BytesIO(whole[:-10])
    reader = RecordingReader(stream, "a.rec")
    before = len([*reader])
    stream.seek(0, 2)
    stream.write(whole[-10:])
    assert (len([*reader]), reader.torn_bytes, reader.ended) == (1, 0, True)
    assert before == len(offsets(whole)) - 2


@steady
@given(st.data())
def test_a_byte_changed_before_the_last_record_is_damage_at_a_named_offset(data: st.DataObject) -> None:
    whole = bytearray(recording())
    starts = offsets(bytes(whole))
    at = data.draw(st.integers(HEAD_BYTES, starts[-2] - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    damaged = max(start for start in starts if start <= at)
    with pytest.raises(InvalidInputError, match=rf"a\.rec at offset {damaged} \(record \d+\)"):
        read(bytes(whole))


@steady
@given(st.integers(0, HEAD_BYTES - 1), st.integers(1, 255))
def test_a_byte_changed_in_the_head_is_never_taken_for_good(at: int, change: int) -> None:
    whole = bytearray(recording())
    whole[at] ^= change
    with pytest.raises(InvalidInputError, match=r"a\.rec"):
        read(bytes(whole))


@steady
@given(st.integers(0, HEAD_BYTES - 1))
def test_a_file_cut_in_its_head_is_told(cut: int) -> None:
    with pytest.raises(InvalidInputError, match=r"no recording|cut short"):
        read(recording()[:cut])


def test_records_taken_out_doubled_or_moved_are_found() -> None:
    whole = recording()
    starts = offsets(whole)
    parts = [whole[a:b] for a, b in itertools.pairwise(starts)]
    head = whole[:HEAD_BYTES]
    for edited, expected in (
        ([parts[0], *parts[2:]], "record 3 stands where 2 should"),
        ([parts[0], *parts], "record 1 stands where 2 should"),
        ([parts[1], parts[0], *parts[2:]], "record 2 stands where 1 should"),
    ):
        with pytest.raises(InvalidInputError, match=expected):
            read(head + b"".join(edited))


def test_a_record_of_another_file_is_damage() -> None:
    other = RecordingHead(topic="ticks", id="another", created_ns=1)
    foreign = recording(head=other)
    data = RecordingWriter(HEAD).head + foreign[offsets(foreign)[0] :]
    assert read(data) == []
    assert (
        parse_record_head(data[HEAD_BYTES : HEAD_BYTES + RECORD_HEAD_BYTES], seed_of(data[:HEAD_BYTES]))
        is None
    )


def test_bytes_missing_in_the_middle_are_damage_not_a_torn_tail() -> None:
    whole = recording()
    starts = offsets(whole)
    with pytest.raises(InvalidInputError, match=rf"offset {starts[1]} .*next whole record begins at offset"):
        read(whole[: starts[1] + 30] + whole[starts[1] + 50 :])


def test_a_newer_format_is_refused_with_both_versions_named() -> None:
    data = bytearray(recording())
    data[8] = RECORDING_VERSION + 1
    with pytest.raises(
        InvalidInputError,
        match=f"format version {RECORDING_VERSION + 1}, this reader knows {RECORDING_VERSION}",
    ):
        read(bytes(data))


def test_what_a_record_may_not_hold_is_told_with_its_offset() -> None:
    head = RecordingWriter(HEAD).head
    seed = seed_of(head)
    for kind, payload, expected in (
        (9, bytes(8), "kind 9, known are 1, 2, 3"),
        (RecordKind.FRAMES, b"", "no time"),
        (RecordKind.FRAMES, bytes(8) + b"\xff", "no FrameBatch"),
        (RecordKind.FRAMES, bytes(8) + b"\x08\x02", "format_version 2, this reader knows 1"),
        (RecordKind.MARKER, bytes(8) + b"{}", "not understood"),
        (RecordKind.MARKER, bytes(8) + b'{"kind":"heartbeat","note":{}}', "kind 'heartbeat', known are gap"),
        (RecordKind.MARKER, bytes(8) + b'{"kind":"gap","note":{}}', "bad com.virtufin"),
        (
            RecordKind.MARKER,
            bytes(8) + b'{"kind":"silent","note":{"topic":"t","since_ns":"x","hint":""}}',
            "under",
        ),
    ):
        with pytest.raises(InvalidInputError, match=rf"offset {len(head)} \(record 1\).*{expected}"):
            read(head + encode_record(kind, 1, payload, seed))


@pytest.mark.parametrize("text", [b"{}", b"not json", b'{"topic":1}'])
def test_a_head_that_is_not_understood_is_told(text: bytes) -> None:
    start = recording()[:12] + len(text).to_bytes(4, "little") + text
    with pytest.raises(InvalidInputError, match="its head is not understood"):
        read(sealed(start))


@steady
@given(st.binary(max_size=200))
def test_garbage_is_no_recording(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        read(data)


def test_what_nobody_recorded_between_two_sessions_is_a_gap() -> None:
    recorded = Continuity()
    for item in SESSIONS[0]:
        for one in item:
            recorded.note(one)
    assert recorded.hole_before(frame(8, epoch=2)) is None
    assert recorded.hole_before(frame(7, epoch=2)) is None
    assert recorded.hole_before(frame(99, connection_id="new")) is None
    assert recorded.hole_before(SESSIONS[0][2][0]) is None
    assert recorded.hole_before(frame(12, epoch=3, flags=FrameFlag.SIMULATED)) == Gap(
        topic="ticks",
        connection_id="c",
        epoch_before=2,
        epoch_after=3,
        cause=Cause.BUS,
        from_ns=START_NS + 5,
        to_ns=START_NS + 12,
        first_sequence=8,
        last_sequence=11,
    )
