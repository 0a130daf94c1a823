"""Workers in the bus's state: a record each, and an index changed by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from virtufin_examples.bus import Bus
from virtufin_examples.errors import ConflictError, UnavailableError
from virtufin_examples.workmanager._record import FORMAT_VERSION, WorkerRecord

INDEX_KEY = "workmanager.workers"
RECORD_PREFIX = "workmanager.worker."
MAX_INDEX_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Stored:
    """What was found: the records, and for each key that could not be read, why."""

    records: tuple[WorkerRecord, ...]
    skipped: dict[str, str]


class WorkerStore:
    """Saves, deletes and finds worker records. Raises `UnavailableError` when the bus is down."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def add(self, record: WorkerRecord) -> None:
        """Save a new worker: the record first, so that the index never names what is not there."""
        await self.save(record)
        await self._change_index(lambda ids: [*ids, record.id] if record.id not in ids else ids)

    async def save(self, record: WorkerRecord) -> None:
        """Save a worker that is in the index."""
        await self._bus.save_state(RECORD_PREFIX + record.id, msgspec.json.encode(record))

    async def remove(self, worker_id: str) -> None:
        """Forget a worker."""
        await self._change_index(lambda ids: [each for each in ids if each != worker_id])
        await self._bus.delete_state(RECORD_PREFIX + worker_id)

    async def load_all(self) -> Stored:
        """Read every worker; one that cannot be read is reported and stops no other."""
        records: list[WorkerRecord] = []
        skipped: dict[str, str] = {}
        entry = await self._bus.get_state(INDEX_KEY)
        try:
            ids = _read_index(entry.value if entry is not None else b"[]")
        except msgspec.MsgspecError as error:
            return Stored((), {INDEX_KEY: str(error)})
        for worker_id in ids:
            key = RECORD_PREFIX + worker_id
            found = await self._bus.get_state(key)
            if found is None:
                skipped[key] = "there is no such record"
                continue
            try:
                records.append(_read_record(found.value, worker_id))
            except (msgspec.MsgspecError, ValueError) as error:
                skipped[key] = str(error)
        return Stored(tuple(records), skipped)

    async def _change_index(self, change: Callable[[list[str]], list[str]]) -> None:
        for _ in range(MAX_INDEX_ATTEMPTS):
            entry = await self._bus.get_state(INDEX_KEY)
            try:
                ids = _read_index(entry.value) if entry is not None else []
            except msgspec.MsgspecError as error:
                raise UnavailableError(
                    f"state {INDEX_KEY} cannot be read: {error}", hint="mend or delete that key"
                ) from error
            value = msgspec.json.encode(change(ids))
            try:
                if entry is None:
                    await self._bus.save_state(INDEX_KEY, value, create=True)
                else:
                    await self._bus.save_state(INDEX_KEY, value, etag=entry.etag)
            except ConflictError:
                continue
            return
        raise UnavailableError(f"state {INDEX_KEY} was changed by others {MAX_INDEX_ATTEMPTS} times in a row")


def _read_index(value: bytes) -> list[str]:
    return msgspec.json.decode(value, type=list[str])


def _read_record(value: bytes, worker_id: str) -> WorkerRecord:
    record = msgspec.json.decode(value, type=WorkerRecord)
    if record.format_version > FORMAT_VERSION:
        raise ValueError(f"format version {record.format_version}, this program reads up to {FORMAT_VERSION}")
    if record.id != worker_id or not record.history:
        raise ValueError(f"the record is of worker {record.id!r} with {len(record.history)} versions of code")
    return record
