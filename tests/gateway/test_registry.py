"""Exchanging back ends while calls are in flight."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from tests.gateway.backend import FakeWebSocketManager, ServedBackend
from tests.gateway.conftest import channel_to, served_gateway
from virtufin_examples._generated.virtufin.v1 import gateway_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import gateway_pb2_grpc
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.gateway import ServiceEntry
from virtufin_examples.gateway._registry import Registry


def registry() -> Registry:
    return Registry(api_key="", breaker_threshold=1, breaker_duration_seconds=1, retire_seconds=1)


def entry(name: str, port: int = 1) -> ServiceEntry:
    return ServiceEntry(name=name, host="127.0.0.1", port=port)


async def test_what_stays_the_same_is_kept() -> None:
    backends = registry()
    backends.replace([entry("a"), entry("b")])
    a, b = backends.find("a"), backends.find("b")
    backends.replace([entry("b", 2), entry("a")])
    assert backends.find("a") is a
    assert backends.find("b") is not b
    assert [backend.entry.name for backend in backends.backends] == ["b", "a"]
    backends.replace([])
    with pytest.raises(InvalidInputError, match="there are no services"):
        backends.find("a")
    await backends.close()


async def test_the_gateways_own_name_gives_way_to_a_back_end() -> None:
    backends = registry()
    backends.set_own(entry("gateway", 1))
    assert backends.find("gateway").entry.port == 1
    assert backends.backends == ()
    backends.replace([entry("gateway", 2)])
    assert backends.find("gateway").entry.port == 2
    await backends.close()


async def test_a_call_in_flight_to_a_removed_back_end_ends_well(bus: DaprBus, backend: ServedBackend) -> None:
    backend.servicer.hang = asyncio.Event()
    other = ServedBackend(FakeWebSocketManager())
    await other.start()
    try:
        async with (
            served_gateway(bus, [backend.entry]) as (service, addresses),
            channel_to(addresses.grpc) as channel,
        ):
            stub = gateway_pb2_grpc.GatewayStub(channel)
            request = pb.InvokeJsonRequest(service="websocketmanager", method="List")
            call = stub.InvokeJson(request)
            async with asyncio.timeout(5):
                while not backend.servicer.requests:  # noqa: ASYNC110 - the call has no event of its own
                    await asyncio.sleep(0.01)
            service.set_services([other.entry])
            assert (await stub.InvokeJson(request)).success
            assert len(other.servicer.requests) == 1
            backend.servicer.hang.set()
            assert (await call).success
    finally:
        await other.stop()


async def test_a_cancelled_call_is_cancelled_at_the_back_end_and_counts_for_nothing(
    bus: DaprBus, backend: ServedBackend
) -> None:
    backend.servicer.hang = asyncio.Event()
    async with (
        served_gateway(bus, [backend.entry], gateway_circuit_breaker_threshold=1) as (_, addresses),
        channel_to(addresses.grpc) as channel,
    ):
        stub = gateway_pb2_grpc.GatewayStub(channel)
        request = pb.InvokeJsonRequest(service="websocketmanager", method="List")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.InvokeJson(request, timeout=0.3)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        backend.servicer.hang.set()
        assert (await stub.InvokeJson(request)).success
