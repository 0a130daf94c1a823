"""A recording's records, from any seekable stream of bytes. Opens nothing, changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames._recording_format import (
    MAX_RECORD_BYTES,
    RECORD_HEAD_BYTES,
    RECORD_MAGIC,
    START_BYTES,
    Record,
    RecordHead,
    RecordKind,
    decode_head,
    decode_record,
    fits,
    head_length,
    parse_record_head,
    seed_of,
)

_SCAN_BYTES = 1024 * 1024


class RecordingReader:
    """Iterates over the records of a stream that stands at its beginning; holds one record at a time.

    The end of a file that was cut while being written (a torn tail) ends the iteration; `torn_bytes` then
    says how much is no whole record, and `end` where it begins. Anything else that is wrong raises
    `InvalidInputError` with offset and cause. `name` is the file's, for messages.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        start = stream.read(START_BYTES)
        rest = head_length(start, name) - len(start)
        encoded = start + stream.read(rest)
        self.head = decode_head(encoded, name)
        self._seed = seed_of(encoded)
        self.end = len(encoded)
        """Offset behind the last whole record."""
        self.next_number = 1
        self.torn_bytes = 0
        self.ended = False
        """Whether what was read so far ends with an end record: no session was cut off."""

    def __iter__(self) -> Iterator[Record]:
        """Read on from the last whole record."""
        while (record := self._read()) is not None:
            self.ended = record.kind is RecordKind.END
            yield record

    def _read(self) -> Record | None:
        self.torn_bytes = 0
        self._stream.seek(self.end)
        data = self._stream.read(RECORD_HEAD_BYTES)
        if not data:
            return None
        head = parse_record_head(data, self._seed)
        if head is None:
            self._torn("the head of a record is damaged")
            return None
        self._check(head)
        payload = self._stream.read(head.length)
        if len(payload) < head.length:
            self._torn(f"a record of {head.length} bytes has {len(payload)}")
            return None
        if not fits(head, payload):
            self._torn("the checksum of a record does not fit")
            return None
        try:
            record = decode_record(head, payload, self.head.topic)
        except InvalidInputError as error:
            raise InvalidInputError(f"{self._where}: {error.message}", hint=error.hint) from error
        self.end += RECORD_HEAD_BYTES + head.length
        self.next_number += 1
        return record

    @property
    def _where(self) -> str:
        return f"{self._name} at offset {self.end} (record {self.next_number})"

    def _check(self, head: RecordHead) -> None:
        if head.length > MAX_RECORD_BYTES:
            raise InvalidInputError(
                f"{self._where}: {head.length} bytes, at most {MAX_RECORD_BYTES} are read"
            )
        if head.number != self.next_number:
            raise InvalidInputError(
                f"{self._where}: record {head.number} stands where {self.next_number} should",
                hint="records were taken out, doubled or moved; use an unedited copy",
            )

    def _torn(self, fault: str) -> None:
        """Note a torn tail; raises where whole records follow, since then it is damage in the middle."""
        follows = self._next_record_after(self.end + 1)
        if follows is not None:
            raise InvalidInputError(
                f"{self._where}: {fault}; the next whole record begins at offset {follows}",
                hint="the file was edited or damaged on its disk; use another copy",
            )
        self._stream.seek(0, 2)
        self.torn_bytes = self._stream.tell() - self.end

    def _next_record_after(self, offset: int) -> int | None:
        """Return where the next head of a record of this file is, reading the rest in bounded pieces."""
        self._stream.seek(offset)
        window = b""
        while piece := self._stream.read(_SCAN_BYTES):
            window += piece
            at = window.find(RECORD_MAGIC)
            while 0 <= at <= len(window) - RECORD_HEAD_BYTES:
                if parse_record_head(window[at : at + RECORD_HEAD_BYTES], self._seed) is not None:
                    return offset + at
                at = window.find(RECORD_MAGIC, at + 1)
            keep = min(len(window), RECORD_HEAD_BYTES - 1)
            offset += len(window) - keep
            window = window[len(window) - keep :]
        return None
