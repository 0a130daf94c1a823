"""The bytes of a recording, format version 1 (`docs/recording.md`, "The format"). Pure.

A file is a head and then records. All integers are little-endian. The head is checksummed, so is each
record's head, so is each payload: a damaged length is told from a file that was cut while it was written.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from virtufin_examples.errors import InvalidInputError, ResourceLimitError
from virtufin_examples.frames._batch import decode_batch, encode_batch
from virtufin_examples.frames._model import Frame, Gap, Restored, Silent, Stale
from virtufin_examples.frames._names import EVENT_TYPE_PREFIX
from virtufin_examples.frames._notes import decode_note, encode_note

RECORDING_VERSION = 1

RecordedItem: TypeAlias = Frame | Gap | Stale | Restored | Silent

MAGIC = b"VIRTUREC"
RECORD_MAGIC = b"vr"
MAX_HEAD_BYTES = 64 * 1024
MAX_RECORD_BYTES = 32 * 1024 * 1024
"""Twice the largest message that Dapr carries: what a reader has to hold at most."""

_START = struct.Struct("<8sII")  # magic, version, length of the JSON
_CHECKSUM = struct.Struct("<I")
_HEAD = struct.Struct("<2sBxIQI")  # magic, kind, payload length, number, payload checksum
_TIME = struct.Struct("<Q")
RECORD_HEAD_BYTES = _HEAD.size + _CHECKSUM.size
START_BYTES = _START.size


class RecordKind(enum.IntEnum):
    """What a record holds."""

    FRAMES = 1  # when they were taken, and a FrameBatch
    MARKER = 2  # when it was taken, and JSON
    END = 3  # the clean end of one session of recording


class RecordingHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording says of itself. `id` is random: it keeps the records of two files apart."""

    topic: str
    id: str
    created_ns: int


@dataclass(frozen=True, slots=True)
class RecordHead:
    """The head of a record; `number` counts the records of a file from 1."""

    kind: int
    length: int
    number: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record: items that were taken together at `taken_ns` (Unix time); none in an end record."""

    kind: RecordKind
    number: int
    taken_ns: int
    items: Sequence[RecordedItem]


class _Marker(msgspec.Struct, frozen=True):
    kind: str
    note: msgspec.Raw


class _Silence(msgspec.Struct, frozen=True, omit_defaults=True):
    topic: str
    since_ns: str
    hint: str
    connections: tuple[str, ...] = ()


_KINDS = ("gap", "stale", "restored")
_SILENT = "silent"


def encode_head(head: RecordingHead) -> bytes:
    """Return the first bytes of a file."""
    text = msgspec.json.encode(head)
    data = _START.pack(MAGIC, RECORDING_VERSION, len(text)) + text
    return data + _CHECKSUM.pack(zlib.crc32(data))


def seed_of(head: bytes) -> int:
    """Return what the checksums of record heads start with, from the file's encoded head.

    Without its own checksum: with it every head would give the same number.
    """
    return zlib.crc32(head[: -_CHECKSUM.size])


def head_length(start: bytes, name: str) -> int:
    """Return how many bytes the file's head has, from its first `START_BYTES`.

    Raises `InvalidInputError` for what is no recording, and for a newer format, naming both versions.
    """
    if len(start) < START_BYTES or not start.startswith(MAGIC):
        raise InvalidInputError(f"{name} is no recording: it does not begin with {MAGIC.decode()}")
    _, version, length = _START.unpack(start)
    if version > RECORDING_VERSION:
        raise InvalidInputError(
            f"{name} has recording format version {version}, this reader knows {RECORDING_VERSION}",
            hint="upgrade virtufin-examples here",
        )
    if version != RECORDING_VERSION or length > MAX_HEAD_BYTES:
        raise InvalidInputError(
            f"{name} is damaged at offset {len(MAGIC)}: version {version}, a head of {length} bytes"
        )
    return START_BYTES + int(length) + _CHECKSUM.size


def decode_head(data: bytes, name: str) -> RecordingHead:
    """Return the file's head; raises `InvalidInputError` where it is cut or damaged."""
    checksum = data[-_CHECKSUM.size :]
    body = data[: -_CHECKSUM.size]
    if len(data) < head_length(data[:START_BYTES], name):
        raise InvalidInputError(f"{name} is cut short inside its head, after {len(data)} bytes")
    if _CHECKSUM.pack(zlib.crc32(body)) != checksum:
        raise InvalidInputError(f"{name} is damaged: the checksum of its head does not fit")
    try:
        return msgspec.json.decode(body[START_BYTES:], type=RecordingHead)
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{name}: its head is not understood: {error}") from error


def encode_record(kind: RecordKind, number: int, payload: bytes, seed: int) -> bytes:
    """Return a record; `seed` is the file's. `ResourceLimitError` for one that no reader would take."""
    if len(payload) > MAX_RECORD_BYTES:
        raise ResourceLimitError(f"a record of {len(payload)} bytes, at most {MAX_RECORD_BYTES} can be read")
    head = _HEAD.pack(RECORD_MAGIC, kind, len(payload), number, zlib.crc32(payload))
    return head + _CHECKSUM.pack(zlib.crc32(head, seed)) + payload


def parse_record_head(data: bytes, seed: int) -> RecordHead | None:
    """Return a record's head, or None where these bytes are none of this file."""
    head = data[: _HEAD.size]
    if not data.startswith(RECORD_MAGIC) or data[_HEAD.size :] != _CHECKSUM.pack(zlib.crc32(head, seed)):
        return None
    _, kind, length, number, checksum = _HEAD.unpack(head)
    return RecordHead(kind, length, number, checksum)


def fits(head: RecordHead, payload: bytes) -> bool:
    """Whether the payload is what was written."""
    return zlib.crc32(payload) == head.checksum


def frames_payload(frames: Sequence[Frame], taken_ns: int) -> bytes:
    """Return the payload of a record of frames."""
    return _TIME.pack(taken_ns) + encode_batch(frames, instance="")


def marker_payload(item: Gap | Stale | Restored | Silent, taken_ns: int) -> bytes:
    """Return the payload of a record of one marker."""
    if isinstance(item, Silent):
        silence = _Silence(item.topic, str(item.since_ns), item.hint, item.connections)
        kind, note = _SILENT, msgspec.json.encode(silence)
    else:
        event_type, note = encode_note(item)
        kind = event_type.removeprefix(EVENT_TYPE_PREFIX)
    return _TIME.pack(taken_ns) + msgspec.json.encode(_Marker(kind, msgspec.Raw(note)))


def end_payload(taken_ns: int) -> bytes:
    """Return the payload of an end record."""
    return _TIME.pack(taken_ns)


def decode_record(head: RecordHead, payload: bytes, topic: str) -> Record:
    """Return a record's items; raises `InvalidInputError` for what this version does not hold."""
    if len(payload) < _TIME.size:
        raise InvalidInputError(f"a record of {len(payload)} bytes has no time")
    try:
        kind = RecordKind(head.kind)
    except ValueError:
        known = ", ".join(str(int(kind)) for kind in RecordKind)
        raise InvalidInputError(f"a record of kind {head.kind}, known are {known}") from None
    (taken_ns,) = _TIME.unpack_from(payload)
    body = payload[_TIME.size :]
    items: Sequence[RecordedItem] = ()
    if kind is RecordKind.FRAMES:
        items = decode_batch(topic, body)
    elif kind is RecordKind.MARKER:
        items = (_marker(topic, body),)
    return Record(kind, head.number, taken_ns, items)


def _marker(topic: str, body: bytes) -> RecordedItem:
    try:
        marker = msgspec.json.decode(body, type=_Marker)
        if marker.kind == _SILENT:
            silence = msgspec.json.decode(marker.note, type=_Silence)
            return Silent(
                topic=silence.topic,
                since_ns=int(silence.since_ns),
                hint=silence.hint,
                connections=silence.connections,
            )
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidInputError(f"a marker that is not understood: {error}") from error
    note = None
    if marker.kind in _KINDS:
        note = decode_note(topic, EVENT_TYPE_PREFIX + marker.kind, bytes(marker.note))
    if not isinstance(note, Gap | Stale | Restored):
        known = ", ".join((*_KINDS, _SILENT))
        raise InvalidInputError(f"a marker of kind {marker.kind!r}, known are {known}")
    return note
