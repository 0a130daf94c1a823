"""The API gateway as a service: its parts, and their start and stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from virtufin_examples._generated.virtufin.v1 import (
    config_pb2_grpc,
    gateway_pb2_grpc,
    pubsub_pb2_grpc,
    state_pb2_grpc,
)
from virtufin_examples.bus import Bus
from virtufin_examples.gateway._config_servicer import ConfigServicer
from virtufin_examples.gateway._entry import ServiceEntry
from virtufin_examples.gateway._fanout import Fanout
from virtufin_examples.gateway._gateway_servicer import GatewayServicer
from virtufin_examples.gateway._metrics import GatewayMetrics
from virtufin_examples.gateway._own import OwnServices
from virtufin_examples.gateway._proxy import Proxy
from virtufin_examples.gateway._pubsub_servicer import PubsubServicer
from virtufin_examples.gateway._registry import Registry
from virtufin_examples.gateway._rest import DOCS_PATH, RestApi
from virtufin_examples.gateway._retry import RetryRule
from virtufin_examples.gateway._services_watch import ServicesWatch
from virtufin_examples.gateway._state_servicer import StateServicer
from virtufin_examples.service import Addresses, Chassis, GrpcService
from virtufin_examples.settings import PlatformSettings


class GatewayService:
    """The gateway on `bus`, which stays the caller's to close.

    `services` are the back ends where `settings.services_file` names no file. `dapr_grpc` (`host:port`) and
    `dapr_http` are the sidecar that subscribers on this machine may use, told by Config; empty: none.
    """

    def __init__(
        self,
        settings: PlatformSettings,
        *,
        bus: Bus,
        services: Sequence[ServiceEntry] = (),
        dapr_grpc: str = "",
        dapr_http: str = "",
    ) -> None:
        keys = settings.accepted_keys
        self._registry = Registry(
            api_key=keys[0] if keys else "",
            breaker_threshold=settings.gateway_circuit_breaker_threshold,
            breaker_duration_seconds=settings.gateway_circuit_breaker_duration_seconds,
            retire_seconds=settings.gateway_timeout_seconds,
        )
        self._services = tuple(services)
        self._watch = (
            ServicesWatch(settings.services_file, self._registry.replace) if settings.services_file else None
        )
        self._watching: asyncio.Task[None] | None = None
        prometheus = CollectorRegistry()
        metrics = GatewayMetrics(prometheus)
        self._fanout = Fanout(bus, metrics)
        proxy = Proxy(
            self._registry,
            retry=RetryRule(settings.gateway_retry_attempts, settings.gateway_retry_base_delay_ms / 1000),
            timeout_seconds=settings.gateway_timeout_seconds,
            metrics=metrics,
        )
        gateway = GatewayServicer(proxy, self._registry)
        pubsub = PubsubServicer(bus, self._fanout)
        state = StateServicer(bus)
        config = ConfigServicer(
            self._registry,
            pubsub_name=settings.pubsub_name,
            state_store_name=settings.state_store_name,
            dapr_grpc=dapr_grpc,
            dapr_http=dapr_http if not dapr_http or "://" in dapr_http else f"http://{dapr_http}",
        )
        own = OwnServices(
            {
                "virtufin.v1.Gateway": gateway,
                "virtufin.v1.Pubsub": pubsub,
                "virtufin.v1.State": state,
                "virtufin.v1.Config": config,
            }
        )
        rest = RestApi(bus=bus, proxy=proxy, registry=self._registry, own=own, keys_are_on=bool(keys))
        self._chassis = Chassis(
            "gateway",
            [
                GrpcService("virtufin.v1.Gateway", gateway_pb2_grpc.add_GatewayServicer_to_server, gateway),
                GrpcService("virtufin.v1.Pubsub", pubsub_pb2_grpc.add_PubsubServicer_to_server, pubsub),
                GrpcService("virtufin.v1.State", state_pb2_grpc.add_StateServicer_to_server, state),
                GrpcService("virtufin.v1.Config", config_pb2_grpc.add_ConfigServicer_to_server, config),
            ],
            host=settings.host,
            grpc_port=settings.gateway_grpc_port,
            http_port=settings.gateway_http_port,
            grpc_port_setting="VIRTUFIN_GATEWAY_GRPC_PORT",
            http_port_setting="VIRTUFIN_GATEWAY_HTTP_PORT",
            api_keys=keys,
            routes=rest.routes(),
            open_paths=(DOCS_PATH,),
            registry=prometheus,
        )

    async def start(self) -> Addresses:
        """Listen; nothing is connected before the first call.

        Raises `InvalidInputError` for a broken services.json, `UnavailableError` for a port that is taken.
        """
        if self._watch is None:
            self._registry.replace(self._services)
        else:
            self._watch.load()
        addresses = await self._chassis.start()
        host, _, port = addresses.grpc.rpartition(":")
        self._registry.set_own(ServiceEntry(name="gateway", host=host.strip("[]"), port=int(port)))
        if self._watch is not None:
            self._watching = asyncio.create_task(self._watch.run(), name="services-watch")
        return addresses

    async def stop(self) -> None:
        """End the streams, let calls in flight end, close the connections to the back ends."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        await self._fanout.close()
        await self._chassis.stop()
        await self._registry.close()

    def set_services(self, services: Sequence[ServiceEntry]) -> None:
        """Exchange the back ends; those that are the same keep their connections."""
        self._registry.replace(services)
