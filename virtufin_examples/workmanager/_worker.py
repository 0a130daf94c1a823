"""One worker: its host, kept alive; its events, one at a time."""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Awaitable, Callable

import structlog

from virtufin_examples.errors import PreconditionError, WorkerError
from virtufin_examples.workmanager._environment import HostSetup
from virtufin_examples.workmanager._failures import HostDiedError, LoadFailedError
from virtufin_examples.workmanager._host_process import CallGateway, HostProcess
from virtufin_examples.workmanager._record import WorkerRecord
from virtufin_examples.workmanager._restart import RestartPolicy
from virtufin_examples.workmanager._wire import Load

STOP_GRACE_SECONDS = 5.0  # for the event in hand when a worker is stopped

_log = structlog.get_logger(__name__)


class Status(enum.Enum):
    """What a worker is doing. A host that is being restarted is still RUNNING."""

    STOPPED = "stopped"
    RUNNING = "running"
    FAILED = "failed"


class State(enum.StrEnum):
    """States of the lifecycle events."""

    CREATED = "created"
    STARTING = "starting"
    ONLINE = "online"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETED = "deleted"


Notify = Callable[[WorkerRecord, State, str, int], Awaitable[None]]


class Worker:
    """A worker and its host. `notify(record, state, reason, attempt)` is told of every change."""

    def __init__(
        self,
        record: WorkerRecord,
        *,
        setup: Callable[[str], HostSetup],
        call_gateway: CallGateway,
        notify: Notify,
        message_timeout_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.record = record
        self.status = Status.STOPPED
        self.failure = ""
        self.runtime = ""
        self.restarts = 0
        self.changing = asyncio.Lock()
        """Held by whoever starts, stops, deletes or changes this worker."""
        self.turn = asyncio.Lock()
        """Held while an event is processed and its answer published: a worker's events are serial."""
        self._setup = setup
        self._call_gateway = call_gateway
        self._notify = notify
        self._timeout_seconds = message_timeout_seconds
        self._clock = clock
        self._sleep = sleep
        self._policy = RestartPolicy()
        self._host: HostProcess | None = None
        self._settled = asyncio.Event()  # a host is online, or none will be
        self._guard: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process number of the host, if there is one."""
        return self._host.pid if self._host is not None else None

    async def start(self) -> None:
        """Start the host and load the code; `PreconditionError` with the reason when that fails."""
        if self.status is Status.RUNNING:
            return
        self._policy = RestartPolicy()
        self.failure = ""
        await self._notify(self.record, State.STARTING, "", 0)
        try:
            host = await self._launch(self.record)
        except WorkerError as error:
            await self._fail(str(error))
            raise PreconditionError(f"worker {self.record.id} failed to start: {error}") from error
        self.status = Status.RUNNING
        self._adopt(host)
        await self._notify(self.record, State.ONLINE, "", 0)

    async def stop(self) -> None:
        """End the event in hand, then the host."""
        running = self.status is Status.RUNNING
        self.status = Status.STOPPED
        self.failure = ""
        if running:
            await self._notify(self.record, State.STOPPING, "", 0)
            await self._end_turn()
            await self.close()
            await self._notify(self.record, State.STOPPED, "", 0)

    async def _end_turn(self) -> None:
        """Let the event in hand end, for a while; those that wait see that the worker is stopped."""
        try:
            async with asyncio.timeout(STOP_GRACE_SECONDS), self.turn:
                pass
        except TimeoutError:
            _log.warning("event cut off by a stop", worker_id=self.record.id)

    async def close(self) -> None:
        """End the host without a word."""
        if self._guard is not None:
            self._guard.cancel()
            await asyncio.wait([self._guard])
            self._guard = None
        host, self._host = self._host, None
        self._settled.set()
        if host is not None:
            await host.close()

    async def swap(self, record: WorkerRecord, *, commit: Callable[[WorkerRecord], Awaitable[None]]) -> None:
        """Run the code of `record` from the next event on.

        `commit` stores the record. When the code cannot be loaded, or not be stored, nothing changes.
        """
        if self.status is not Status.RUNNING:
            await commit(record)
            self.record = record
            return
        try:
            fresh = await self._launch(record)
        except WorkerError as error:
            raise PreconditionError(f"the new code of worker {record.id} cannot be run: {error}") from error
        try:
            await commit(record)
            await self.turn.acquire()  # the call in flight ends first
        except BaseException:
            await fresh.close()
            raise
        try:
            await self.close()
            self.record = record
            self.status, self.failure = Status.RUNNING, ""
            self._policy = RestartPolicy()
            self._adopt(fresh)
        finally:
            self.turn.release()

    async def process(self, event: bytes) -> bytes | None:
        """Have the worker handle an event. The caller holds `turn`.

        Raises `WorkerRaisedError`, `WorkerTimeoutError`, `HostDiedError`.
        """
        if self._host is not None and self._host.closed.done():
            self._settled.clear()  # the guard has yet to notice
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._settled.wait()
        except TimeoutError:
            raise HostDiedError(
                f"the worker's host was not back within {self._timeout_seconds:g} s"
            ) from None
        if self._host is None:
            raise HostDiedError(self.failure or "the worker is stopped")
        answer = await self._host.process(event, timeout_seconds=self._timeout_seconds)
        self._policy.answered()
        return answer

    async def _launch(self, record: WorkerRecord) -> HostProcess:
        try:
            setup = self._setup(record.mime_type)
            host = await HostProcess.start(worker_id=record.id, setup=setup, call_gateway=self._call_gateway)
        except (OSError, PreconditionError) as error:
            raise LoadFailedError(f"no host could be started: {error}") from error
        try:
            ready = await host.load(
                Load(worker_id=record.id, topic=record.topic, mime_type=record.mime_type, code=record.code)
            )
        except BaseException:
            await host.close()
            raise
        self.runtime = ready.runtime
        return host

    def _adopt(self, host: HostProcess) -> None:
        self._host = host
        self._policy.started(self._clock())
        self._settled.set()
        self._guard = asyncio.create_task(self._watch(host), name=f"guard-{self.record.id}")

    async def _watch(self, host: HostProcess) -> None:
        """Restart a host that dies, with growing delays, until the policy gives up."""
        while True:
            await asyncio.wait([host.closed])
            self._settled.clear()
            reason = host.exit_reason
            restarted = None
            while restarted is None:
                delay = self._policy.died(self._clock())
                if delay is None:
                    await self._fail(reason)
                    return
                self.restarts += 1
                _log.warning(
                    "worker host ended, restarting", worker_id=self.record.id, reason=reason,
                    attempt=self._policy.attempt, delay_seconds=delay,
                )  # fmt: skip
                await self._notify(self.record, State.STARTING, reason, self._policy.attempt)
                await self._sleep(delay)
                try:
                    restarted = await self._launch(self.record)
                except WorkerError as error:
                    reason = str(error)
            host = self._host = restarted
            self._policy.started(self._clock())
            self._settled.set()
            await self._notify(self.record, State.ONLINE, "", self._policy.attempt)

    async def _fail(self, reason: str) -> None:
        self._host = None
        self.status = Status.FAILED
        self.failure = reason
        self._settled.set()
        _log.error("worker failed", worker_id=self.record.id, reason=reason)
        await self._notify(self.record, State.FAILED, reason, self._policy.attempt)
