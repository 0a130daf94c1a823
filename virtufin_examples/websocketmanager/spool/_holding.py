"""The part of the spool's folder that one process holds: its topics, its bound, what it took over.

`<root>/<platform>/<holder>/<topic>/`: a holder is one process. It holds its folder by a lock, which ends with
it; a later process of the same platform takes over the topics of those that are gone. Synchronous; everything
runs on one thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import msgspec
import structlog

from virtufin_examples.websocketmanager.spool import _disk
from virtufin_examples.websocketmanager.spool._format import Mark, SegmentHeader, SpoolVersionError
from virtufin_examples.websocketmanager.spool._topic_files import TopicFiles

LARGEST_SEGMENT_BYTES = 8 * 1024 * 1024
"""What is dropped at a time when the spool is full, and what is read at a time when it is recovered."""

SMALLEST_SEGMENT_BYTES = 16 * 1024
_SEGMENTS = 16
_NAME_CHARS = 80
_DIGEST_CHARS = 16
_LOCK_FILE = "lock"
_MARKS_FILE = "marks.json"
_HOLDERS_FILE = "holders.json"
_log = structlog.get_logger(__name__)


_MARKS_VERSION = 1


class _MarksFile(msgspec.Struct, frozen=True):
    """How far each connection was published, by the last look a second or so before the end."""

    version: int
    marks: dict[str, Mark]


@dataclass(frozen=True, slots=True)
class Recovered:
    """A topic that a process before this one left: how far it goes, and who may have written it."""

    files: TopicFiles
    marks: dict[str, Mark]
    holders: frozenset[str]


class Holding:
    """What this process keeps on disk, `max_bytes` at most over all topics."""

    def __init__(self, root: Path, max_bytes: int, holder: str) -> None:
        self.max_bytes = max_bytes
        self.segment_bytes = min(LARGEST_SEGMENT_BYTES, max(SMALLEST_SEGMENT_BYTES, max_bytes // _SEGMENTS))
        self.marks: dict[str, Mark] = {}
        self.dropping = False
        self._root = root
        self._holder = holder
        self._folder: Path | None = None
        self._lock = -1
        self._topics: dict[str, TopicFiles] = {}

    @property
    def bytes(self) -> int:
        """Bytes of all topics."""
        return sum(files.accounts.bytes for files in self._topics.values())

    def open(self, platform: str) -> list[Recovered]:
        """Take a folder of our own and what dead processes of this platform left. Raises `OSError`."""
        siblings = self._root / platform
        siblings.mkdir(mode=_disk.FOLDER_MODE, parents=True, exist_ok=True)
        draft, folder = siblings / f".{self._holder}", siblings / self._holder
        draft.mkdir(mode=_disk.FOLDER_MODE)
        self._lock = _disk.open_file(draft / _LOCK_FILE)
        _disk.lock(self._lock)
        draft.rename(folder)  # only now may another process see it
        self._folder = folder
        others = [each for each in siblings.iterdir() if each.is_dir() and not each.name.startswith(".")]
        found: list[Recovered] = []
        for other in sorted(others, key=lambda each: each.stat().st_mtime):
            if other != folder:
                found += self._take_over(other)
        return found

    def topic(self, header: SegmentHeader) -> TopicFiles:
        """Return the files of a topic, made when something is written."""
        files = self._topics.get(header.name)
        if files is None or not len(files.accounts):
            files = TopicFiles(self._topic_folder(header.name), header, self)
            self._topics[header.name] = files
        return files

    def discard(self, name: str) -> None:
        """Delete what there is of a topic or of a partition, by the name of its header."""
        files = self._topics.pop(name)
        files.close()
        shutil.rmtree(self._topic_folder(name), ignore_errors=True)

    def write_marks(self, marks: Mapping[str, Mark]) -> None:
        """Keep how far each connection is published."""
        data = msgspec.json.encode(_MarksFile(_MARKS_VERSION, dict(marks)))
        _disk.replace(self._require_folder() / _MARKS_FILE, data)

    def claim(self, size: int) -> str:
        """Make room for `size` bytes; return what is in the way, or nothing."""
        self.dropping = self.dropping and self.bytes > self.max_bytes // 2  # one that gave way may be large
        while self.bytes + size > self.max_bytes:
            if not self.make_room():
                return (
                    f"the spool is full: {self.bytes} of {self.max_bytes} bytes, none of them can be dropped"
                )
        return ""

    def make_room(self) -> bool:
        """Drop the oldest segment that can be spared of the topic that has most; False without one."""
        spare = [each for each in self._topics.values() if each.accounts.droppable() is not None]
        try:
            freed = max(spare, key=lambda each: each.accounts.bytes).collapse() if spare else 0
        except OSError as error:
            _log.error("no room can be made in the spool", error=str(error))
            return False
        self.dropping = self.dropping or freed > 0
        return freed > 0

    def close(self) -> None:
        """Give the folder up; what it holds stays for the next process, an empty one goes."""
        for files in self._topics.values():
            files.close()
        if self._folder is not None and not any(each.is_dir() for each in self._folder.iterdir()):
            shutil.rmtree(self._folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # others are in it
                self._folder.parent.rmdir()
        self._folder = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # --- inside ---

    def _require_folder(self) -> Path:
        if self._folder is None:
            raise OSError(f"the spool's folder {self._root} is not open")
        return self._folder

    def _topic_folder(self, name: str) -> Path:
        """Name a folder so that a person finds it and no two topics share it."""
        digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_CHARS]
        return self._require_folder() / f"{quote(name, safe='')[:_NAME_CHARS]}-{digest}"

    def _take_over(self, other: Path) -> list[Recovered]:
        lock = _disk.open_file(other / _LOCK_FILE)
        try:
            _disk.lock(lock)
        except BlockingIOError:  # it runs, or stands still: what it holds is its own
            os.close(lock)
            self._learn(_read_marks(other / _MARKS_FILE))
            return []
        try:
            found = [
                each for folder in sorted(other.iterdir()) if (each := self._take_topic(folder)) is not None
            ]
            for marks in (_read_marks(other / _MARKS_FILE), *(each.marks for each in found)):
                self._learn(marks)
            if not any(each.is_dir() for each in other.iterdir()):
                shutil.rmtree(other, ignore_errors=True)
            return found
        finally:
            os.close(lock)

    def _learn(self, marks: Mapping[str, Mark]) -> None:
        """Keep the furthest that anybody has published or spooled each connection."""
        for name, mark in marks.items():
            known = self.marks.get(name)
            if known is None or mark.sequence > known.sequence:
                self.marks[name] = mark

    def _take_topic(self, folder: Path) -> Recovered | None:
        if not folder.is_dir():
            return None
        target = self._require_folder() / folder.name
        if target.exists():
            _log.error("spool left alone: two processes left one for this topic", path=str(folder))
            return None
        files = TopicFiles(target, SegmentHeader("", "", "", ""), self)
        holders = _read_holders(folder) | {folder.parent.name}
        _disk.replace(folder / _HOLDERS_FILE, msgspec.json.encode(sorted({*holders, self._holder})))
        folder.rename(target)
        try:
            marks = files.recover()
        except SpoolVersionError as error:
            target.rename(folder)
            _log.error("spool left alone", path=str(folder), error=str(error))
            return None
        if not files.accounts.has_unread:
            shutil.rmtree(target, ignore_errors=True)
            return None
        self._topics[files.header.name] = files
        return Recovered(files, marks, frozenset(holders))


def _read_marks(path: Path) -> dict[str, Mark]:
    """Return the marks; without them the gap of a restart begins earlier than it need."""
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=_MarksFile)
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        _log.warning("marks of the last process cannot be read", path=str(path), error=str(error))
        return {}
    if stored.version != _MARKS_VERSION:
        _log.warning("marks of another version", path=str(path), version=stored.version, known=_MARKS_VERSION)
        return {}
    return stored.marks


def _read_holders(folder: Path) -> set[str]:
    try:
        return set(msgspec.json.decode((folder / _HOLDERS_FILE).read_bytes(), type=list[str]))
    except FileNotFoundError:
        return set()
