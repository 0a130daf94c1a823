"""A connection's record in the state store, changed only by compare-and-swap (architecture, invariant 10)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from virtufin_examples.bus import Bus
from virtufin_examples.connections import BLOCK_SIZE, LOW_WATER, Clock, Grant, HandshakeMessage
from virtufin_examples.errors import ConflictError, PreconditionError, VirtufinError
from virtufin_examples.websocketmanager.spool import Mark

RECORD_PREFIX = "websocketmanager.connection."
FORMAT_VERSION = 1
"""Raised when a program of before could misread a record."""
_RETRY_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class RecordVersionError(PreconditionError):
    """A newer program wrote the record."""


class HandshakeEntry(msgspec.Struct, frozen=True):
    """A message of the handshake with references in place of secrets. Others are never written down."""

    payload: str
    json: bool = False


class PublishRecord(msgspec.Struct, frozen=True):
    """Where the frames go."""

    topic: str
    encoding: str
    overflow: str
    markers: str


class ConnectionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What outlives the process. `url` has neither user info nor query.

    `reserved` is the last sequence that may have been given. `last_sequence` and `last_received_ns` tell how
    far the stream was published or spooled at `saved_ns`; more may have followed unless the process stopped
    in order. `holder` is the process that writes the record.
    """

    id: str
    url: str
    instance_id: str
    format_version: int = FORMAT_VERSION
    holder: str = ""
    auto_reconnect: bool = False
    connector: str = ""
    options: dict[str, str] = {}
    tags: dict[str, str] = {}
    owner: str = ""
    lease_seconds: int = 0
    epoch: int = 0
    reserved: int = 0
    last_sequence: int = 0
    last_received_ns: int = 0
    saved_ns: int = 0
    handshake: tuple[HandshakeEntry, ...] = ()
    restorable: bool = False
    publish: PublishRecord | None = None

    def messages(self) -> tuple[HandshakeMessage, ...]:
        """Return the handshake as it is sent."""
        return tuple(
            HandshakeMessage(entry.payload.encode(), secrets=True, json=entry.json)
            for entry in self.handshake
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a connection has come: the last number given, and what is published or spooled."""

    last_sequence: int
    settled: Mark


def _no_progress() -> Progress:
    return Progress(0, Mark(0, 0))


def _ignore(_reason: str) -> None:
    """Do nothing: nobody wants to know."""


class RecordKeeper:
    """Writes one record; the `Ledger` of its connection.

    Changes made by `update` are written in the background, together where they come fast, and again when the
    state store fails. Epochs and sequences are written before they are used. `ConflictError`: somebody else
    has written the record, and this instance must stop.
    """

    def __init__(
        self, bus: Bus, clock: Clock, record: ConnectionRecord, *, stored: bytes | None = None
    ) -> None:
        self.progress: Callable[[], Progress] = _no_progress
        self.on_lost: Callable[[str], None] = _ignore
        self.is_lost = False
        self._bus = bus
        self._clock = clock
        self._key = RECORD_PREFIX + record.id
        self._record = record
        self._ours: set[bytes] = set() if stored is None else {stored}
        self._is_stored = stored is not None
        self._first_reserved = 0
        self._restored_from = record if stored is not None else None
        self._writing = asyncio.Lock()
        self._dirty = False
        self._is_deleted = False
        self._saver: asyncio.Task[None] | None = None

    @property
    def record(self) -> ConnectionRecord:
        """The record as it is meant to be."""
        return self._record

    def update(self, **changes: Any) -> None:  # noqa: ANN401 - fields of the record
        """Change fields now, in the store soon; once the record is deleted, in memory only."""
        self._record = msgspec.structs.replace(self._record, **changes)
        if self._is_deleted:
            return
        self._dirty = True
        if self._saver is None or self._saver.done():
            self._saver = asyncio.get_running_loop().create_task(self._save_soon(), name="record-saver")

    async def begin_epoch(self) -> Grant:
        """Take the next epoch, and more sequences where they run low."""
        before = self._restored_from
        record = self._record
        reserved = record.reserved
        if self._first_reserved == 0 or reserved - self.progress().last_sequence < LOW_WATER:
            reserved += BLOCK_SIZE
        await self._write(epoch=record.epoch + 1, reserved=reserved)
        if self._first_reserved == 0:
            self._first_reserved = record.reserved + 1
        self._restored_from = None
        if before is None:
            return Grant(self._record.epoch, self._first_reserved, reserved)
        return Grant(
            self._record.epoch,
            self._first_reserved,
            reserved,
            lost_since_ns=before.last_received_ns or before.saved_ns,
            lost_first_sequence=before.last_sequence + 1,
            lost_epoch=before.epoch,
        )

    async def confirm(self) -> None:
        """Write the record as it is; raises `ConflictError` when it is somebody else's now."""
        await self._write()

    async def extend(self) -> int:
        """Reserve the next block."""
        await self._write(reserved=self._record.reserved + BLOCK_SIZE)
        return self._record.reserved

    async def save(self) -> None:
        """Write the record now, with how far the connection has come."""
        await self._write()

    async def written(self, seconds: float) -> None:
        """Wait until what was updated is written, at most `seconds`; trying goes on after that."""
        if self._saver is not None:
            await asyncio.wait({self._saver}, timeout=seconds)

    async def close(self) -> None:
        """Stop writing in the background."""
        if self._saver is not None:
            self._saver.cancel()
            await asyncio.gather(self._saver, return_exceptions=True)

    async def delete(self) -> None:
        """Delete the record, unless it is somebody else's."""
        self._is_deleted = True
        await self.close()
        async with self._writing:
            if not self.is_lost:
                await self._bus.delete_state(self._key)

    async def _save_soon(self) -> None:
        while self._dirty:
            try:
                await self._write()
            except ConflictError as error:
                _log.error("record lost to another instance", key=self._key, error=str(error))
                return
            except VirtufinError as error:
                _log.warning("record not written, trying again", key=self._key, error=str(error))
                await self._clock.sleep(_RETRY_SECONDS)

    async def _write(self, **changes: Any) -> None:  # noqa: ANN401 - fields of the record
        async with self._writing:
            self._dirty = False
            progress = self.progress()
            try:
                record = msgspec.structs.replace(
                    self._record,
                    **changes,
                    last_sequence=max(self._record.last_sequence, progress.settled.sequence),
                    last_received_ns=max(self._record.last_received_ns, progress.settled.received_ns),
                    saved_ns=self._clock.now_ns(),
                )
                await self._swap(msgspec.json.encode(record))
            except ConflictError as error:
                if not self.is_lost:
                    self.is_lost = True
                    self.on_lost(str(error))
                raise
            except BaseException:
                self._dirty = True
                raise
            # what was updated while the write was under way stays
            self._record = msgspec.structs.replace(self._record, **changes)

    async def _swap(self, value: bytes) -> None:
        """Write when the store still holds what we wrote: etags are learned by reading, not by writing."""
        entry = await self._bus.get_state(self._key) if self._ours else None
        if entry is None and not self._is_stored:
            self._ours.add(value)  # a write that timed out may have been done all the same
            await self._bus.save_state(self._key, value, create=True)
        elif entry is None or entry.value not in self._ours:
            raise ConflictError(
                f"the record {self._key} was changed by somebody else",
                hint="another instance has taken over this connection",
            )
        else:
            self._is_stored = True
            self._ours = {entry.value, value}
            await self._bus.save_state(self._key, value, etag=entry.etag)
        self._is_stored = True
        self._ours = {value}


def decode_record(value: bytes) -> ConnectionRecord:
    """Return a stored record; raises `msgspec.DecodeError` for what is none.

    Raises `RecordVersionError`, naming both versions, for one of a newer format.
    """
    version = msgspec.json.decode(value, type=_Version).format_version
    if version > FORMAT_VERSION:
        raise RecordVersionError(
            f"the record has format version {version}, this program reads up to {FORMAT_VERSION}",
            hint="run the version that wrote it, or delete the record to give the connection up",
        )
    return msgspec.json.decode(value, type=ConnectionRecord)


class _Version(msgspec.Struct, frozen=True):
    format_version: int = FORMAT_VERSION
