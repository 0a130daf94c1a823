"""The spool's files: written, read, released, dropped, cut at any byte, taken over."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.frames.runs import flat
from tests.websocketmanager.fixtures.make_spool import DONE, HEADER, HEADERS, ITEMS, folder
from tests.websocketmanager.spooling import frame
from virtufin_examples.frames import Gap
from virtufin_examples.websocketmanager.spool import _disk, _format, _holding
from virtufin_examples.websocketmanager.spool._accounts import Position
from virtufin_examples.websocketmanager.spool._format import without_first
from virtufin_examples.websocketmanager.spool._holding import Holding


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    shrink(monkeypatch.setattr)


def shrink(setattr_):
    setattr_(_format, "RECORD_BYTES", 700)
    setattr_(_holding, "SMALLEST_SEGMENT_BYTES", 2000)
    setattr_(_holding, "LARGEST_SEGMENT_BYTES", 2000)


class Disk:
    """One holding after the other in the same folder, and what should be in them."""

    def __init__(self, root, max_bytes=10_000) -> None:
        self.root = root
        self.max_bytes = max_bytes
        self.count = 0
        self.number = 0
        self.live = []  # items on disk and not released, oldest first
        self.ends = []  # (position, items written up to there), of this process
        self.read = []
        self.start()

    def start(self) -> None:
        self.count += 1
        self.holding = Holding(self.root, self.max_bytes, f"holder{self.count}")
        recovered = self.holding.open("platform")
        self.files = recovered[0].files if recovered else self.holding.topic(HEADER)
        self.read = []

    def append(self, *sizes) -> None:
        items = []
        for size in sizes:
            self.number += 1
            items.append(frame(self.number, data=bytes(size)))
        appended = self.files.append(items)
        assert appended.items == len(items) or appended.problem
        self.live += flat(items[: appended.items])
        self.number -= len(items) - appended.items

    def read_some(self) -> None:
        self.read += self.files.read().entries

    def release(self, count) -> None:
        """Release `count` of what was read, also within a record."""
        position = None
        while self.read and count:
            entry = self.read[0]
            items = flat(entry.items)
            done = min(count, len(items))
            count -= done
            for item in items[:done]:
                self.forget(item)
            if done == len(items):
                position = entry.end
                self.read.pop(0)
            else:
                start = entry.start
                position = Position(start.segment, start.offset, start.skip + done)
                self.read[0] = type(entry)(without_first(entry.items, done), position, entry.end)
        if position is not None:
            self.files.release(position)
            if not len(self.files.accounts):
                self.files = self.holding.topic(HEADER)

    def forget(self, item) -> None:
        """What comes out is what comes next, or the gap in the place of what was dropped."""
        if isinstance(item, Gap):
            assert self.live[0].sequence == item.first_sequence
            while self.live and self.live[0].sequence <= item.last_sequence:
                self.live.pop(0)
            assert item.sequence == item.last_sequence
        else:
            assert item == self.live.pop(0)

    def crash(self, cut=0) -> None:
        """End as a killed process does, with `cut` bytes of the newest segment missing."""
        files = self.files
        os.close(self.holding._lock)
        self.holding._lock = -1
        files.close()
        paths = sorted(self.root.rglob("*.segment"))
        if cut and paths:
            size = paths[-1].stat().st_size
            os.truncate(paths[-1], max(0, size - cut))
        self.start()

    def drain(self) -> None:
        while True:
            self.read_some()
            if not self.read:
                return
            self.release(sum(len(flat(entry.items)) for entry in self.read))


_MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(0, 600), min_size=1, max_size=8)),
        st.tuples(st.just("read"), st.just(0)),
        st.tuples(st.just("release"), st.integers(1, 10)),
        st.tuples(st.just("crash"), st.just(0)),
    ),
    max_size=40,
)


@given(_MOVES)
@settings(deadline=None)
def test_what_was_written_comes_out_once_and_in_order_whatever_happens_between(moves):
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        shrink(patch.setattr)
        disk = Disk(Path(folder), max_bytes=32_000)
        for move, argument in moves:
            if move == "append":
                disk.append(*argument)
            elif move == "read" and not disk.read:
                disk.read_some()
            elif move == "release":
                disk.release(argument)
            elif move == "crash":
                disk.crash()
            assert disk.holding.bytes <= 32_000
            assert disk.holding.bytes == sum(each.stat().st_size for each in Path(folder).rglob("*.segment"))
        disk.release(1 << 30)
        disk.drain()
        assert disk.live == []
        disk.holding.close()
        assert not [each for each in Path(folder).rglob("*") if each.is_file()]


@given(
    st.lists(st.lists(st.integers(0, 600), min_size=1, max_size=8), min_size=1, max_size=12),
    st.integers(0, 5),
    st.integers(1, 3000),
)
@settings(deadline=None)
def test_cut_at_any_byte_what_was_whole_comes_back(chunks, releases, cut):
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        shrink(patch.setattr)
        disk = Disk(Path(folder), max_bytes=1 << 20)
        for chunk in chunks:
            disk.append(*chunk)
        disk.read_some()
        disk.release(releases)
        expected = list(disk.live)
        disk.crash(cut)
        found = []
        while entries := disk.files.read().entries:
            found += [item for entry in entries for item in flat(entry.items)]
        assert found == expected[: len(found)], "a prefix: in order, once"
        lost = sum(len(item.data) + 20 for item in expected[len(found) :])
        assert lost <= cut + 8 * 900, "only what was cut, and its record"
        disk.append(1)
        disk.holding.close()


def test_a_torn_record_of_which_some_was_published_repeats_nothing_before_it(tmp_path):
    disk = Disk(tmp_path)
    disk.append(0)
    disk.append(0, 0)
    disk.read_some()
    disk.release(2)
    disk.crash(1)
    assert disk.files.read().entries == []
    disk.holding.close()


def test_beyond_the_bound_the_oldest_unread_segments_become_one_gap(tmp_path):
    disk = Disk(tmp_path, max_bytes=20_000)
    disk.append(*[300] * 10)
    disk.read_some()
    for _ in range(30):
        disk.append(*[300] * 10)
        assert disk.holding.bytes <= 20_000
    assert disk.holding.dropping
    collapsed = [segment for segment in disk.files.accounts if segment.collapsed]
    assert len(collapsed) == 1
    disk.drain()
    assert disk.live == []


def test_full_of_large_records_it_says_so_until_half_of_it_is_free_again(tmp_path):
    disk = Disk(tmp_path, max_bytes=20_000)
    for size in (9000, 9000, 3000, 10):
        disk.append(size)
    assert disk.files.dropped_frames == 1
    assert disk.holding.dropping
    disk.drain()
    disk.append(10)
    assert not disk.holding.dropping


def test_when_nothing_can_be_dropped_what_does_not_fit_is_not_taken(tmp_path):
    disk = Disk(tmp_path, max_bytes=3000)
    for _ in range(20):
        disk.append(*[300] * 4)
    assert disk.files.append([frame(disk.number + 1, data=bytes(300))]).problem.startswith(
        "the spool is full"
    )
    disk.drain()
    assert disk.live == []


def test_the_topic_that_has_most_gives_way(tmp_path):
    holding = Holding(tmp_path, 40_000, "one")
    holding.open("platform")
    loud = holding.topic(_format.SegmentHeader("loud", "me", "batch", "inline"))
    quiet = holding.topic(_format.SegmentHeader("quiet", "me", "batch", "inline"))
    quiet.append([frame(1, data=bytes(300))])
    for number in range(1, 301):
        loud.append([frame(number, data=bytes(300))])
    for number in range(2, 11):
        assert not quiet.append([frame(number, data=bytes(300))]).problem
    assert (loud.dropped_frames > 0, quiet.dropped_frames) == (True, 0)
    holding.close()


def test_a_disk_that_is_full_frees_the_oldest_and_goes_on(tmp_path, monkeypatch):
    disk = Disk(tmp_path, max_bytes=1 << 20)
    for _ in range(6):
        disk.append(*[300] * 10)
    write_at, failures = _disk.write_at, [OSError(errno.ENOSPC, "full")]

    def write(descriptor, data, offset):
        if failures:
            write_at(descriptor, data[: len(data) // 2], offset)
            raise failures.pop()
        write_at(descriptor, data, offset)

    monkeypatch.setattr(_disk, "write_at", write)
    disk.append(*[300] * 10)
    assert disk.files.dropped_frames > 0
    disk.drain()
    assert disk.live == []


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EACCES])
def test_another_fault_of_the_disk_takes_nothing_away(tmp_path, monkeypatch, number):
    disk = Disk(tmp_path, max_bytes=1 << 20)
    disk.append(*[300] * 20)
    monkeypatch.setattr(_disk, "write_at", lambda *_: (_ for _ in ()).throw(OSError(number, "fault")))
    appended = disk.files.append([frame(99)])
    assert (appended.items, disk.files.dropped_frames) == (0, 0)
    assert "fault" in appended.problem
    monkeypatch.undo()
    disk.append(1)
    disk.drain()
    assert disk.live == []


def test_a_damaged_record_in_the_middle_costs_the_rest_of_its_segment_only(tmp_path):
    disk = Disk(tmp_path, max_bytes=1 << 20)
    for _ in range(4):
        disk.append(*[300] * 10)
    first = min(tmp_path.rglob("*.segment"))
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    found = []
    while entries := disk.files.read().entries:
        found += [item.sequence for entry in entries for item in flat(entry.items)]
    assert found == sorted(found)
    assert found[0] == 1
    assert found[-1] == 40
    assert 0 < 40 - len(found) < 10
    disk.holding.close()


def test_a_newer_format_is_left_alone(tmp_path):
    disk = Disk(tmp_path)
    disk.append(10)
    disk.holding.close()
    (path,) = tmp_path.rglob("*.segment")
    data = bytearray(path.read_bytes())
    data[8:10] = (3).to_bytes(2, "little")
    path.write_bytes(data)
    successor = Holding(tmp_path, 1 << 20, "successor")
    assert successor.open("platform") == []
    assert path.read_bytes() == data
    successor.close()
    assert path.exists()


def test_a_damaged_position_publishes_the_first_segment_again_rather_than_losing_it(tmp_path):
    disk = Disk(tmp_path)
    disk.append(10, 10, 10)
    disk.read_some()
    disk.release(2)
    (position,) = tmp_path.rglob("position")
    position.write_bytes(b"x" * 24)
    disk.crash()
    assert [item.sequence for entry in disk.files.read().entries for item in flat(entry.items)] == [1, 2, 3]
    disk.holding.close()


def test_how_far_each_connection_was_published_is_found_again(tmp_path):
    first = Holding(tmp_path, 1 << 20, "one")
    first.open("platform")
    first.write_marks({"c1": _format.Mark(7, 70), "c2": _format.Mark(9, 90)})
    files = first.topic(HEADER)
    files.append([frame(8), frame(9)])
    os.close(first._lock)
    files.close()
    second = Holding(tmp_path, 1 << 20, "two")
    second.open("platform")
    assert second.marks == {"c1": _format.Mark(9, 90), "c2": _format.Mark(9, 90)}
    second.close()


@pytest.mark.parametrize("version", HEADERS)
def test_a_spool_of_each_format_is_taken_over_where_it_stopped(tmp_path, version):
    shutil.copytree(folder(version), tmp_path / "platform" / "holder" / "books-0123456789abcdef")
    holding = Holding(tmp_path, 1 << 20, "two")
    (recovered,) = holding.open("platform")
    entries = recovered.files.read().entries
    assert [item for entry in entries for item in flat(entry.items)] == ITEMS[DONE:]
    assert recovered.files.header == HEADERS[version]
    assert recovered.holders == {"holder"}
    assert {name: mark.sequence for name, mark in recovered.marks.items()} == {"c1": 11, "c2": 1}
    recovered.files.release(entries[-1].end)
    holding.close()
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]
