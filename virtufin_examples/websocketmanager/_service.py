"""The WebSocketManager as a service: its parts put together, started and stopped."""

from __future__ import annotations

import functools
import socket
import uuid

from prometheus_client import CollectorRegistry

from virtufin_examples.bus import Bus
from virtufin_examples.connections import (
    Clock,
    ConnectorRegistry,
    HttpxClient,
    PicowsNetwork,
    Scopes,
    SocketNetwork,
    SystemClock,
)
from virtufin_examples.service import Addresses, Chassis, Readiness
from virtufin_examples.settings import PlatformSettings
from virtufin_examples.websocketmanager._chassis import manager_chassis
from virtufin_examples.websocketmanager._hub import PublisherHub
from virtufin_examples.websocketmanager._index import ConnectionIndex, require_all_shards
from virtufin_examples.websocketmanager._lifecycle import LifecyclePublisher
from virtufin_examples.websocketmanager._manager import ConnectionManager, ManagerEnvironment
from virtufin_examples.websocketmanager._metrics import ManagerCollector, publish_latency
from virtufin_examples.websocketmanager._secrets import BusSecrets
from virtufin_examples.websocketmanager._servicer import WebSocketManagerServicer
from virtufin_examples.websocketmanager._shard import Shard
from virtufin_examples.websocketmanager.spool import Spool, spool_root

_LIFECYCLE_FLUSH_SECONDS = 2.0
_MEGABYTE = 1024 * 1024


class WebSocketManagerService:
    """Managed upstream WebSockets whose frames come out on topics.

    The bus stays the caller's to close. `network`, `clock` and `connectors` are for tests; by default sockets
    are picows', time is the machine's, and connectors are those installed. `shard` tells which one of several
    on this machine it is: what they share, a venue's budgets and the spool's bound, is divided among them.
    """

    def __init__(
        self,
        settings: PlatformSettings,
        *,
        bus: Bus,
        network: SocketNetwork | None = None,
        clock: Clock | None = None,
        connectors: ConnectorRegistry | None = None,
        shard: Shard | None = None,
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._network = network
        self._clock = clock or SystemClock()
        self._connectors = connectors
        self._shard = shard or Shard()
        self._lifecycle: LifecyclePublisher | None = None
        self._manager: ConnectionManager | None = None
        self._chassis: Chassis | None = None

    async def start(self) -> Addresses:
        """Listen, then open what the last process left.

        Raises `UnavailableError` naming the port and its setting when one is taken, and what the bus raises;
        nothing is left running then.
        """
        settings, bus, clock, shard = self._settings, self._bus, self._clock, self._shard
        instance_id = shard.part(settings.instance_id or f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}")
        registry = CollectorRegistry()
        latency = publish_latency(registry)
        hub = PublisherHub(
            bus=bus,
            clock=clock,
            instance=instance_id,
            latency=latency.labels,
            partitions=settings.topic_partitions,
            spool=Spool(
                spool_root(settings.spool_dir, settings.data_dir),
                settings.spool_max_mb * _MEGABYTE // shard.count,
                holder=uuid.uuid4().hex,
                instance=instance_id,
            ),
        )
        self._lifecycle = LifecyclePublisher(bus, instance_id)
        environment = ManagerEnvironment(
            network=self._network or PicowsNetwork(now_ns=clock.now_ns),
            http=HttpxClient(),
            clock=clock,
            secrets=BusSecrets(bus),
            scopes=Scopes(share=shard.count),
            observer=self._lifecycle,
        )
        self._manager = ConnectionManager(
            environment,
            bus=bus,
            hub=hub,
            index=ConnectionIndex(bus, shard.part(settings.instance_id)),
            connectors=self._connectors or ConnectorRegistry.installed(),
            instance_id=instance_id,
            shard=shard,
        )
        registry.register(ManagerCollector(self._manager, hub))
        self._chassis = manager_chassis(
            settings,
            WebSocketManagerServicer(self._manager, instance_id),
            registry=registry,
            readiness=functools.partial(_readiness, hub, self._manager),
        )
        if shard.number == 1:
            await require_all_shards(bus, settings.instance_id, shard)
        addresses = await self._chassis.start()
        try:
            self._lifecycle.start()
            await self._manager.start()
        except BaseException:
            await self.stop()
            raise
        return addresses

    async def stop(self) -> None:
        """Take no more calls, close the sockets with 1001, publish what came in (at most 5 s)."""
        if self._chassis is None or self._manager is None or self._lifecycle is None:
            return
        await self._chassis.stop()
        await self._manager.stop()
        await self._lifecycle.stop(_LIFECYCLE_FLUSH_SECONDS)
        self._chassis = None


def _readiness(hub: PublisherHub, manager: ConnectionManager) -> Readiness:
    checks = {"spool": hub.problem or "ok"}
    if manager.unreadable:
        checks["skipped records"] = ", ".join(f"{name}: {why}" for name, why in manager.unreadable.items())
    return Readiness(ready=True, checks=checks)
