from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.client.recording_parts import items_of, write_recording
from tests.frames.recording_samples import ITEMS, frame
from virtufin_examples.client._recording_file import RecordingFile
from virtufin_examples.errors import (
    InvalidInputError,
    PreconditionError,
    ResourceLimitError,
    UnavailableError,
)
from virtufin_examples.frames import Gap, RecordingReader


def test_a_new_file_holds_what_was_appended(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    file = RecordingFile.open(path, "ticks")
    assert file.append(ITEMS[:4], 1) == 0
    assert file.append(ITEMS[4:9], 2) == 0
    file.close(3)
    assert items_of(path) == ITEMS[:9]
    assert file.size == path.stat().st_size


def test_a_recording_is_continued_and_what_was_missed_in_between_announced(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.rec")
    before = path.stat().st_size
    file = RecordingFile.open(path, "ticks")
    assert (file.size, file.repaired_bytes) == (before, 0)
    more = [frame(12, epoch=3), frame(14, epoch=3), frame(1, connection_id="new")]
    assert file.append(more, 1) == 1
    file.close(2)
    found = items_of(path)
    assert found[: len(ITEMS)] == ITEMS
    gap, *rest = found[len(ITEMS) :]
    assert isinstance(gap, Gap)
    assert (gap.first_sequence, gap.last_sequence, gap.epoch_before, gap.epoch_after) == (10, 11, 2, 3)
    assert rest == more


def test_a_torn_tail_is_cut_off_on_opening_and_told(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.rec", end=False)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    file = RecordingFile.open(path, "ticks")
    assert file.repaired_at + file.repaired_bytes == len(whole) - 40
    assert path.stat().st_size == file.repaired_at
    file.append([frame(8, epoch=2)], 1)
    file.close(2)
    assert items_of(path) == [*ITEMS[:-2], frame(8, epoch=2)]


def test_damage_in_the_middle_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.rec")
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match=r"offset \d+ \(record \d+\)"):
        RecordingFile.open(path, "ticks")
    assert path.read_bytes() == data


def test_what_is_no_recording_or_of_another_topic_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("dear diary, today I was not overwritten")
    with pytest.raises(InvalidInputError, match=r"notes\.txt is no recording"):
        RecordingFile.open(other, "ticks")
    assert other.read_text().startswith("dear diary")
    with pytest.raises(InvalidInputError, match="recording of topic ticks, not of quotes"):
        RecordingFile.open(write_recording(tmp_path / "a.rec"), "quotes")


def test_two_recorders_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    first = RecordingFile.open(path, "ticks")
    with pytest.raises(PreconditionError, match="another process is recording"):
        RecordingFile.open(path, "ticks")
    first.append([frame(1)], 1)
    first.close(2)
    RecordingFile.open(path, "ticks").abandon()
    assert items_of(path) == [frame(1)]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="No such file or directory"):
        RecordingFile.open(tmp_path / "none" / "a.rec", "ticks")


def test_a_new_file_that_got_nothing_is_not_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    RecordingFile.open(path, "ticks").abandon()
    assert not path.exists()


def test_without_space_the_file_is_whole_up_to_the_last_record(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    file = RecordingFile.open(path, "ticks")
    file.append([frame(1)], 1)
    real = file._stream

    class Full:
        """Takes a part and then has no space, as a full disk does."""

        def write(self, data: bytes) -> None:
            real.write(data[:10])
            real.flush()
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name: str):
            return getattr(real, name)

    file._stream = Full()
    with pytest.raises(ResourceLimitError, match="No space left on device, after"):
        file.append([frame(2)], 2)
    file._stream = real
    file.abandon()
    with path.open("rb") as stream:
        reader = RecordingReader(stream, "a.rec")
        assert [item for record in reader for item in record.items] == [frame(1)]
        assert reader.torn_bytes == 0


async def test_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RecordingFile.open(tmp_path / "a.rec", "ticks")
    file.append([frame(1)], 1)

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ResourceLimitError, match="Input/output error"):
        await file.sync()
    file.abandon()


async def test_what_was_written_reaches_the_disk(tmp_path: Path) -> None:
    file = RecordingFile.open(tmp_path / "a.rec", "ticks")
    file.append([frame(1)], 1)
    await file.sync()
    await file.sync()
    file.close(2)
