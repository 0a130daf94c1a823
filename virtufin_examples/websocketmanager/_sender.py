"""Hands messages to the bus until it takes them, and none that another process may have superseded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from prometheus_client import Histogram

from virtufin_examples.bus import CLOUDEVENT_JSON, Bus
from virtufin_examples.connections import Clock
from virtufin_examples.errors import ConflictError, InvalidInputError, ResourceLimitError, VirtufinError
from virtufin_examples.websocketmanager._guard import PauseGuard

MAX_PUBLISH_BYTES = 16 * 1024 * 1024 - 64 * 1024
"""Dapr's limit with room for the request around the data."""

MAX_REFUSALS = 10
"""So often may the bus call one message invalid or too large, over half a minute, before it is given up: a
broker with a lower limit must not stop the topic for good. A bus that is down is waited for without limit."""

MAX_EVENTS = 128
"""Events of one call at most: a runtime is busy with them for some milliseconds."""

_RETRY_BASE_SECONDS = 0.1
_RETRY_CAP_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class NotTakenError(ResourceLimitError):
    """A message that the bus will never take."""


class FencedError(ConflictError):
    """Another process has taken a connection over meanwhile: the message must not go out as it is."""


class Sender:
    """Sends one message at a time.

    After a pause of the process nothing goes out before `confirm`, given how many there were, has returned
    True. When it returns False it has found a connection lost: `FencedError`. `latency` is labelled.
    `metadata` go with every message.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        guard: PauseGuard,
        *,
        latency: Histogram,
        confirm: Callable[[int], Awaitable[bool]],
        metadata: Mapping[str, str],
    ) -> None:
        self._metadata = metadata
        self._bus = bus
        self._clock = clock
        self._guard = guard
        self._latency = latency
        self._confirm = confirm
        self._confirmed_pauses = guard.pauses
        self._trying_since: float | None = None
        self._most_events = 1

    def trying_seconds(self, now: float) -> float:
        """Return for how long the message in flight has been tried."""
        return 0.0 if self._trying_since is None else now - self._trying_since

    async def send(self, topic: str, data: bytes, content_type: str, metadata: dict[str, str] | None) -> None:
        """Publish until the bus takes it; raises `FencedError`, or `NotTakenError` for what it never will."""
        if len(data) > MAX_PUBLISH_BYTES:
            raise NotTakenError(f"message of {len(data)} bytes, the bus takes {MAX_PUBLISH_BYTES}")
        if self._metadata:
            metadata = {**self._metadata, **(metadata or {})}

        async def publish() -> int:
            await self._bus.publish(topic, data, content_type=content_type, metadata=metadata)
            return 1

        await self._until_taken(topic, publish)

    async def send_events(self, topic: str, events: Sequence[bytes]) -> int:
        """Publish structured CloudEvents, in one call where the bus then keeps their order.

        Return how many of them, from the first on, the bus has taken: at least one. Raises as `send` does,
        `NotTakenError` for the first of them. After a failure one event is tried, then twice as many
        each time: so the refused one is found, and what a call that timed out had published is not much.
        """
        if len(events[0]) > MAX_PUBLISH_BYTES:
            raise NotTakenError(f"message of {len(events[0])} bytes, the bus takes {MAX_PUBLISH_BYTES}")

        async def publish() -> int:
            most, self._most_events = self._most_events, 1
            count = min(len(events), most)
            if count > 1:
                count = await self._bus.publish_bulk(topic, events[:count], content_type=CLOUDEVENT_JSON)
            else:
                await self._bus.publish(
                    topic, events[0], content_type=CLOUDEVENT_JSON, metadata=self._metadata or None
                )
            if self._bus.keeps_bulk_order and not self._metadata:  # a bulk has none
                self._most_events = min(2 * most, MAX_EVENTS)
            return count

        return await self._until_taken(topic, publish)

    async def _until_taken(self, topic: str, publish: Callable[[], Awaitable[int]]) -> int:
        refusals = 0
        pause_seconds = _RETRY_BASE_SECONDS
        began = self._trying_since = self._clock.monotonic()
        try:
            while True:
                try:
                    if self._guard.look(began) != self._confirmed_pauses:
                        await self._check()
                    count = await publish()
                except FencedError:
                    raise
                except VirtufinError as error:
                    refusals += isinstance(error, (InvalidInputError, ResourceLimitError))
                    if refusals >= MAX_REFUSALS:
                        raise NotTakenError(f"refused {refusals} times: {error}") from error
                    _log.warning("publish failed, trying again", topic=topic, error=str(error))
                    await self._clock.sleep(pause_seconds)
                    pause_seconds = min(_RETRY_CAP_SECONDS, pause_seconds * 2)
                    began = self._clock.monotonic()
                else:
                    self._latency.observe(self._clock.monotonic() - began)
                    return count
        finally:
            self._trying_since = None

    async def _check(self) -> None:
        pauses = self._guard.pauses
        if not await self._confirm(pauses):
            raise FencedError("another process has taken a connection of this topic")
        self._confirmed_pauses = pauses
