"""A gateway on the embedded runtime with one real back end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
import pytest

from tests.gateway.backend import FakeWebSocketManager, ServedBackend
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.bus.embedded import EmbeddedRuntime
from virtufin_examples.gateway import GatewayService
from virtufin_examples.service import Addresses
from virtufin_examples.settings import PlatformSettings


def settings(**values) -> PlatformSettings:
    """Free ports, short waits, nothing from the environment."""
    defaults = {
        "gateway_grpc_port": 0,
        "gateway_http_port": 0,
        "gateway_retry_base_delay_ms": 10,
        "gateway_timeout_seconds": 10,
    }
    return PlatformSettings(_env_file=None, **{**defaults, **values})


@asynccontextmanager
async def served_gateway(
    bus: DaprBus, services=(), **values
) -> AsyncIterator[tuple[GatewayService, Addresses]]:
    dapr = {name: values.pop(name) for name in ("dapr_grpc", "dapr_http") if name in values}
    service = GatewayService(settings(**values), bus=bus, services=services, **dapr)
    addresses = await service.start()
    try:
        yield service, addresses
    finally:
        await service.stop()


@asynccontextmanager
async def channel_to(target: str) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield channel


@pytest.fixture
async def bus() -> AsyncIterator[DaprBus]:
    runtime = EmbeddedRuntime()
    addresses = await runtime.start()
    bus = DaprBus(target=addresses.grpc, app_id="virtufin-api")
    try:
        yield bus
    finally:
        await bus.close()
        await runtime.stop()


@pytest.fixture
async def backend() -> AsyncIterator[ServedBackend]:
    served = ServedBackend(FakeWebSocketManager())
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def gateway(bus: DaprBus, backend: ServedBackend) -> AsyncIterator[Addresses]:
    async with served_gateway(bus, [backend.entry]) as (_, addresses):
        yield addresses


@pytest.fixture
async def channel(gateway: Addresses) -> AsyncIterator[grpc.aio.Channel]:
    async with channel_to(gateway.grpc) as channel:
        yield channel
