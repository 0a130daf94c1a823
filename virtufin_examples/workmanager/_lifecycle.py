"""Lifecycle events of workers on `workmanager.lifecycle`. Best effort: a bus that is down is logged."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import msgspec
import structlog

from virtufin_examples.bus import Bus
from virtufin_examples.bus._port import CLOUDEVENT_JSON
from virtufin_examples.errors import VirtufinError
from virtufin_examples.workmanager._record import WorkerRecord
from virtufin_examples.workmanager._worker import State

LIFECYCLE_TOPIC = "workmanager.lifecycle"
SOURCE = "urn:com.virtufin.workmanager"
TYPE_PREFIX = "com.virtufin.workmanager.lifecycle."

_log = structlog.get_logger(__name__)


class LifecyclePublisher:
    """Tells the bus what happens to workers. `instance` names this process."""

    def __init__(self, bus: Bus, *, instance: str) -> None:
        self._bus = bus
        self._instance = instance

    async def notify(self, record: WorkerRecord, state: State, reason: str, attempt: int) -> None:
        """Publish one event; `reason` and `attempt` only where there is one."""
        data: dict[str, object] = {
            "worker_id": record.id,
            "topic": record.topic,
            "instance": self._instance,
            **({"reason": reason} if reason else {}),
            **({"attempt": attempt} if attempt else {}),
        }
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": SOURCE,
            "type": TYPE_PREFIX + state,
            "subject": record.id,
            "time": datetime.now(UTC).isoformat(),
            "datacontenttype": "application/json",
            "data": data,
        }
        try:
            await self._bus.publish(LIFECYCLE_TOPIC, msgspec.json.encode(event), content_type=CLOUDEVENT_JSON)
        except VirtufinError as error:
            _log.warning("lifecycle event lost", worker_id=record.id, state=str(state), error=str(error))
