"""A bus that takes every message at once, and counts the frames."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from virtufin_examples._generated.virtufin.v1 import frames_pb2
from virtufin_examples.bus import Bus, BusSubscription, StateEntry
from virtufin_examples.errors import ConflictError, NotFoundError
from virtufin_examples.frames import BATCH_CONTENT_TYPE


# ruff: noqa: ARG002 - the port's arguments
class SwallowingBus(Bus):
    """Publishing and state, as the WebSocketManager uses them; state is in memory."""

    def __init__(self) -> None:
        self._state: dict[str, tuple[bytes, int]] = {}
        self._etag = 0
        self._missing = 0
        self._counted = asyncio.Event()

    @property
    def hides_backlog(self) -> bool:
        """It has none."""
        return False

    async def count(self, frames: int, begin: Callable[[], Awaitable[None]]) -> None:
        """Begin, then wait until so many frames have come."""
        self._missing = frames
        self._counted.clear()
        await begin()
        await self._counted.wait()

    async def publish(
        self, topic: str, data: bytes, *, content_type: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        """Count."""
        del topic, metadata
        if content_type == BATCH_CONTENT_TYPE:
            batch = frames_pb2.FrameBatch.FromString(data)
            self._missing -= sum(len(run.payloads) for run in batch.runs)
            if self._missing <= 0:
                self._counted.set()
        await asyncio.sleep(0)

    @property
    def keeps_bulk_order(self) -> bool:
        """Single frames are not measured here."""
        return False

    async def publish_bulk(self, topic: str, messages: Sequence[bytes], *, content_type: str) -> int:
        """Refuse: it is not asked for."""
        raise NotImplementedError

    async def subscribe(
        self, topic: str, *, dead_letter_topic: str = "", metadata: Mapping[str, str] | None = None
    ) -> BusSubscription:
        """Refuse: nothing reads here."""
        raise NotImplementedError

    async def get_state(self, key: str) -> StateEntry | None:
        """Return what is kept."""
        if key not in self._state:
            return None
        value, etag = self._state[key]
        return StateEntry(value, str(etag))

    async def save_state(
        self, key: str, value: bytes, *, etag: str | None = None, create: bool = False, ttl_seconds: int = 0
    ) -> None:
        """Keep it, unless somebody else was first."""
        there = self._state.get(key)
        if (create and there is not None) or (etag is not None and (there is None or str(there[1]) != etag)):
            raise ConflictError(f"{key} was changed")
        self._etag += 1
        self._state[key] = (value, self._etag)

    async def delete_state(self, key: str, *, etag: str | None = None) -> None:
        """Forget it."""
        self._state.pop(key, None)

    async def get_secret(self, name: str) -> Mapping[str, str]:
        """There are none."""
        raise NotFoundError(f"no secret {name!r}")

    async def close(self) -> None:
        """Do nothing."""
