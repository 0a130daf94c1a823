"""The bytes of a spool segment: a header, then checksummed records. Pure.

A segment begins with 8 bytes of magic, the format version (2 bytes), the length of a JSON header (4) and its
CRC-32 (4), all little-endian; then the header. A record is the length of its payload (4), the CRC-32 of kind
and payload (4), the kind (1) and the payload: a `virtufin.v1.FrameBatch` for frames, the JSON of the struct
for a marker.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from google.protobuf.message import DecodeError

from virtufin_examples._generated.virtufin.v1 import frames_pb2
from virtufin_examples.connections import StreamItem, item_bytes, item_count
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import FrameRun, Gap, Marker, Restored, Stale, decode_runs, encode_runs

FORMAT_VERSION = 2
"""The newest that is read and written. Version 2 is written for one of several partitions of a topic only, so
that the release before this one reads all others."""
_PLAIN_VERSION = 1
RECORD_BYTES = 256 * 1024
"""Frames of one record, so that a torn one takes little with it and a small message need not read much."""

_MAGIC = b"VFSPOOL\n"
_START = struct.Struct("<8sHII")
HEADER_START_BYTES = _START.size
_RECORD = struct.Struct("<IIB")
_FRAMES = 1
_MARKERS: dict[int, type[Marker]] = {2: Gap, 3: Stale, 4: Restored}
_MARKER_KINDS = {struct_type: kind for kind, struct_type in _MARKERS.items()}


class SpoolFormatError(InvalidInputError):
    """What cannot be read: a spool that was cut or edited, or something else."""


class SpoolVersionError(SpoolFormatError):
    """A segment that another version of this program wrote."""


class SegmentHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a segment says about its items: their topic, how it is published, and by which process.

    `partition` is which one of the topic's `partitions` they go to, from 0.
    """

    topic: str
    instance: str
    encoding: str
    markers: str
    partition: int = 0
    partitions: int = 1

    @property
    def name(self) -> str:
        """The topic, with the partition where there are several: a blank is in no topic's name."""
        return f"{self.topic} {self.partition}/{self.partitions}" if self.partitions > 1 else self.topic


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a connection's stream has come: a number, and when its item was received."""

    sequence: int
    received_ns: int


@dataclass(frozen=True, slots=True)
class Record:
    """One intact record, from byte `start` to before `end` of its segment."""

    kind: int
    payload: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scan:
    """The intact records of a stretch of a segment, where they end, and what is wrong there."""

    records: list[Record]
    end: int
    problem: str = ""


def encode_header(header: SegmentHeader) -> bytes:
    """Return the beginning of a segment."""
    body = msgspec.json.encode(header)
    version = FORMAT_VERSION if header.partitions > 1 else _PLAIN_VERSION
    return _START.pack(_MAGIC, version, len(body), zlib.crc32(body)) + body


def decode_header(data: bytes) -> tuple[SegmentHeader, int]:
    """Return the header and where the records begin.

    Raises `SpoolFormatError` for what is no spool segment, `SpoolVersionError` for another format.
    """
    require_version(data)
    if len(data) < _START.size:
        raise SpoolFormatError(f"{len(data)} bytes are no spool segment")
    magic, _, length, checksum = _START.unpack_from(data)
    if magic != _MAGIC:
        raise SpoolFormatError(f"no spool segment: it begins with {magic!r}")
    body = data[_START.size : _START.size + length]
    if len(body) < length or zlib.crc32(body) != checksum:
        raise SpoolFormatError("the header of a spool segment is damaged")
    try:
        return msgspec.json.decode(body, type=SegmentHeader), _START.size + length
    except msgspec.DecodeError as error:
        raise SpoolFormatError(f"the header of a spool segment is damaged: {error}") from error


def require_version(data: bytes) -> None:
    """Raise `SpoolVersionError`, naming both versions, when `data` begins a segment of another format."""
    if len(data) < _START.size:
        return
    magic, version, _, _ = _START.unpack_from(data)
    if magic == _MAGIC and not _PLAIN_VERSION <= version <= FORMAT_VERSION:
        raise SpoolVersionError(
            f"spool segment has format version {version}, this program reads up to {FORMAT_VERSION}",
            hint="run the version that wrote it until the spool is drained, or move the folder away",
        )


def encode_records(items: Sequence[StreamItem], instance: str) -> list[tuple[bytes, int]]:
    """Return records and how many items each holds: a marker, or runs up to `RECORD_BYTES` (or one)."""
    records: list[tuple[bytes, int]] = []
    runs: list[FrameRun] = []
    size = 0
    for item in items:
        item_size = item_bytes(item)
        if runs and (not isinstance(item, FrameRun) or size + item_size > RECORD_BYTES):
            records.append((_record(_FRAMES, encode_runs(runs, instance=instance)), len(runs)))
            runs, size = [], 0
        if isinstance(item, FrameRun):
            runs.append(item)
            size += item_size
        else:
            records.append((_record(_MARKER_KINDS[type(item)], msgspec.json.encode(item)), 1))
    if runs:
        records.append((_record(_FRAMES, encode_runs(runs, instance=instance)), len(runs)))
    return records


def scan(data: bytes, start: int) -> Scan:
    """Return the intact records of `data`, which begins at byte `start` of a segment."""
    records: list[Record] = []
    at = 0
    while at < len(data):
        needed = record_bytes(data, at)
        if at + needed > len(data):
            return Scan(records, start + at, f"a record of {needed} bytes is cut at {len(data) - at}")
        _, checksum, kind = _RECORD.unpack_from(data, at)
        end = at + needed
        if zlib.crc32(memoryview(data)[at + _RECORD.size - 1 : end]) != checksum:
            return Scan(records, start + at, "a record's checksum does not match")
        records.append(Record(kind, data[at + _RECORD.size : end], start + at, start + end))
        at = end
    return Scan(records, start + at)


def record_bytes(data: bytes, at: int = 0) -> int:
    """Return the length of the record that begins at `at`, as far as its beginning tells."""
    if len(data) - at < _RECORD.size:
        return _RECORD.size
    return _RECORD.size + int(_RECORD.unpack_from(data, at)[0])


def decode_record(record: Record) -> list[StreamItem]:
    """Return the items of a record; raises `SpoolFormatError` for content that is none of ours."""
    try:
        if record.kind == _FRAMES:
            return [*decode_runs("", record.payload)[1]]
        marker = _MARKERS.get(record.kind)
        if marker is None:
            raise SpoolFormatError(f"a spool record has the unknown kind {record.kind}")
        return [msgspec.json.decode(record.payload, type=marker)]
    except (msgspec.DecodeError, InvalidInputError) as error:
        raise SpoolFormatError(f"a spool record cannot be read: {error}") from error


def without_first(items: list[StreamItem], count: int) -> list[StreamItem]:
    """Return items without their first `count` frames or markers."""
    left = list(items)
    while count and left:
        first = left[0]
        if isinstance(first, FrameRun) and count < len(first):
            left[0] = first.split(count)[1]
            break
        count -= item_count([first])
        del left[0]
    return left


def marks_of(record: Record) -> dict[str, Mark]:
    """Return the last item's mark of each connection in a record, without building the frames."""
    if record.kind != _FRAMES:
        return {item.connection_id: mark_of(item) for item in decode_record(record)}
    batch = frames_pb2.FrameBatch()
    try:
        batch.ParseFromString(record.payload)
    except DecodeError as error:
        raise SpoolFormatError(f"a spool record cannot be read: {error}") from error
    return {
        run.connection_id: Mark(
            run.first_sequence + len(run.payloads) - 1, run.first_received_ns + sum(run.received_delta_ns)
        )
        for run in batch.runs
    }


def mark_of(item: StreamItem) -> Mark:
    """Return an item's number and time."""
    if isinstance(item, FrameRun):
        return Mark(item.last_sequence, item.last_received_ns)
    return Mark(item.sequence, item.to_ns if isinstance(item, Gap) else item.since_ns)


def _record(kind: int, payload: bytes) -> bytes:
    checksum = zlib.crc32(payload, zlib.crc32(bytes((kind,))))
    return _RECORD.pack(len(payload), checksum, kind) + payload
