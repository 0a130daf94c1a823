"""Which connections there are: one list in the state store, changed by compare-and-swap."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Mapping

import msgspec

from virtufin_examples.bus import Bus
from virtufin_examples.errors import ConflictError, PreconditionError
from virtufin_examples.websocketmanager._shard import Shard

INDEX_KEY = "websocketmanager.connections"
_ATTEMPTS = 20


class ConnectionIndex:
    """The ids of one WebSocketManager's connections.

    Instances that share a state store need names (`VIRTUFIN_INSTANCE_ID`), by which each finds its own
    connections after a restart; an instance without a name uses the list without one.
    """

    def __init__(self, bus: Bus, instance_name: str) -> None:
        self._bus = bus
        self._key = f"{INDEX_KEY}.{instance_name}" if instance_name else INDEX_KEY
        self._pending: dict[str, bool] = {}
        self._writing = asyncio.Lock()

    async def platform(self) -> str:
        """Return a name for what is kept here, made once: what a process leaves on disk is found by it."""
        key = f"{self._key}.platform"
        for _ in range(_ATTEMPTS):
            entry = await self._bus.get_state(key)
            if entry is not None:
                return entry.value.decode()
            with contextlib.suppress(ConflictError):  # another one was first
                await self._bus.save_state(key, uuid.uuid4().hex.encode(), create=True)
        raise ConflictError(f"{key} could not be written")

    async def ids(self) -> list[str]:
        """Return the ids."""
        entry = await self._bus.get_state(self._key)
        return msgspec.json.decode(entry.value, type=list[str]) if entry is not None else []

    async def add(self, connection_id: str) -> None:
        """Add an id."""
        await self._change(connection_id, present=True)

    async def remove(self, connection_id: str) -> None:
        """Remove an id; it is no error when it is not there."""
        await self._change(connection_id, present=False)

    async def _change(self, connection_id: str, *, present: bool) -> None:
        """Write a change, together with those that came while another write was under way.

        One write a change would take a thousand connections that are opened at once many seconds, and most of
        them would lose the swap to the others.
        """
        self._pending[connection_id] = present
        async with self._writing:
            if not self._pending:  # whoever had the lock before us has written it
                return
            changes, self._pending = self._pending, {}
            try:
                await self._swap(changes)
            except BaseException:
                self._pending = {**changes, **self._pending}
                raise

    async def _swap(self, changes: Mapping[str, bool]) -> None:
        for attempt in range(_ATTEMPTS):
            entry = await self._bus.get_state(self._key)
            ids = msgspec.json.decode(entry.value, type=list[str]) if entry is not None else []
            changed = [each for each in ids if each not in changes]
            changed += [each for each, present in changes.items() if present]
            if changed == ids:
                return
            try:
                await self._bus.save_state(
                    self._key,
                    msgspec.json.encode(changed),
                    etag=entry.etag if entry is not None else None,
                    create=entry is None,
                )
            except ConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return


async def require_all_shards(bus: Bus, instance_name: str, shard: Shard) -> None:
    """Raise `PreconditionError` where shards that are not started now have connections kept here.

    Nobody would open those again. How many shards there were is written down by the first of them.
    """
    key = ".".join(filter(None, (INDEX_KEY, instance_name, "shards")))
    entry = await bus.get_state(key)
    known = int(entry.value) if entry is not None else 1
    for number in range(shard.count + 1, known + 1):
        ids = await ConnectionIndex(bus, Shard(number, known).part(instance_name)).ids()
        if ids:
            raise PreconditionError(
                f"shard {number} has {len(ids)} connections kept here, and {shard.count} shards are started",
                hint=f"start with --shards {number}, and end them first",
            )
    if known != shard.count:
        await bus.save_state(
            key,
            str(shard.count).encode(),
            etag=entry.etag if entry is not None else None,
            create=entry is None,
        )
