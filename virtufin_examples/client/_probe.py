"""Gathers what `_diagnosis` judges: lists twice, listens to the topics in between, sends itself a message."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence

from virtufin_examples.client._api import ApiClient
from virtufin_examples.client._close_feed import RUN_TAG
from virtufin_examples.client._connections import WebSocketManagerClient
from virtufin_examples.client._diagnosis import Diagnosis, diagnose
from virtufin_examples.client._events import CloudEvent
from virtufin_examples.client._feed_facts import (
    BrokerFacts,
    ConnectionFacts,
    FeedFacts,
    WorkerFacts,
)
from virtufin_examples.client._replies import ConnectionInfo
from virtufin_examples.client._topic_listener import TopicListener, listening
from virtufin_examples.client._venue_hours import market_of, quiet_seconds
from virtufin_examples.client._workers import WorkerInfo, WorkManagerClient
from virtufin_examples.errors import InvalidInputError, NotFoundError, UnavailableError, VirtufinError
from virtufin_examples.venues import Session

_log = logging.getLogger(__name__)

LISTEN_SECONDS = 3.0
"""Longer than the 2 s after which a quiet topic has a heartbeat."""
PROBE_TOPIC = "virtufin.status"
PROBE_SECONDS = 5.0
_PROBE_TTL_SECONDS = 10
_DRAIN_SECONDS = 0.5  # for what was received just before the second list


_EVERYTHING = "the platform"


def unreachable(error: UnavailableError, name: str = "") -> Diagnosis:
    """Return the diagnosis of a feed whose gateway cannot be reached."""
    return diagnose(FeedFacts(name=name or _EVERYTHING, now_ns=time.time_ns(), gateway_error=str(error)))


async def feed_status(
    api: ApiClient, name: str = "", *, listen_seconds: float = LISTEN_SECONDS
) -> tuple[Diagnosis, ...]:
    """Diagnose the feed, topic, connection or worker of that name; without one all that there are.

    It takes no service's messages: the gateway broadcasts. Raises `NotFoundError` that says what there is.
    """
    try:
        return await _diagnose_all(api, name, listen_seconds)
    except _ManagerError as error:
        facts = FeedFacts(name=name or _EVERYTHING, now_ns=time.time_ns(), manager_error=error.message)
        return (diagnose(facts),)


class _ManagerError(VirtufinError):
    """The WebSocketManager does not answer."""


async def _connections(api: ApiClient) -> tuple[ConnectionInfo, ...]:
    try:
        return await WebSocketManagerClient(api).list_connections()
    except VirtufinError as error:
        raise _ManagerError(error.message) from error


async def _diagnose_all(api: ApiClient, name: str, listen_seconds: float) -> tuple[Diagnosis, ...]:
    connections = await _connections(api)
    workers, workers_error = await _workers(api)
    feeds = _select(name, connections, workers)
    async with contextlib.AsyncExitStack() as stack:
        topics = {one.topic for _, members, _ in feeds for one in members if one.topic}
        sessions = _sessions(connections)
        listeners = {
            topic: await stack.enter_async_context(listening(api, topic, sessions)) for topic in topics
        }
        broker, _ = await asyncio.gather(_probe_broker(api), asyncio.sleep(listen_seconds))
        later = {one.id: one for one in await _connections(api)}
        if topics:
            await asyncio.sleep(_DRAIN_SECONDS)
        now_ns = time.time_ns()
        return tuple(
            diagnose(
                FeedFacts(
                    name=title,
                    now_ns=now_ns,
                    workers_error=workers_error,
                    worker=_worker_facts(worker),
                    connections=tuple(
                        _connection_facts(one, later.get(one.id, one), now_ns, listeners.get(one.topic))
                        for one in members
                    ),
                    broker=broker,
                )
            )
            for title, members, worker in feeds
        )


def _sessions(connections: Iterable[ConnectionInfo]) -> dict[str, Session]:
    """A reader of each connection's frames, by its connector's plugin where that is installed here."""
    plugins = importlib.metadata.entry_points(group="virtufin.connectors")
    found: dict[str, Session] = {}
    for one in connections:
        for plugin in plugins.select(name=one.connector):
            try:
                found[one.id] = plugin.load()().session(one.url, {})
            except InvalidInputError as error:  # it needs options that are not told, or another version
                _log.info("cannot read the symbols of connection %s: %s", one.id, error)
    return found


Feed = tuple[str, tuple[ConnectionInfo, ...], WorkerInfo | None]


def _select(name: str, connections: Sequence[ConnectionInfo], workers: Sequence[WorkerInfo]) -> list[Feed]:
    """Return the feeds that are meant: a title, the connections, their worker."""
    by_id = {worker.id: worker for worker in workers}
    members: dict[str, list[ConnectionInfo]] = {}
    for one in connections:
        if not name:
            members.setdefault(_title(one), []).append(one)
        elif name in (_run_of(one.tags), one.topic, one.id, one.owner):
            members.setdefault(name, []).append(one)
    owners = {one.owner for one in connections}
    for worker in workers:
        run = _run_of(worker.tags)
        if worker.id not in owners and run and name in ("", run, worker.id):
            members.setdefault(name or run, [])
    if name and not members:
        raise NotFoundError(
            f"no feed, topic, connection or worker is {name!r}", hint=_what_there_is(connections)
        )
    return [(title, tuple(group), _owner(title, group, by_id, workers)) for title, group in members.items()]


def _owner(
    title: str,
    group: Iterable[ConnectionInfo],
    by_id: Mapping[str, WorkerInfo],
    workers: Sequence[WorkerInfo],
) -> WorkerInfo | None:
    """The worker of a group; of several the one that is not well."""
    found = [by_id[one.owner] for one in group if one.owner in by_id]
    found += [worker for worker in workers if title in (_run_of(worker.tags), worker.id)]
    return next((one for one in found if not one.status.endswith("RUNNING")), found[0] if found else None)


def _run_of(tags: Mapping[str, str]) -> str:
    return tags.get(RUN_TAG, "")


def _title(connection: ConnectionInfo) -> str:
    return connection.topic or _run_of(connection.tags) or connection.id


def _what_there_is(connections: Sequence[ConnectionInfo]) -> str:
    names = sorted({_title(one) for one in connections})
    return f"there is {', '.join(names)}" if names else "nothing runs; start one with `virtufin feed start`"


async def _workers(api: ApiClient) -> tuple[tuple[WorkerInfo, ...], str]:
    try:
        return await WorkManagerClient(api).list_workers(), ""
    except VirtufinError as error:  # feeds run on without it
        return (), f"the WorkManager does not answer: {error.message}"


def _worker_facts(worker: WorkerInfo | None) -> WorkerFacts | None:
    if worker is None:
        return None
    status = worker.status.removeprefix("WORKER_STATUS_").lower()
    return WorkerFacts(id=worker.id, status=status, failure=worker.failure)


def _connection_facts(
    before: ConnectionInfo, after: ConnectionInfo, now_ns: int, listener: TopicListener | None
) -> ConnectionFacts:
    market = market_of(after)
    told = bool(after.wanted_symbols)
    return ConnectionFacts(
        id=after.id,
        status=after.status,
        topic=after.topic,
        reason=after.reason,
        epoch=after.epoch,
        simulated=after.simulated,
        market=market.state(now_ns) if market is not None else None,
        quiet_seconds=quiet_seconds(after, now_ns),
        wanted=after.wanted_symbols if told else None,
        acknowledged=after.acknowledged_symbols if told else None,
        stale=after.stale_symbols,
        last_received_ns=after.last_received_ns,
        frames_before=before.frames,
        frames_after=after.frames,
        queued_before=before.queued_bytes,
        queued_bytes=after.queued_bytes,
        spooled_bytes=after.spooled_bytes,
        held_bytes=after.held_bytes,
        backfill=after.backfill,
        asked_again=after.asked_again,
        tap=listener.facts(after.id) if listener is not None else None,
    )


async def _probe_broker(api: ApiClient) -> BrokerFacts:
    """Send a message to ourselves through the gateway's broker."""
    event = CloudEvent(type="com.virtufin.status.probe", data=b"{}", id=str(uuid.uuid4()))
    began = time.monotonic()
    try:
        async with asyncio.timeout(PROBE_SECONDS), await api.subscribe(PROBE_TOPIC) as tap:
            began = time.monotonic()
            await api.publish(PROBE_TOPIC, event, ttl_seconds=_PROBE_TTL_SECONDS)
            async for received in tap:
                if received.id == event.id:
                    break
    except TimeoutError:
        return BrokerFacts(error=f"a message did not come back within {PROBE_SECONDS:g} s")
    except VirtufinError as error:
        return BrokerFacts(error=error.message)
    return BrokerFacts(seconds=time.monotonic() - began)
