"""Hands messages to the bus until it takes them, and none that another process may have superseded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Histogram

from virtufin_examples.bus import Bus
from virtufin_examples.connections import Clock
from virtufin_examples.errors import ConflictError, InvalidInputError, ResourceLimitError, VirtufinError
from virtufin_examples.websocketmanager._guard import PauseGuard

MAX_PUBLISH_BYTES = 16 * 1024 * 1024 - 64 * 1024
"""Dapr's limit with room for the request around the data."""

MAX_REFUSALS = 10
"""So often may the bus call one message invalid or too large, over half a minute, before it is given up: a
broker with a lower limit must not stop the topic for good. A bus that is down is waited for without limit."""

_RETRY_BASE_SECONDS = 0.1
_RETRY_CAP_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class NotTakenError(ResourceLimitError):
    """A message that the bus will never take."""


class FencedError(ConflictError):
    """Another process has taken a connection over meanwhile: the message must not go out as it is."""


class Sender:
    """Sends one message at a time.

    After a pause of the process nothing goes out before `confirm` has returned True; False means that it
    cannot be told yet. When it has found a connection lost, it raises `FencedError`. `latency` is labelled.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        guard: PauseGuard,
        *,
        latency: Histogram,
        confirm: Callable[[], Awaitable[bool]],
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._guard = guard
        self._latency = latency
        self._confirm = confirm
        self._confirmed_pauses = guard.pauses
        self._trying_since: float | None = None

    def trying_seconds(self, now: float) -> float:
        """Return for how long the message in flight has been tried."""
        return 0.0 if self._trying_since is None else now - self._trying_since

    async def send(self, topic: str, data: bytes, content_type: str, metadata: dict[str, str] | None) -> None:
        """Publish until the bus takes it; raises `FencedError`, or `NotTakenError` for what it never will."""
        if len(data) > MAX_PUBLISH_BYTES:
            raise NotTakenError(f"message of {len(data)} bytes, the bus takes {MAX_PUBLISH_BYTES}")
        refusals = 0
        pause_seconds = _RETRY_BASE_SECONDS
        began = self._trying_since = self._clock.monotonic()
        try:
            while True:
                try:
                    if self._guard.look(began) != self._confirmed_pauses:
                        await self._check()
                    await self._bus.publish(topic, data, content_type=content_type, metadata=metadata)
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
                    return
        finally:
            self._trying_since = None

    async def _check(self) -> None:
        pauses = self._guard.pauses
        if not await self._confirm():
            raise FencedError("another process has taken a connection of this topic")
        self._confirmed_pauses = pauses
