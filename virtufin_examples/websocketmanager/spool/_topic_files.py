"""The files of one topic's spool: appended, read and released in order. Synchronous; one thread at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from virtufin_examples.connections import Loss, StreamItem, frame_count
from virtufin_examples.frames import Cause
from virtufin_examples.websocketmanager.spool import _disk
from virtufin_examples.websocketmanager.spool._accounts import Position, Segment, SegmentAccounts
from virtufin_examples.websocketmanager.spool._format import (
    HEADER_START_BYTES,
    Mark,
    SegmentHeader,
    SpoolFormatError,
    decode_header,
    decode_record,
    encode_header,
    encode_records,
    marks_of,
    record_bytes,
    require_version,
    scan,
    without_first,
)

READ_BYTES = 1024 * 1024
_POSITION_FILE = "position"
_SUFFIX = ".segment"
_POSITION = struct.Struct("<QQII")
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_log = structlog.get_logger(__name__)


class Room(Protocol):
    """Who decides how much may be written."""

    segment_bytes: int

    def claim(self, size: int) -> str:
        """Make room for `size` bytes; return what is in the way, or nothing."""

    def make_room(self) -> bool:
        """Drop the oldest segment that can be spared; False when there is none."""


@dataclass(frozen=True, slots=True)
class Appended:
    """How many items were written, where they end, and what kept the rest out."""

    items: int
    end: Position
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """The items of one record, in the order of the stream, and where it begins and ends."""

    items: list[StreamItem]
    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class Chunk:
    """What was read: records of one segment, by which process, and whether a process before this one."""

    instance: str = ""
    recovered: bool = False
    entries: list[Entry] = field(default_factory=list)


class TopicFiles:
    """The spool of one topic in `folder`, which exists while there is anything in it."""

    def __init__(self, folder: Path, header: SegmentHeader, room: Room) -> None:
        self.header = header
        self.accounts = SegmentAccounts()
        self.bytes = 0
        self.dropped_frames = 0
        self._folder = folder
        self._room = room
        self._writer = -1
        self._position = -1

    # --- what is there already ---

    def recover(self) -> dict[str, Mark]:
        """Take in what a process before this one left; return how far it goes, by connection.

        A torn record ends its segment, which is cut there; a segment without a header is passed over. Raises
        `SpoolVersionError` for a format that this program does not know; nothing is changed then.
        """
        marks: dict[str, Mark] = {}
        paths = sorted(self._folder.glob("*" + _SUFFIX))
        for path in paths:
            require_version(_disk.read_at(path, 0, HEADER_START_BYTES))
        for path in paths:
            data = path.read_bytes()
            try:
                header, begin = decode_header(data)
            except SpoolFormatError as error:  # nothing acknowledged is lost where it was cut as it was begun
                _log.warning("spool segment without a header", path=str(path), error=str(error))
                continue
            found = scan(data[begin:], begin)
            if found.problem:
                _log.warning("spool segment cut", path=str(path), at=found.end, problem=found.problem)
                os.truncate(path, found.end)
            for record in found.records:
                marks.update(marks_of(record))
            self.header = header
            self.accounts.adopt(Segment(int(path.name.removesuffix(_SUFFIX)), found.end, begin))
        self.accounts.start_at(self._stored_position())
        self.bytes = self.accounts.bytes
        return marks

    # --- in order: written, read, released ---

    def append(self, items: Sequence[StreamItem], *, protect: bool = False) -> Appended:
        """Write items. With `protect` they are on their way to the bus and are not to be dropped."""
        done, size, ready = 0, 0, bytearray()
        accounts = self.accounts
        for record, count in encode_records(items, self.header.instance):
            writing = accounts.writing
            if writing is None or writing.end + len(ready) >= self._room.segment_bytes:
                problem = self._flush(ready)
                if not problem:
                    done, size, ready = done + size, 0, bytearray()
                    problem = self._roll()
                if problem:
                    return Appended(done, self.accounts.end, problem)
            ready += record
            size += count
        problem = self._flush(ready)
        if not problem:
            done += size
        if protect and accounts.writing is not None:
            accounts.protected = accounts.writing.index
        return Appended(done, self.accounts.end, problem)

    def read(self) -> Chunk:
        """Return what comes next, about `READ_BYTES` of one segment; nothing when all has been read.

        What cannot be read is passed over, to the next segment, and logged: its numbers stay a hole.
        """
        while (segment := self.accounts.reading()) is not None:
            position = self.accounts.read
            path = self._path(segment)
            try:
                instance = decode_header(_disk.read_at(path, 0, segment.begin))[0].instance
                entries = self._entries(segment, position)
            except (OSError, SpoolFormatError) as error:
                _log.error(
                    "spool segment cannot be read", path=str(path), at=position.offset, error=str(error)
                )
                self.accounts.read = Position(segment.index, segment.end)
                continue
            self.accounts.read = entries[-1].end
            return Chunk(instance, segment.recovered, entries)
        return Chunk()

    def release(self, position: Position) -> None:
        """Note that all before `position` is published; segments without anything else are deleted."""
        accounts = self.accounts
        accounts.read = max(accounts.read, position)
        if position.segment >= accounts.protected:
            accounts.protected = 0
        for segment in accounts.release(position):
            if segment.index >= position.segment:
                self._close_writer()
            self._path(segment).unlink(missing_ok=True)
        if len(accounts):
            self._store_position(position)
        else:
            self.close()
            shutil.rmtree(self._folder)
        self.bytes = accounts.bytes

    def collapse(self) -> int:
        """Drop the oldest segment that may be dropped, leaving gaps in its place; return the bytes freed."""
        accounts = self.accounts
        segment = accounts.droppable()
        if segment is None:
            return 0
        merged = [each for each in (accounts.collapsed_before(segment), segment) if each is not None]
        before = sum(each.end for each in merged)
        losses: dict[str, Loss] = {}
        for each in merged:
            for item in self._items(each):
                losses.setdefault(item.connection_id, Loss()).add(item)
                self.dropped_frames += frame_count(item)
        gaps = [loss.gap(name, loss.last_sequence, Cause.OVERFLOW) for name, loss in losses.items()]
        path = self._path(segment)
        content = _disk.read_at(path, 0, segment.begin)
        content += b"".join(record for record, _ in encode_records(gaps, self.header.instance))
        # In place: it needs no room, and a reader that finds it half done takes the rest for a torn tail.
        descriptor = _disk.open_file(path)
        try:
            _disk.write_at(descriptor, content, 0)
            os.ftruncate(descriptor, len(content))
        finally:
            os.close(descriptor)
        segment.end, segment.collapsed = len(content), True
        for each in merged[:-1]:
            accounts.remove(each)
            self._path(each).unlink(missing_ok=True)
        self.bytes = accounts.bytes
        return before - segment.end

    def close(self) -> None:
        """Close the files; what they hold stays."""
        self._close_writer()
        if self._position >= 0:
            os.close(self._position)
            self._position = -1

    # --- inside ---

    def _path(self, segment: Segment) -> Path:
        return self._folder / f"{segment.index:016d}{_SUFFIX}"

    def _roll(self) -> str:
        """Begin a new segment; return what is in the way, or nothing."""
        header = encode_header(self.header)
        self._close_writer()
        self.accounts.sealed = True
        segment = self.accounts.add(0)
        try:
            self._folder.mkdir(mode=_disk.FOLDER_MODE, parents=True, exist_ok=True)
            self._writer = _disk.open_file(self._path(segment))
            problem = self._write(header, 0)
        except OSError as error:
            problem = self._fault(error)
        if problem:
            self._close_writer()
            self.accounts.remove(segment)
            self.accounts.sealed = True
            with contextlib.suppress(OSError):  # an empty file is nothing to the next process
                self._path(segment).unlink(missing_ok=True)
            return problem
        segment.begin = segment.end = len(header)
        if self.accounts.read == Position(segment.index, 0):
            self.accounts.read = Position(segment.index, segment.begin)
        return ""

    def _flush(self, data: bytearray) -> str:
        """Write records to the open segment; return what is in the way, or nothing."""
        segment = self.accounts.writing
        if not data or segment is None:
            return ""
        problem = self._write(bytes(data), segment.end)
        if not problem:
            segment.end += len(data)
            self.bytes = self.accounts.bytes
        return problem

    def _write(self, data: bytes, offset: int) -> str:
        """Write to the open file at its end; when the disk is full, the oldest give way."""
        problem = self._room.claim(len(data))
        while not problem:
            try:
                _disk.write_at(self._writer, data, offset)
            except OSError as error:
                with contextlib.suppress(OSError):  # what is left behind is overwritten, or cut when opened
                    os.ftruncate(self._writer, offset)
                if error.errno not in _DISK_FULL or not self._room.make_room():
                    problem = self._fault(error)
            else:
                return ""
        return problem

    def _fault(self, error: OSError) -> str:
        return f"cannot write to {self._folder}: {error}"

    def _entries(self, segment: Segment, position: Position) -> list[Entry]:
        path, size = self._path(segment), min(READ_BYTES, segment.end - position.offset)
        data = _disk.read_at(path, position.offset, size)
        needed = min(record_bytes(data), segment.end - position.offset)
        if needed > len(data):
            data = _disk.read_at(path, position.offset, needed)
        found = scan(data, position.offset)
        if not found.records:
            raise SpoolFormatError(found.problem or "the segment ends before its time")
        entries: list[Entry] = []
        for record in found.records:
            skip = position.skip if record.start == position.offset else 0
            entries.append(
                Entry(
                    without_first(decode_record(record), skip),
                    Position(segment.index, record.start, skip),
                    Position(segment.index, record.end),
                )
            )
        return entries

    def _items(self, segment: Segment) -> list[StreamItem]:
        data = _disk.read_at(self._path(segment), segment.begin, segment.end - segment.begin)
        return [item for record in scan(data, segment.begin).records for item in decode_record(record)]

    def _close_writer(self) -> None:
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1

    def _store_position(self, position: Position) -> None:
        if self._position < 0:
            self._position = _disk.open_file(self._folder / _POSITION_FILE)
        fields = (position.segment, position.offset, position.skip)
        checksum = zlib.crc32(struct.pack("<QQI", *fields))
        _disk.write_at(self._position, _POSITION.pack(*fields, checksum), 0)

    def _stored_position(self) -> Position | None:
        try:
            data = (self._folder / _POSITION_FILE).read_bytes()
        except FileNotFoundError:
            return None
        if len(data) != _POSITION.size or zlib.crc32(data[:-4]) != _POSITION.unpack(data)[3]:
            _log.warning(
                "spool position is damaged; its first segment is published again", path=str(self._folder)
            )
            return None
        segment, offset, skip, _ = _POSITION.unpack(data)
        return Position(segment, offset, skip)
