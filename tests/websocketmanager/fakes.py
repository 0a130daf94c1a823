"""A bus in memory that fails, hangs and loses on demand."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from virtufin_examples.bus import StateEntry
from virtufin_examples.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError


class MemoryBus:
    hides_backlog = True
    keeps_bulk_order = False

    def __init__(self, secrets=None) -> None:
        self.messages: list[tuple[str, bytes, str, dict]] = []
        self.state: dict[str, tuple[bytes, int]] = {}
        self.secrets = secrets or {}
        self.down = False
        self.state_down = False
        self.refuse: Exception | None = None
        self.gate: dict[str, asyncio.Event] = {}
        self.in_flight: dict[str, int] = {}
        self.most_in_flight = 0
        self.attempts = 0
        self.bulks: list[int] = []
        self.takes: int | None = None
        self.bad = b""
        self._etag = 0

    async def publish(self, topic, data, *, content_type, metadata=None):
        async with self._taking(topic, data):
            self.messages.append((topic, data, content_type, dict(metadata or {})))

    async def publish_bulk(self, topic, messages, *, content_type):
        async with self._taking(topic, *messages):
            taken = messages[: self.takes]
            self.bulks.append(len(taken))
            self.messages += [(topic, data, content_type, {}) for data in taken]
        return len(taken)

    @asynccontextmanager
    async def _taking(self, topic, *messages):
        self.attempts += 1
        self.in_flight[topic] = self.in_flight.get(topic, 0) + 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight[topic])
        try:
            await asyncio.sleep(0)
            if topic in self.gate:
                await self.gate[topic].wait()
            if self.down:
                raise UnavailableError("the bus is down")
            if self.refuse is not None:
                raise self.refuse
            if self.bad and any(self.bad in data for data in messages):
                raise InvalidInputError("the bus does not take this")
            yield
        finally:
            self.in_flight[topic] -= 1

    def on(self, topic):
        return [message for message in self.messages if message[0] == topic]

    def _check_state(self) -> None:
        if self.state_down:
            raise UnavailableError("the state store is down")

    async def get_state(self, key):
        await asyncio.sleep(0)
        self._check_state()
        if key not in self.state:
            return None
        value, etag = self.state[key]
        return StateEntry(value, str(etag))

    async def save_state(self, key, value, *, etag=None, create=False, ttl_seconds=0):
        await asyncio.sleep(0)
        self._check_state()
        there = self.state.get(key)
        if (create and there is not None) or (etag is not None and (there is None or str(there[1]) != etag)):
            raise ConflictError(f"{key} was changed")
        self._etag += 1
        self.state[key] = (value, self._etag)

    async def delete_state(self, key, *, etag=None):
        await asyncio.sleep(0)
        self._check_state()
        self.state.pop(key, None)

    async def get_secret(self, name):
        if name not in self.secrets:
            raise NotFoundError(f"no secret {name!r}")
        return self.secrets[name]

    async def close(self):
        pass
