"""A recording on disk that is being written: opened, repaired, appended to, made durable."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from pathlib import Path
from typing import BinaryIO, Self

from virtufin_examples.errors import (
    InvalidInputError,
    PreconditionError,
    ResourceLimitError,
    UnavailableError,
    VirtufinError,
)
from virtufin_examples.frames import (
    Continuity,
    Frame,
    RecordedItem,
    RecordingHead,
    RecordingReader,
    RecordingWriter,
)


class RecordingFile:
    """Appends to a file, after what it holds already. Made by `open`; one process writes at a time.

    A torn tail, which a recorder leaves behind that was killed or had no space, is cut off on opening:
    `repaired_bytes` says how long it was, `repaired_at` where. Frames that nobody recorded between the file's
    last and the first of a connection are announced by a gap in the recording.
    """

    def __init__(self, path: Path, stream: BinaryIO, topic: str) -> None:
        self.path = path
        self.repaired_bytes = 0
        self.repaired_at = 0
        self.size = 0
        self._stream = stream
        self._recorded = Continuity()
        self._seen: set[str] = set()  # connections of this session
        self._dirty = False
        if path.stat().st_size:
            self._continue(topic)
        else:
            head = RecordingHead(topic=topic, id=secrets.token_hex(8), created_ns=time.time_ns())
            self._writer = RecordingWriter(head)
            self._append(self._writer.head)

    @classmethod
    def open(cls, path: Path, topic: str) -> Self:
        """Open or create it.

        `InvalidInputError`: it is no recording, of another topic, damaged, or of a newer format;
        `PreconditionError`: another process records to it; `UnavailableError`: it cannot be opened.
        """
        try:
            stream = path.open("r+b" if path.exists() else "x+b")
        except OSError as error:
            raise UnavailableError(
                f"{path}: {error.strerror}", hint="name a file that can be written"
            ) from None
        try:
            _lock(stream, path)
            return cls(path, stream, topic)
        except BaseException:
            stream.close()
            raise

    def append(self, items: list[RecordedItem], taken_ns: int) -> int:
        """Write items that were taken together; return how many gaps were added before them.

        `ResourceLimitError` when there is no space; the file is then whole up to the last record.
        """
        whole: list[RecordedItem] = []
        for item in items:
            if isinstance(item, Frame) and item.connection_id not in self._seen:
                self._seen.add(item.connection_id)
                hole = self._recorded.hole_before(item)
                if hole is not None:
                    whole.append(hole)
            whole.append(item)
        for record in self._writer.items(whole, taken_ns):
            self._append(record)
        return len(whole) - len(items)

    async def sync(self) -> None:
        """Have what was written reach the disk; the event loop goes on meanwhile."""
        if self._dirty:
            self._dirty = False
            await asyncio.to_thread(self._fsync)

    def close(self, taken_ns: int) -> None:
        """Write the end record and close."""
        try:
            self._append(self._writer.end(taken_ns))
            self._fsync()
        finally:
            self._stream.close()

    def abandon(self) -> None:
        """Close it as it is: without an end record, it says that it was cut off. One without records goes."""
        if self.size == len(self._writer.head):
            self.path.unlink()
        self._stream.close()

    def _continue(self, topic: str) -> None:
        reader = RecordingReader(self._stream, str(self.path))
        if reader.head.topic != topic:
            raise InvalidInputError(
                f"{self.path} is a recording of topic {reader.head.topic}, not of {topic}",
                hint="name another file",
            )
        for record in reader:
            for item in record.items:
                self._recorded.note(item)
        if reader.torn_bytes:
            self.repaired_bytes, self.repaired_at = reader.torn_bytes, reader.end
            self._stream.truncate(reader.end)
        self._stream.seek(reader.end)
        self.size = reader.end
        self._writer = RecordingWriter(reader.head, first_number=reader.next_number)

    def _append(self, data: bytes) -> None:
        try:
            self._stream.write(data)
            self._stream.flush()
        except OSError as error:
            raise self._refused(error) from None
        self.size += len(data)
        self._dirty = True

    def _fsync(self) -> None:
        try:
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise self._refused(error) from None

    def _refused(self, error: OSError) -> VirtufinError:
        """Cut off what was written of a record that is not whole; return what to raise."""
        os.ftruncate(self._stream.fileno(), self.size)
        return ResourceLimitError(
            f"{self.path}: {error.strerror}, after {self.size} bytes",
            hint="free some space and record on: the file is whole up to here",
        )


def _lock(stream: BinaryIO, path: Path) -> None:
    if sys.platform == "win32":  # there another process cannot cut the file while we hold it open
        return
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise PreconditionError(
            f"{path}: another process is recording to it", hint="name another file"
        ) from None
