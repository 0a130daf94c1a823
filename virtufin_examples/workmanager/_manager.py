"""The WorkManager's core: the registry of workers and what can be done with them."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Gauge

from virtufin_examples.bus import Bus
from virtufin_examples.errors import NotFoundError, PreconditionError, VirtufinError
from virtufin_examples.settings import PlatformSettings
from virtufin_examples.workmanager._code import Code
from virtufin_examples.workmanager._dispatch import Dispatcher
from virtufin_examples.workmanager._environment import HostSetup, host_setup
from virtufin_examples.workmanager._gateway import GatewayClient
from virtufin_examples.workmanager._lease import LeaseTable
from virtufin_examples.workmanager._lifecycle import LifecyclePublisher
from virtufin_examples.workmanager._record import HistoryItem, WorkerRecord
from virtufin_examples.workmanager._recovery import recovery_lease
from virtufin_examples.workmanager._store import WorkerStore
from virtufin_examples.workmanager._validation import check_config, check_tags
from virtufin_examples.workmanager._worker import State, Worker
from virtufin_examples.workmanager.engines import RUNTIME_VARIABLE, find_engine

MAX_PARALLEL_RECOVERIES = 4

_log = structlog.get_logger(__name__)


class WorkerManager:
    """Creates, changes, runs and deletes workers. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        settings: PlatformSettings,
        *,
        bus: Bus,
        gateway: GatewayClient,
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._gateway = gateway
        self._clock = clock
        self._store = WorkerStore(bus)
        self._dispatcher = Dispatcher(bus, registry=registry)
        self._lifecycle = LifecyclePublisher(bus, instance=settings.instance_id or uuid.uuid4().hex[:12])
        self._leases = LeaseTable()
        self._workers: dict[str, Worker] = {}
        self.unreadable: dict[str, str] = {}
        """State keys that the last recovery had to skip, and why."""
        count = Gauge("virtufin_workers", "Workers known", registry=registry)
        count.set_function(lambda: len(self._workers))

    async def create(
        self,
        code: Code,
        *,
        mime_type: str,
        topic: str,
        config: Mapping[str, str],
        tags: Mapping[str, str],
        lease_seconds: int,
    ) -> Worker:
        """Create a worker, stopped. Its code is first loaded when it starts."""
        engine = find_engine(mime_type)
        why = engine.unavailable({**os.environ, **self._runtime_choice()})
        if why:
            raise PreconditionError(f"mime_type: {mime_type} cannot run here: {why}")
        now = _timestamp()
        record = WorkerRecord(
            id=str(uuid.uuid4()),
            mime_type=mime_type,
            language=engine.language,
            topic=topic,
            created_at=now,
            code=code.content,
            history=(HistoryItem(code.sha256, now, code.url),),
            config=check_config(config),
            tags=check_tags(tags),
            lease_seconds=lease_seconds,
        )
        await self._store.add(record)
        worker = self._register(record)
        await self._lifecycle.notify(record, State.CREATED, "", 0)
        return worker

    async def load_code(self, worker_id: str, code: Code) -> None:
        """Replace a worker's code; a call in flight ends first. Code that cannot be run changes nothing."""
        worker = self.find(worker_id)
        async with worker.changing:
            self._still_there(worker)
            record = worker.record
            item = HistoryItem(code.sha256, _timestamp(), code.url)
            changed = msgspec.structs.replace(record, code=code.content, history=(*record.history, item))
            await worker.swap(changed, commit=self._store.save)

    async def start(self, worker_id: str) -> None:
        """Start a worker; `PreconditionError` with the reason when its code cannot be run."""
        worker = self.find(worker_id)
        async with worker.changing:
            self._still_there(worker)
            await self._start(worker)
            await self._save(worker, running=True)

    async def stop(self, worker_id: str) -> None:
        """Stop a worker and close the connections that it opened."""
        worker = self.find(worker_id)
        async with worker.changing:
            self._still_there(worker)
            await self._stop(worker)
            await self._save(worker, running=False)

    async def delete(self, worker_id: str) -> None:
        """Stop a worker and forget it."""
        worker = self.find(worker_id)
        async with worker.changing:
            self._still_there(worker)
            await self._stop(worker)
            await self._store.remove(worker_id)
            del self._workers[worker_id]
            self._leases.end(worker_id)
        await self._lifecycle.notify(worker.record, State.DELETED, "", 0)

    def find(self, worker_id: str) -> Worker:
        """Return a worker; `NotFoundError` when there is none of that id."""
        worker = self._workers.get(worker_id)
        if worker is None:
            raise NotFoundError(f"id: no worker {worker_id!r}", hint="ListWorkers shows those that there are")
        return worker

    def list(self, filters: Mapping[str, str]) -> list[Worker]:
        """Return the workers that carry all these tags, the oldest first."""
        found = [worker for worker in self._workers.values() if filters.items() <= worker.record.tags.items()]
        return sorted(found, key=lambda worker: (worker.record.created_at, worker.record.id))

    async def set_tags(self, worker_id: str, tags: Mapping[str, str], *, keep: bool) -> None:
        """Set a worker's tags; with `keep`, those that are not named stay."""
        worker = self.find(worker_id)
        async with worker.changing:
            self._still_there(worker)
            merged = {**worker.record.tags, **tags} if keep else dict(tags)
            changed = msgspec.structs.replace(worker.record, tags=check_tags(merged))
            await self._store.save(changed)
            worker.record = changed

    async def renew_lease(self, worker_id: str) -> int:
        """Put off the end of a worker and of its leased connections; return the lease in seconds."""
        self.find(worker_id)
        seconds = self._leases.renew(worker_id, self._clock())
        if seconds:
            await self._gateway.renew_owned(worker_id)
        return seconds

    async def delete_lapsed(self) -> None:
        """Delete the workers whose lease was not renewed in time."""
        for worker_id in self._leases.lapsed(self._clock()):
            _log.info("lease not renewed, deleting the worker", worker_id=worker_id)
            try:
                await self.delete(worker_id)
            except NotFoundError:
                self._leases.end(worker_id)
            except VirtufinError as error:  # the bus is down: the next round tries again
                _log.warning("worker not deleted yet", worker_id=worker_id, error=str(error))

    async def recover(self) -> int:
        """Take up the stored workers that are not known yet, start those that ran; return how many."""
        async with recovery_lease(self._bus):
            stored = await self._store.load_all()
            self.unreadable = dict(stored.skipped)
            for key, reason in stored.skipped.items():
                _log.error("stored worker skipped", key=key, reason=reason)
            fresh = [self._register(record) for record in stored.records if record.id not in self._workers]
            room = asyncio.Semaphore(MAX_PARALLEL_RECOVERIES)
            await asyncio.gather(*(self._resume(worker, room) for worker in fresh if worker.record.running))
        return len(fresh)

    async def close(self) -> None:
        """End all hosts; what is stored stays."""
        await self._dispatcher.close()
        await asyncio.gather(*(worker.close() for worker in self._workers.values()))

    async def _resume(self, worker: Worker, room: asyncio.Semaphore) -> None:
        async with room, worker.changing:
            try:
                await self._start(worker)
            except VirtufinError as error:
                _log.error("recovered worker not started", worker_id=worker.record.id, error=str(error))

    async def _start(self, worker: Worker) -> None:
        await worker.start()
        try:
            await self._dispatcher.add(worker)
        except VirtufinError:
            async with self._dispatcher.removing(worker):
                await worker.stop()
            raise

    async def _stop(self, worker: Worker) -> None:
        async with self._dispatcher.removing(worker):
            await worker.stop()
        if worker.runtime or worker.record.running:  # it may have opened some
            await self._gateway.disconnect_owned(worker.record.id)

    async def _save(self, worker: Worker, *, running: bool) -> None:
        if worker.record.running != running:
            changed = msgspec.structs.replace(worker.record, running=running)
            await self._store.save(changed)
            worker.record = changed

    def _register(self, record: WorkerRecord) -> Worker:
        worker = Worker(
            record,
            setup=self._setup,
            call_gateway=self._gateway.call,
            notify=self._lifecycle.notify,
            message_timeout_seconds=self._settings.message_timeout_seconds,
        )
        self._workers[record.id] = worker
        if record.lease_seconds:
            self._leases.grant(record.id, record.lease_seconds, self._clock())
        return worker

    def _still_there(self, worker: Worker) -> None:
        if self._workers.get(worker.record.id) is not worker:
            raise NotFoundError(f"id: worker {worker.record.id!r} was deleted meanwhile")

    def _setup(self, mime_type: str) -> HostSetup:
        return host_setup(os.environ, find_engine(mime_type), dotnet_runtime=self._settings.dotnet_runtime)

    def _runtime_choice(self) -> dict[str, str]:
        return {RUNTIME_VARIABLE: self._settings.dotnet_runtime}


def _timestamp() -> str:
    return datetime.now(UTC).isoformat()
