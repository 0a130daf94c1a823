"""Tells the topic `websocketmanager.lifecycle` what happens to connections. Best effort, in order."""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec
import structlog

from virtufin_examples.bus import Bus
from virtufin_examples.connections import ConnectionEvent
from virtufin_examples.errors import VirtufinError
from virtufin_examples.frames import EVENT_SOURCE

LIFECYCLE_TOPIC = "websocketmanager.lifecycle"
LIFECYCLE_TYPE_PREFIX = "com.virtufin.websocketmanager.lifecycle."
_QUEUE_EVENTS = 1000
_log = structlog.get_logger(__name__)


class LifecycleData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The data of a lifecycle event. `url` has neither user info nor query."""

    connection_id: str
    url: str
    instance_id: str
    owner: str = ""
    epoch: int = 0
    attempt: int = 0
    reason: str = ""
    error_type: str = ""
    error_message: str = ""
    replayed: int = 0


class LifecyclePublisher:
    """An `Observer` that publishes, logs, and never blocks: of 1000 waiting events the oldest gives way."""

    def __init__(self, bus: Bus, instance_id: str) -> None:
        self._bus = bus
        self._instance_id = instance_id
        self._events: deque[tuple[str, LifecycleData]] = deque(maxlen=_QUEUE_EVENTS)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to publish."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="lifecycle")

    async def stop(self, seconds: float) -> None:
        """Publish what is left, for at most `seconds`."""
        task = self._task
        if task is None:
            return
        self._task = None
        self._wake.set()
        await asyncio.wait({task}, timeout=seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def connection_changed(self, event: ConnectionEvent) -> None:
        """Queue an event."""
        is_error = event.kind == "error"
        data = LifecycleData(
            connection_id=event.connection_id,
            url=event.url,
            instance_id=self._instance_id,
            owner=event.owner,
            epoch=event.epoch,
            attempt=event.attempt,
            reason="" if is_error else event.reason,
            error_type=event.error_type,
            error_message=event.reason if is_error else "",
            replayed=event.replayed,
        )
        log = _log.warning if is_error or event.kind == "failed" else _log.info
        log("connection " + event.kind, **msgspec.to_builtins(data))
        if len(self._events) == _QUEUE_EVENTS:
            _log.warning("lifecycle event dropped", connection_id=self._events[0][1].connection_id)
        self._events.append((event.kind, data))
        self._wake.set()

    async def _run(self) -> None:
        while self._events or self._task is not None:
            if not self._events:
                self._wake.clear()
                await self._wake.wait()
                continue
            kind, data = self._events.popleft()
            try:
                await self._bus.publish(
                    LIFECYCLE_TOPIC,
                    msgspec.json.encode(data),
                    content_type="application/json",
                    metadata={
                        "cloudevent.type": LIFECYCLE_TYPE_PREFIX + kind,
                        "cloudevent.source": EVENT_SOURCE,
                    },
                )
            except VirtufinError as error:
                _log.warning(
                    "lifecycle event lost", kind=kind, connection_id=data.connection_id, error=str(error)
                )
