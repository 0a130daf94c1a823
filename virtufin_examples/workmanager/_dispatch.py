"""From topics to workers: one subscription a topic, each event to exactly one running worker, round robin."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry, Counter

from virtufin_examples.bus import Ack, Bus, BusSubscription, Delivery, Event
from virtufin_examples.bus._port import CLOUDEVENT_JSON
from virtufin_examples.errors import DeadlineError, UnavailableError, VirtufinError
from virtufin_examples.workmanager._events import Output, dead_letter, from_worker, is_expired, to_worker
from virtufin_examples.workmanager._failures import HostDiedError, WorkerTimeoutError
from virtufin_examples.workmanager._restart import retry_delay
from virtufin_examples.workmanager._worker import Status, Worker

MAX_IN_FLIGHT = 64  # events of one topic that are taken from the bus before one of them is answered
FINISH_SECONDS = 2.0  # for the events in hand when a subscription ends

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Route:
    subscription: BusSubscription
    workers: list[Worker] = field(default_factory=list)
    next: int = 0
    pump: asyncio.Task[None] | None = None
    in_hand: set[asyncio.Task[None]] = field(default_factory=set)

    def pick(self) -> Worker | None:
        """Return the running worker whose turn it is."""
        running = [worker for worker in self.workers if worker.status is Status.RUNNING]
        if not running:
            return None
        worker = running[self.next % len(running)]
        self.next += 1
        return worker


class Dispatcher:
    """Subscribes to the topics of running workers and hands them their events."""

    def __init__(
        self,
        bus: Bus,
        *,
        registry: CollectorRegistry,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._bus = bus
        self._sleep = sleep
        self._now = now
        self._routes: dict[str, _Route] = {}
        self._changing = asyncio.Lock()
        self._outcomes = Counter(
            "virtufin_worker_events", "Events taken from topics", ["outcome"], registry=registry
        )

    async def add(self, worker: Worker) -> None:
        """Take events for a worker, from its shared topic and its own; `UnavailableError`: no bus."""
        async with self._changing:
            for topic in (worker.record.topic, worker.record.command_topic):
                route = self._routes.get(topic)
                if route is None:
                    route = _Route(await self._bus.subscribe(topic))
                    route.pump = asyncio.create_task(self._pump(topic, route), name=f"topic-{topic}")
                    self._routes[topic] = route
                if worker not in route.workers:
                    route.workers.append(worker)

    @contextlib.asynccontextmanager
    async def removing(self, worker: Worker) -> AsyncIterator[None]:
        """Take no more events for a worker; what it has in hand can be answered while the block runs."""
        ended: list[_Route] = []
        async with self._changing:
            for topic in (worker.record.topic, worker.record.command_topic):
                route = self._routes.get(topic)
                if route is None or worker not in route.workers:
                    continue
                route.workers.remove(worker)
                if not route.workers:
                    del self._routes[topic]
                    ended.append(route)
                    await _stop_taking(route)
        try:
            yield
        finally:
            for route in ended:
                await _finish(route)

    async def close(self) -> None:
        """Take no more events, let those in hand end for a moment, give the others back to the broker."""
        async with self._changing:
            routes, self._routes = list(self._routes.values()), {}
            for route in routes:
                await _stop_taking(route)
            for route in routes:
                await _finish(route)

    async def _pump(self, topic: str, route: _Route) -> None:
        room = asyncio.Semaphore(MAX_IN_FLIGHT)
        async for delivery in route.subscription:
            await room.acquire()
            task = asyncio.create_task(self._handle(topic, route, delivery))
            route.in_hand.add(task)
            task.add_done_callback(route.in_hand.discard)
            task.add_done_callback(lambda _: room.release())

    async def _handle(self, topic: str, route: _Route, delivery: Delivery) -> None:
        event = delivery.event
        ack = Ack.SUCCESS
        try:
            outcome = await self._dispatch(topic, route, event)
        except VirtufinError as error:  # the bus did not take the answer: the broker sends the event again
            outcome, ack = "redelivered", Ack.RETRY
            _log.warning("event goes back to the broker", topic=topic, event_id=event.id, error=str(error))
        except Exception as error:  # noqa: BLE001 - one event must not end the topic
            outcome, ack = "redelivered", Ack.RETRY
            _log.error("dispatch failed", topic=topic, event_id=event.id, exc_info=error)
        self._outcomes.labels(outcome).inc()
        try:
            await delivery.answer(ack)
        except VirtufinError as error:
            _log.warning("answer to the broker failed", topic=topic, event_id=event.id, error=str(error))

    async def _dispatch(self, topic: str, route: _Route, event: Event) -> str:
        """Run an event and return its outcome. Only a host that died or hung is worth a retry."""
        reason = ""
        attempt = 0
        while (worker := route.pick()) is not None:
            if is_expired(event, self._now()):
                _log.info("expired event dropped", topic=topic, event_id=event.id)
                return "expired"
            try:
                if await self._process(worker, event):
                    return "processed"
            except (HostDiedError, WorkerTimeoutError) as error:
                reason = error.message
                delay = retry_delay(attempt)
                attempt += 1
                _log.warning(
                    "worker failed an event", topic=topic, worker_id=worker.record.id, event_id=event.id,
                    reason=reason, attempt=attempt, retry=delay is not None,
                )  # fmt: skip
                if delay is None:
                    break
                await self._sleep(delay)
            except (UnavailableError, DeadlineError):  # the bus, not the worker
                raise
            except VirtufinError as error:
                reason = str(error)
                _log.warning(
                    "worker raised", topic=topic, worker_id=worker.record.id, event_id=event.id, reason=reason
                )
                break
        if not reason:
            _log.info("no worker on topic, event dropped", topic=topic, event_id=event.id)
            return "unclaimed"
        return await self._bury(event)

    async def _process(self, worker: Worker, event: Event) -> bool:
        """Have a worker handle the event and publish its answer; False when it was stopped meanwhile."""
        async with worker.turn:
            if worker.status is not Status.RUNNING:
                return False
            answer = await worker.process(to_worker(event, worker.record.config))
            if answer is not None:
                output = from_worker(answer, event, worker_id=worker.record.id, new_id=str(uuid.uuid4()))
                await self._publish(output)
            return True

    async def _bury(self, event: Event) -> str:
        letter = dead_letter(event)
        if letter is None:
            _log.warning(
                "event dropped, not dead-lettered: it may hold a secret", topic=event.topic, event_id=event.id
            )
            return "dropped"
        try:
            await self._publish(letter)
        except (UnavailableError, DeadlineError):
            raise
        except VirtufinError as error:
            _log.error(
                "event dropped, not dead-lettered", topic=event.topic, event_id=event.id, error=str(error)
            )
            return "dropped"
        return "dead"

    async def _publish(self, output: Output) -> None:
        await self._bus.publish(output.topic, output.data, content_type=CLOUDEVENT_JSON)


async def _stop_taking(route: _Route) -> None:
    if route.pump is not None:
        route.pump.cancel()
        await asyncio.wait([route.pump])


async def _finish(route: _Route) -> None:
    """Let the events in hand end for a moment, then close: what is unanswered goes back to the broker."""
    if route.in_hand:
        await asyncio.wait(route.in_hand, timeout=FINISH_SECONDS)
    for task in list(route.in_hand):
        task.cancel()
    await asyncio.gather(*route.in_hand, return_exceptions=True)
    await route.subscription.close()
