"""State and locks in one SQLite database: in memory, or a file whose contents survive a restart.

The rules are those of Dapr's in-memory state store: an etag is new with every write, first-write without
an etag demands that the key is free, and a change of several keys happens in full or not at all.
All methods are synchronous; for a file they wait for the disk.
"""

from __future__ import annotations

import contextlib
import enum
import secrets
import sqlite3
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from virtufin_examples.errors import ConflictError, UnavailableError

FILE_NAME = "virtufin-runtime.sqlite3"
FORMAT_VERSION = 1
"""Kept in SQLite's `user_version`; 0 is what was written before there was one, in the same format."""
_ETAG_BYTES = 8
_SCHEMA = """
CREATE TABLE IF NOT EXISTS state
    (key TEXT PRIMARY KEY, value BLOB NOT NULL, etag TEXT NOT NULL, expires_at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS locks
    (resource TEXT PRIMARY KEY, owner TEXT NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS state_expiry ON state (expires_at) WHERE expires_at IS NOT NULL;
"""


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A value in force; `expires_at` is Unix time in seconds, None when it never expires."""

    value: bytes
    etag: str
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """A write, or with no value a deletion. `first_write` without an etag demands that the key is free."""

    key: str
    value: bytes | None
    etag: str = ""
    first_write: bool = False
    ttl_seconds: int = 0


class UnlockStatus(enum.IntEnum):
    """The outcome of an unlock; the numbers are those of Dapr's `UnlockResponse.Status`."""

    SUCCESS = 0
    LOCK_DOES_NOT_EXIST = 1
    LOCK_BELONGS_TO_OTHERS = 2


class Storage:
    """The database. `clock` is Unix time in seconds, which outlives a restart.

    Raises `UnavailableError` when `folder` cannot be used.
    """

    def __init__(self, folder: Path | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            path = ":memory:" if folder is None else str(folder / FILE_NAME)
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._require_version(path)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)
            self._database.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        except (OSError, sqlite3.Error) as error:
            raise UnavailableError(
                f"state cannot be kept in {folder}: {error}",
                hint="set VIRTUFIN_DATA_DIR to a folder that can be written to",
            ) from error

    def _require_version(self, path: str) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version > FORMAT_VERSION:
            self._database.close()
            raise UnavailableError(
                f"the state in {path} has format version {version}, "
                f"this program reads up to {FORMAT_VERSION}",
                hint="run the version that wrote it, or set VIRTUFIN_DATA_DIR to another folder",
            )

    def get(self, keys: Sequence[str]) -> list[StoredValue | None]:
        """Return the values of the keys, None where there is none in force."""
        return [self._get(key) for key in keys]

    def change(self, changes: Sequence[Change]) -> None:
        """Make all changes or none; raises `ConflictError` when an etag does not match."""
        with self._transaction():
            now = self._clock()
            self._database.execute("DELETE FROM state WHERE expires_at <= ?", (now,))
            for change in changes:
                self._check(change)
            for change in changes:
                if change.value is None:
                    self._database.execute("DELETE FROM state WHERE key = ?", (change.key,))
                    continue
                expires_at = now + change.ttl_seconds if change.ttl_seconds > 0 else None
                self._database.execute(
                    "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)",
                    (change.key, change.value, secrets.token_hex(_ETAG_BYTES), expires_at),
                )

    def try_lock(self, resource: str, owner: str, seconds: int) -> bool:
        """Take a lock for a time; False while anybody holds it, its owner too."""
        with self._transaction():
            now = self._clock()
            self._database.execute("DELETE FROM locks WHERE expires_at <= ?", (now,))
            taken = self._database.execute(
                "INSERT OR IGNORE INTO locks VALUES (?, ?, ?)", (resource, owner, now + seconds)
            )
            return taken.rowcount == 1

    def unlock(self, resource: str, owner: str) -> UnlockStatus:
        """Give a lock back."""
        with self._transaction():
            held = self._database.execute(
                "SELECT owner FROM locks WHERE resource = ? AND expires_at > ?", (resource, self._clock())
            ).fetchone()
            if held is None:
                return UnlockStatus.LOCK_DOES_NOT_EXIST
            if held[0] != owner:
                return UnlockStatus.LOCK_BELONGS_TO_OTHERS
            self._database.execute("DELETE FROM locks WHERE resource = ?", (resource,))
            return UnlockStatus.SUCCESS

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _get(self, key: str) -> StoredValue | None:
        row = self._database.execute(
            "SELECT value, etag, expires_at FROM state"
            " WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)",
            (key, self._clock()),
        ).fetchone()
        return None if row is None else StoredValue(*row)

    def _check(self, change: Change) -> None:
        stored = self._get(change.key)
        if change.etag:
            if stored is None:
                raise ConflictError(f"possible etag mismatch: key {change.key!r} does not exist or expired")
            if stored.etag != change.etag:
                raise ConflictError(
                    f"possible etag mismatch: key {change.key!r} has etag {stored.etag!r},"
                    f" not {change.etag!r}"
                )
        elif change.first_write and stored is not None:
            raise ConflictError(f"possible etag mismatch: key {change.key!r} exists and no etag was given")

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None, None, None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")
