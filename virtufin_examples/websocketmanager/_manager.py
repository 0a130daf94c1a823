"""The table of connections: opening, ending, publishing, ownership, leases, restoring."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field

import msgspec
import structlog

from virtufin_examples.bus import Bus
from virtufin_examples.connections import (
    Clock,
    Connection,
    ConnectionEvent,
    ConnectionSpec,
    ConnectorRegistry,
    HandshakeMessage,
    HttpClient,
    Observer,
    Scopes,
    SecretResolver,
    SocketNetwork,
    State,
    url_template,
)
from virtufin_examples.errors import NotFoundError, PreconditionError, UnavailableError, VirtufinError
from virtufin_examples.websocketmanager._hub import PublisherHub
from virtufin_examples.websocketmanager._index import ConnectionIndex
from virtufin_examples.websocketmanager._managed import ManagedConnection
from virtufin_examples.websocketmanager._publisher import TopicPublisher
from virtufin_examples.websocketmanager._records import (
    RECORD_PREFIX,
    ConnectionRecord,
    RecordKeeper,
    RecordVersionError,
    decode_record,
)
from virtufin_examples.websocketmanager._shard import Shard
from virtufin_examples.websocketmanager._source import PublishOptions
from virtufin_examples.websocketmanager._validation import publish_options

FLUSH_SECONDS = 2.0
"""How long an RPC waits for frames that are on their way to the bus; they go on after it, too."""

RECORD_SECONDS = 1.0
"""How long an RPC waits for the record: a process killed right after it would otherwise forget the topic."""

STOP_FLUSH_SECONDS = 5.0
_LEASE_CHECK_SECONDS = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """What Connect asks for, checked."""

    url: str
    auto_reconnect: bool = False
    connector: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    lease_seconds: int = 0


@dataclass(frozen=True, slots=True)
class ManagerEnvironment:
    """What connections live on; an `Environment`."""

    network: SocketNetwork
    http: HttpClient
    clock: Clock
    secrets: SecretResolver
    scopes: Scopes
    observer: Observer


class ConnectionManager:
    """All connections of this process. `randomness` is for their back-off."""

    def __init__(
        self,
        environment: ManagerEnvironment,
        *,
        bus: Bus,
        hub: PublisherHub,
        index: ConnectionIndex,
        connectors: ConnectorRegistry,
        instance_id: str,
        shard: Shard,
        randomness: Callable[[], float] = random.random,
    ) -> None:
        self._environment = environment
        self._randomness = randomness
        self._bus = bus
        self._hub = hub
        self._index = index
        self._connectors = connectors
        self._instance_id = instance_id
        self._shard = shard
        self._connections: dict[str, ManagedConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.restored = asyncio.Event()
        """Set when all connections of the last process are in the table; calls are taken earlier."""
        self.unreadable: dict[str, str] = {}
        """Connections that a newer program opened, and why they are not restored: they are left to it."""

    def all(self) -> tuple[ManagedConnection, ...]:
        """Return all connections."""
        return tuple(self._connections.values())

    def get(self, connection_id: str) -> ManagedConnection:
        """Return one; raises `NotFoundError`."""
        managed = self._connections.get(connection_id)
        if managed is None:
            raise NotFoundError(f"no connection {connection_id!r}", hint="List names those that there are")
        return managed

    async def find(self, connection_id: str) -> ManagedConnection:
        """Return one, also while those of the last process are being opened again; raises `NotFoundError`."""
        if connection_id not in self._connections:
            await self.restored.wait()
        return self.get(connection_id)

    # --- opening and ending ---

    async def open(self, request: OpenRequest) -> ManagedConnection:
        """Open a connection; what the first attempt raises leaves nothing behind."""
        connector = self._connectors.choose(request.connector, request.url)
        spec = ConnectionSpec(
            id=self._shard.new_id(),
            url=request.url,
            auto_reconnect=request.auto_reconnect,
            connector=connector,
            options=dict(request.options),
            owner=request.owner,
        )
        record = ConnectionRecord(
            id=spec.id,
            url=url_template(request.url),
            instance_id=self._instance_id,
            auto_reconnect=spec.auto_reconnect,
            connector=connector.name,
            options=dict(spec.options),
            tags=dict(request.tags),
            owner=request.owner,
            lease_seconds=request.lease_seconds,
            restorable=request.auto_reconnect and url_template(request.url) == request.url,
            holder=self._hub.holder,
        )
        managed = self._manage(spec, RecordKeeper(self._bus, self._environment.clock, record))
        try:
            await self._index.add(spec.id)
            await managed.connection.start()
        except BaseException:
            await self._end(managed, reason="could not be opened")
            raise
        return managed

    async def close(self, connection_id: str, *, reason: str = "requested") -> None:
        """End a connection and forget it; its frames that came in are still published."""
        await self._end(self.get(connection_id), reason=reason)

    async def close_owned(self, owner: str, *, reason: str) -> list[str]:
        """End all connections of an owner; return their ids."""
        owned = [managed for managed in self.all() if managed.owner == owner]
        await asyncio.gather(*(self._end(managed, reason=reason) for managed in owned))
        return [managed.id for managed in owned]

    def renew_lease(self, owner: str) -> int:
        """Put off the end of an owner's connections; return how many have a lease."""
        owned = [each for each in self.all() if each.owner == owner and each.lease_seconds]
        for managed in owned:
            self._renew(managed)
        return len(owned)

    # --- publishing ---

    async def start_publish(self, connection_id: str, topic: str, options: PublishOptions) -> None:
        """Publish to a topic, all that is held first; a connection that publishes already changes over.

        Raises `PreconditionError` for a connection that has ended, and where the topic is published in
        another way; nothing changes then. `NotFoundError`: it is gone, maybe only since the call came.
        """
        managed = self.get(connection_id)
        async with managed.changing_topic:
            await self._change_topic(managed, topic, options)
        self.get(connection_id)

    async def stop_publish(self, connection_id: str) -> None:
        """Publish no more; what came in until now still goes out. No error when it does not publish."""
        managed = self.get(connection_id)
        async with managed.changing_topic:
            await self._stop_publish(managed)
            managed.keeper.update(publish=None)

    # --- the process ---

    async def start(self) -> None:
        """Publish what the last process spooled, open what it had opened, and watch leases."""
        await self._hub.start(await self._index.platform(), self._holder_of)
        self._spawn(self._watch_leases(), "leases")
        await asyncio.gather(*(self._restore(each) for each in await self._index.ids()))
        self.restored.set()

    async def stop(self) -> None:
        """Close all sockets with 1001, publish what came in, write down how far each connection came."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        everything = self.all()
        await asyncio.gather(
            *(each.connection.close(code=1001, reason="the service stops") for each in everything)
        )
        for managed in everything:
            if managed.publisher is not None:
                managed.publisher.detach(managed)
        await self._hub.stop(STOP_FLUSH_SECONDS)
        await asyncio.gather(*(self._save_last(managed) for managed in everything))

    # --- inside ---

    def _manage(
        self, spec: ConnectionSpec, keeper: RecordKeeper, handshake: tuple[HandshakeMessage, ...] = ()
    ) -> ManagedConnection:
        connection = Connection(
            spec, self._environment, keeper, handshake=handshake, randomness=self._randomness
        )
        managed = ManagedConnection(connection, keeper, self._environment.observer)
        self._connections[spec.id] = managed
        self._renew(managed)
        keeper.on_lost = lambda reason: self._spawn(self._abandon(managed, reason), "abandon")
        return managed

    async def _abandon(self, managed: ManagedConnection, reason: str) -> None:
        """Stop publishing what another instance publishes now; it stays in the list, failed."""
        if managed.publisher is not None:
            managed.publisher.fence(managed.id)
        managed.connection.lose(reason)
        await self._stop_publish(managed)

    def _renew(self, managed: ManagedConnection) -> None:
        managed.lease_until = self._environment.clock.monotonic() + managed.lease_seconds

    async def _end(self, managed: ManagedConnection, *, reason: str) -> None:
        await managed.connection.close(reason=reason)
        await self._stop_publish(managed)
        self._connections.pop(managed.id, None)
        try:
            await managed.keeper.delete()
            if not managed.keeper.is_lost:
                await self._index.remove(managed.id)
        except VirtufinError as error:
            _log.warning("record not deleted", connection_id=managed.id, error=str(error))

    async def _stop_publish(self, managed: ManagedConnection) -> None:
        publisher = managed.unpublish()
        if publisher is None:
            return
        publisher.detach(managed)
        managed.connection.unpublish()
        await publisher.finished(FLUSH_SECONDS)

    async def _save_last(self, managed: ManagedConnection) -> None:
        if managed.keeper.is_lost:
            return
        try:
            await managed.keeper.close()
            await managed.keeper.save()
        except VirtufinError as error:
            _log.warning("last state not written", connection_id=managed.id, error=str(error))

    async def _watch_leases(self) -> None:
        clock = self._environment.clock
        while True:
            await clock.sleep(_LEASE_CHECK_SECONDS)
            now = clock.monotonic()
            lapsed = [each for each in self.all() if each.lease_seconds and each.lease_until <= now]
            await asyncio.gather(*(self._end(managed, reason="lease lapsed") for managed in lapsed))

    async def _holder_of(self, connection_id: str) -> str:
        """Return the process that last wrote a connection's record; nothing when there is none."""
        entry = await self._bus.get_state(RECORD_PREFIX + connection_id)
        try:
            return decode_record(entry.value).holder if entry is not None else ""
        except (msgspec.DecodeError, RecordVersionError):  # restoring reports it
            return ""

    async def _restore(self, connection_id: str) -> None:
        """Open a connection of the last process again, or say why not and forget it."""
        entry = await self._bus.get_state(RECORD_PREFIX + connection_id)
        if entry is None:
            await self._index.remove(connection_id)
            return
        try:
            record = decode_record(entry.value)
        except RecordVersionError as error:  # its own program may come back
            _log.error("connection not restored", connection_id=connection_id, error=str(error))
            self.unreadable[connection_id] = error.message
            return
        except msgspec.DecodeError as error:
            _log.error("record cannot be read", connection_id=connection_id, error=str(error))
            await self._index.remove(connection_id)
            return
        try:
            managed = self._revive(record, entry.value)
        except VirtufinError as error:
            await self._drop(record, str(error))
            return
        if record.publish is not None:
            wanted = record.publish
            options = publish_options(wanted.encoding, wanted.overflow, wanted.markers)
            try:
                await self.start_publish(connection_id, wanted.topic, options)
            except NotFoundError:  # calls are taken already: it was ended meanwhile
                return
        self._spawn(self._reopen(managed), "reopen")

    def _revive(self, record: ConnectionRecord, stored: bytes) -> ManagedConnection:
        if not record.auto_reconnect:
            raise PreconditionError("opened without auto_reconnect")
        if not record.restorable:
            raise PreconditionError(
                "a message of its handshake or the query of its url was in memory only",
                hint='send keys as references, with "secrets": true',
            )
        mark = self._hub.recovered(record.id)
        if mark is not None and mark.sequence > record.last_sequence:
            record = msgspec.structs.replace(
                record, last_sequence=mark.sequence, last_received_ns=mark.received_ns
            )
        spec = ConnectionSpec(
            id=record.id,
            url=record.url,
            auto_reconnect=True,
            connector=self._connectors.choose(record.connector, record.url),
            options=record.options,
            owner=record.owner,
        )
        keeper = RecordKeeper(
            self._bus,
            self._environment.clock,
            msgspec.structs.replace(record, instance_id=self._instance_id, holder=self._hub.holder),
            stored=stored,
        )
        return self._manage(spec, keeper, record.messages())

    async def _reopen(self, managed: ManagedConnection) -> None:
        with contextlib.suppress(VirtufinError):  # its state and a lifecycle event say it
            await managed.connection.start()

    async def _drop(self, record: ConnectionRecord, reason: str) -> None:
        """Forget a connection that cannot be restored, and say so."""
        self._environment.observer.connection_changed(
            ConnectionEvent(
                kind=State.DISCONNECTED,
                connection_id=record.id,
                url=record.url,
                owner=record.owner,
                epoch=record.epoch,
                reason=f"not restored after a restart: {reason}",
            )
        )
        await self._bus.delete_state(RECORD_PREFIX + record.id)
        await self._index.remove(record.id)

    async def _change_topic(self, managed: ManagedConnection, topic: str, options: PublishOptions) -> None:
        connection, current = self.get(managed.id).connection, managed.publisher
        if connection.state in {State.FAILED, State.DISCONNECTED}:
            raise PreconditionError(
                f"connection {managed.id} is {connection.state}: {connection.reason}",
                hint="create it anew",
            )
        if current is not None and current.topic == topic and current.options == options:
            return
        self._hub.require_free(topic, options, managed.id)
        if current is not None:
            current.detach(managed)
            managed.unpublish()
            connection.unpublish(hold=True)
        publisher = self._hub.publisher(topic, options, managed.id)
        if publisher is None:  # the same topic in another way: what is queued goes out in the old one first
            publisher = await self._after_flush(managed, topic, options)
        managed.publish_to(publisher)
        await managed.keeper.written(RECORD_SECONDS)

    async def _after_flush(
        self, managed: ManagedConnection, topic: str, options: PublishOptions
    ) -> TopicPublisher:
        """Wait for the topic's publishers to end, then return a new one; go back to an old one in vain."""
        old = self._hub.running(topic)
        await asyncio.gather(*(each.finished(FLUSH_SECONDS) for each in old))
        self.get(managed.id)  # gone meanwhile: nothing may come of it; one that failed has frames to publish
        publisher = self._hub.publisher(topic, options, managed.id)
        if publisher is not None:
            return publisher
        left = self._hub.running(topic)
        going_back = self._hub.publisher(topic, left[0].options, managed.id)
        assert going_back is not None  # noqa: S101 - these are its options
        managed.publish_to(going_back)
        raise UnavailableError(
            f"topic {topic!r} still has {sum(each.queued_bytes for each in left)} bytes to publish as "
            f"{left[0].options.encoding}",
            hint="the bus is slow or down: try again when it has caught up",
        )

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
