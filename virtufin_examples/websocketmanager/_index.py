"""Which connections there are: one list in the state store, changed by compare-and-swap."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable

import msgspec

from virtufin_examples.bus import Bus
from virtufin_examples.errors import ConflictError

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
        await self._change(lambda ids: [*(each for each in ids if each != connection_id), connection_id])

    async def remove(self, connection_id: str) -> None:
        """Remove an id; it is no error when it is not there."""
        await self._change(lambda ids: [each for each in ids if each != connection_id])

    async def _change(self, change: Callable[[list[str]], list[str]]) -> None:
        for attempt in range(_ATTEMPTS):
            entry = await self._bus.get_state(self._key)
            ids = msgspec.json.decode(entry.value, type=list[str]) if entry is not None else []
            changed = change(ids)
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
