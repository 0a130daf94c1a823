"""A bus in memory that is down, slow, refusing or silent on demand, and what outlives a process in it."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter

import msgspec

from tests.simulation.plan import Kind
from virtufin_examples.bus import CLOUDEVENT_JSON, StateEntry
from virtufin_examples.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError

_IN_ORDER_SECONDS = 4.0
_ENVELOPE = {"specversion", "type", "source", "id", "datacontenttype", "data", "data_base64"}


class SimulatedBus:
    """Messages go to `deliver` (topic, type, content type, data, extensions) after up to `most_delay` s."""

    hides_backlog = True
    keeps_bulk_order = False

    def __init__(self, clock, rng, deliver, *, most_delay: float) -> None:
        self.happened: Counter[Kind] = Counter()
        self.secrets = {"venue": {"key": "K", "secret": "S", "hosts": "*"}}
        self._clock = clock
        self._rng = rng
        self._deliver = deliver
        self._most_delay = most_delay
        self._until = dict.fromkeys((Kind.BUS_DOWN, Kind.BUS_SLOW), 0.0)
        self._pending: Counter[Kind] = Counter()
        self._delay = 0.0
        self._state: dict[str, tuple[bytes, int]] = {}
        self._etag = 0

    def strike(self, fault) -> None:
        if fault.kind in self._until:
            self.happened[fault.kind] += 1
            self._until[fault.kind] = self._clock.monotonic() + fault.seconds
            self._delay = fault.delay
        else:
            self._pending[fault.kind] += fault.count

    @property
    def is_down(self) -> bool:
        return self._is(Kind.BUS_DOWN)

    async def publish(self, topic, data, *, content_type, metadata=None):
        await asyncio.sleep(self._delay if self._is(Kind.BUS_SLOW) else 0.001)
        if self._is(Kind.BUS_DOWN):
            raise UnavailableError("the bus is down")
        if self._take(Kind.BUS_REFUSE):
            raise InvalidInputError("the bus does not like it")
        loop = asyncio.get_running_loop()
        message = _message(data, content_type, metadata or {})
        delay = self._rng.random() * self._most_delay
        if self._clock.monotonic() < _IN_ORDER_SECONDS:  # what overtakes the first message makes it late
            delay = 0.0
        loop.call_later(delay, self._deliver, topic, *message)
        if self._take(Kind.BUS_UNANSWERED):
            raise UnavailableError("no answer in time")

    async def get_state(self, key):
        await self._turn()
        if key not in self._state:
            return None
        value, etag = self._state[key]
        return StateEntry(value, str(etag))

    async def save_state(self, key, value, *, etag=None, create=False, ttl_seconds=0):
        await self._turn()
        there = self._state.get(key)
        if (create and there is not None) or (etag is not None and (there is None or str(there[1]) != etag)):
            raise ConflictError(f"{key} was changed")
        self._etag += 1
        self._state[key] = (value, self._etag)

    async def delete_state(self, key, *, etag=None):
        await self._turn()
        self._state.pop(key, None)

    async def get_secret(self, name):
        if name not in self.secrets:
            raise NotFoundError(f"no secret {name!r}")
        return self.secrets[name]

    async def subscribe(self, topic, *, dead_letter_topic="", metadata=None):
        raise NotImplementedError

    async def close(self):
        pass

    async def _turn(self) -> None:
        await asyncio.sleep(0)
        if self._is(Kind.BUS_DOWN):
            raise UnavailableError("the state store is down")

    def _is(self, kind) -> bool:
        return self._clock.monotonic() < self._until[kind]

    def _take(self, kind) -> bool:
        if not self._pending[kind]:
            return False
        self._pending[kind] -= 1
        self.happened[kind] += 1
        return True


def _message(data, content_type, metadata):
    """Return type, content type, data and extensions as a subscriber gets them."""
    if content_type != CLOUDEVENT_JSON:
        return metadata["cloudevent.type"], content_type, data, {}
    event = msgspec.json.decode(data)
    body = base64.b64decode(event["data_base64"]) if "data_base64" in event else event["data"].encode()
    extensions = {name: value for name, value in event.items() if name not in _ENVELOPE}
    return event["type"], event["datacontenttype"], body, extensions
