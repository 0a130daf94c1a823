"""The chassis over real sockets: keys, errors, health, reflection, metrics, ports, stopping."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Self

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from virtufin_examples._generated.virtufin.v1 import pubsub_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import pubsub_pb2_grpc
from virtufin_examples.errors import ERRORS_BY_CODE, UnavailableError, WorkerError
from virtufin_examples.service import MAX_MESSAGE_BYTES, Addresses, Chassis, GrpcService, Readiness

NAME = "virtufin.v1.Pubsub"


class Echo(pubsub_pb2_grpc.PubsubServicer):
    def __init__(self) -> None:
        self.error: Exception | None = None
        self.released = asyncio.Event()
        self.entered = asyncio.Event()
        self.left = asyncio.Event()

    async def PublishEvent(self, request, context):  # noqa: N802
        if self.error is not None:
            raise self.error
        if request.topic == "wait":
            self.entered.set()
            await self.released.wait()
        return pb.PublishEventResponse(message=request.topic)

    async def Subscribe(self, request, context):  # noqa: N802
        try:
            yield pb.SubscribeResponse(topic="first")
            if self.error is not None:
                raise self.error
            await self.released.wait()
        finally:
            self.left.set()


class Served:
    def __init__(self, **options) -> None:
        self.echo = Echo()
        add = pubsub_pb2_grpc.add_PubsubServicer_to_server
        self.chassis = Chassis("echo", [GrpcService(NAME, add, self.echo)], **options)
        self.addresses: Addresses | None = None
        self.channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        self.addresses = await self.chassis.start()
        limits = [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ]
        self.channel = grpc.aio.insecure_channel(self.addresses.grpc, options=limits)
        return self

    async def __aexit__(self, *error) -> None:
        await self.channel.close()
        await self.chassis.stop()

    @property
    def stub(self) -> pubsub_pb2_grpc.PubsubStub:
        return pubsub_pb2_grpc.PubsubStub(self.channel)

    async def get(self, path: str, **options) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://{self.addresses.http}{path}", **options)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with Served() as served:
        yield served


@pytest.mark.parametrize("error", sorted(ERRORS_BY_CODE.values(), key=lambda cls: cls.code))
async def test_an_error_keeps_its_code_and_hint(served: Served, error: type) -> None:
    served.echo.error = error("field x is 'y'", hint="make it z")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.PublishEvent(pb.PublishEventRequest())
    assert caught.value.code().name == error.code
    assert caught.value.details() == "field x is 'y' (make it z)"


async def test_an_unexpected_error_is_internal_and_tells_no_details(served: Served) -> None:
    for error in (ValueError("secret"), WorkerError("told")):
        served.echo.error = error
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.stub.PublishEvent(pb.PublishEventRequest())
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert "secret" not in caught.value.details()


async def test_an_error_in_a_stream_comes_after_what_was_sent(served: Served) -> None:
    served.echo.error = UnavailableError("gone")
    stream = served.stub.Subscribe(pb.SubscribeRequest())
    assert (await stream.read()).topic == "first"
    with pytest.raises(grpc.aio.AioRpcError, match="gone") as caught:
        await stream.read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_cancelled_stream_runs_its_clean_up(served: Served) -> None:
    stream = served.stub.Subscribe(pb.SubscribeRequest())
    await stream.read()
    stream.cancel()
    await asyncio.wait_for(served.echo.left.wait(), 5)


async def test_a_message_of_fifteen_megabytes_passes(served: Served) -> None:
    topic = "x" * 15_000_000
    assert (await served.stub.PublishEvent(pb.PublishEventRequest(topic=topic))).message == topic


async def test_health_answers_for_the_server_and_each_service_and_can_be_watched(served: Served) -> None:
    health = health_pb2_grpc.HealthStub(served.channel)
    for name in ("", NAME):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watch = health.Watch(health_pb2.HealthCheckRequest(service=NAME))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


async def reflected(channel: grpc.aio.Channel, **options) -> set[str]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = stub.ServerReflectionInfo(iter([request]), **options)
    answer = await call.read()
    return {service.name for service in answer.list_services_response.service}


async def test_reflection_names_the_services(served: Served) -> None:
    assert await reflected(served.channel) >= {NAME, "grpc.health.v1.Health"}


async def test_without_an_accepted_key_only_health_answers() -> None:
    async def page(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    routes = [Route(path, page) for path in ("/page", "/open", "/healthy")]
    async with Served(api_keys=("one", "two"), routes=routes, open_paths=("/open",)) as served:
        health = health_pb2_grpc.HealthStub(served.channel)
        await health.Check(health_pb2.HealthCheckRequest())
        for metadata in ((), (("x-api-key", "three"),), (("x-api-key", ""),)):
            calls = (
                served.stub.PublishEvent(pb.PublishEventRequest(), metadata=metadata),
                served.stub.Subscribe(pb.SubscribeRequest(), metadata=metadata).read(),
                reflected(served.channel, metadata=metadata),
            )
            for call in calls:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
                assert "VIRTUFIN_API_KEY" in caught.value.details()
        for key in ("one", "two"):
            await served.stub.PublishEvent(pb.PublishEventRequest(), metadata=(("x-api-key", key),))
            assert (await served.get("/page", headers={"x-api-key": key})).text == "here"
        for path in ("/page", "/metrics", "/healthy", "/nothing", "/open/more"):
            for headers in ({}, {"x-api-key": "three"}, {"content-type": "application/grpc"}):
                answer = await served.get(path, headers=headers)
                assert answer.status_code == 401
                assert answer.json()["error"] == "UNAUTHENTICATED"
        for path in ("/health/live", "/health/ready", "/open"):
            assert (await served.get(path)).status_code == 200


async def test_http_tells_liveness_readiness_and_metrics() -> None:
    state = Readiness(ready=False, checks={"bus": "down"})
    async with Served(readiness=lambda: state) as served:
        Counter("frames", "Frames.", registry=served.chassis.registry).inc(3)
        assert (await served.get("/health/live")).json() == {"status": "live", "service": "echo"}
        answer = await served.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "checks": {"bus": "down"}}
        state = Readiness(ready=True, checks={})
        assert (await served.get("/health/ready")).status_code == 200
        assert "frames_total 3.0" in (await served.get("/metrics")).text


@pytest.mark.parametrize("kind", ["grpc", "http"])
@pytest.mark.parametrize("listening", [True, False])
async def test_a_taken_port_is_named_with_its_setting_and_nothing_stays_open(
    kind: str, listening: bool, capfd: pytest.CaptureFixture
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if listening:
            taken.listen()
        port = taken.getsockname()[1]
        chassis = Chassis(
            "echo",
            [],
            grpc_port_setting="X_GRPC_PORT",
            http_port_setting="X_HTTP_PORT",
            **{f"{kind}_port": port},
        )
        with pytest.raises(UnavailableError, match=f"{port} on 127.0.0.1 is taken") as caught:
            await chassis.start()
        assert caught.value.hint.startswith(f"set X_{kind.upper()}_PORT to")
        await chassis.stop()
        assert capfd.readouterr().err == ""  # gRPC would print its own


@pytest.mark.parametrize("host", ["999.1.1.1", "192.0.2.1", "a..b"])
async def test_an_address_that_is_not_ours_is_not_called_taken(host: str) -> None:
    chassis = Chassis("echo", [], host=host, grpc_port_setting="X_GRPC_PORT", http_port_setting="X_HTTP_PORT")
    with pytest.raises(UnavailableError, match=f"{host} is no address of this machine") as caught:
        await chassis.start()
    assert caught.value.hint.startswith("set VIRTUFIN_HOST to")
    await chassis.stop()


async def test_stop_lets_a_call_in_flight_end(served: Served) -> None:
    call = asyncio.ensure_future(served.stub.PublishEvent(pb.PublishEventRequest(topic="wait")))
    await served.echo.entered.wait()
    stopping = asyncio.create_task(served.chassis.stop())
    await asyncio.sleep(0)
    served.echo.released.set()
    assert (await call).message == "wait"
    await stopping
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.PublishEvent(pb.PublishEventRequest())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_addresses_of_ipv6_are_bracketed() -> None:
    assert Chassis("echo", [], host="::1")._address(80) == "[::1]:80"
