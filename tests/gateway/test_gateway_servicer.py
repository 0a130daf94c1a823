"""The Gateway service over real gRPC to a real back end."""

from __future__ import annotations

import json

import grpc
import pytest

from tests.gateway.backend import ServedBackend
from tests.gateway.conftest import channel_to, served_gateway
from virtufin_examples._generated.virtufin.v1 import gateway_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import gateway_pb2_grpc, pubsub_pb2_grpc
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as sockets
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.gateway import ServiceEntry


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> gateway_pb2_grpc.GatewayStub:
    return gateway_pb2_grpc.GatewayStub(channel)


async def invoke_json(stub, method: str, request: str = "{}", service: str = "websocketmanager", **options):
    return await stub.InvokeJson(
        pb.InvokeJsonRequest(service=service, method=method, request_data=request), **options
    )


async def test_invoke_json_answers_every_field_in_snake_case(stub) -> None:
    answer = await invoke_json(stub, "List")
    assert (answer.success, answer.status, answer.message) == (True, "OK", "")
    (connection,) = json.loads(answer.response_data)["connections"]
    assert connection["id"] == "c-1"
    assert connection["last_sequence"] == str(2**60)
    assert connection["tags"] == {"run": "r"}
    assert connection["auto_reconnect"] is False
    assert connection["reason"] == ""


@pytest.mark.parametrize("name", ["auto_reconnect", "autoReconnect"])
async def test_invoke_json_reads_both_casings(stub, backend: ServedBackend, name: str) -> None:
    await invoke_json(stub, "Connect", json.dumps({"url": "ws://x", name: True}))
    assert backend.servicer.requests == [sockets.ConnectRequest(url="ws://x", auto_reconnect=True)]


async def test_an_empty_request_is_an_empty_message(stub, backend: ServedBackend) -> None:
    assert (await invoke_json(stub, "List", "")).success
    assert backend.servicer.requests == [sockets.ListConnectionsRequest()]


async def test_invoke_carries_bytes(stub) -> None:
    request = sockets.ConnectRequest(url="ws://x").SerializeToString()
    answer = await stub.Invoke(
        pb.InvokeRequest(service="websocketmanager", method="Connect", request_data=request)
    )
    assert answer.success
    assert sockets.ConnectResponse.FromString(answer.response_data).id == "c-1"


@pytest.mark.parametrize(
    "method",
    [
        "List",
        "virtufin.v1.WebSocketManager/List",
        "/virtufin.v1.WebSocketManager/List",
        "virtufin.v1.WebSocketManager.List",
        "WebSocketManager/List",
        "WebSocketManager.List",
    ],
)
async def test_every_spelling_of_a_method_is_understood(stub, method: str) -> None:
    assert (await invoke_json(stub, method)).success


async def test_a_back_ends_error_is_its_status_and_details(stub) -> None:
    answer = await invoke_json(stub, "Disconnect", '{"id": "x"}')
    assert (answer.success, answer.status) == (False, "NOT_FOUND")
    assert answer.message == "no connection 'x' (List names them)"
    assert answer.response_data == ""


@pytest.mark.parametrize(
    ("service", "method", "request_data", "status", "details"),
    [
        ("websocketmanger", "List", "{}", "INVALID_ARGUMENT", "did you mean websocketmanager?"),
        ("WebSocketManager", "List", "{}", "INVALID_ARGUMENT", "did you mean websocketmanager?"),
        ("websocketmanager", "Lst", "{}", "NOT_FOUND", "did you mean List"),
        ("websocketmanager", "a.B/List", "{}", "NOT_FOUND", "virtufin.v1.WebSocketManager/List"),
        ("websocketmanager", "Connect", "{", "INVALID_ARGUMENT", "request_data does not fit"),
        ("websocketmanager", "Connect", '{"urll": 1}', "INVALID_ARGUMENT", "did you mean url?"),
        ("websocketmanager", "Connect", '{"url": 1}', "INVALID_ARGUMENT", "url"),
        ("websocketmanager", "SendRaw", '{"message": "?"}', "INVALID_ARGUMENT", "message"),
        ("gateway", "ListServices", "{}", "INVALID_ARGUMENT", "ambiguous"),
        ("gateway", "Subscribe", "{}", "UNIMPLEMENTED", "streaming"),
    ],
)
async def test_what_is_wrong_with_a_call_is_refused(
    stub, backend: ServedBackend, service: str, method: str, request_data: str, status: str, details: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await invoke_json(stub, method, request_data, service)
    assert caught.value.code().name == status
    assert details in caught.value.details()
    assert backend.servicer.requests == []


async def test_only_trace_and_correlation_reach_the_back_end_and_the_callers_key_never(bus: DaprBus) -> None:
    from tests.gateway.backend import FakeWebSocketManager

    backend = ServedBackend(FakeWebSocketManager(), api_keys=["first-key", "second-key"])
    await backend.start()
    headers = (
        ("x-api-key", "second-key"),
        ("traceparent", "00-1-2-01"),
        ("x-correlation-id", "corr"),
        ("cookie", "secret"),
        ("authorization", "Bearer secret"),
    )
    try:
        async with (
            served_gateway(bus, [backend.entry], api_keys="first-key,second-key") as (_, addresses),
            channel_to(addresses.grpc) as channel,
        ):
            stub = gateway_pb2_grpc.GatewayStub(channel)
            assert (await invoke_json(stub, "List", metadata=headers)).success
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await invoke_json(stub, "List")
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    finally:
        await backend.stop()
    (seen,) = backend.servicer.metadata
    seen.pop("user-agent")
    assert seen == {"traceparent": "00-1-2-01", "x-correlation-id": "corr", "x-api-key": "first-key"}


async def test_lists_services_and_methods(stub) -> None:
    services = await stub.ListServices(pb.ListServicesRequest())
    assert list(services.services) == ["websocketmanager"]
    answer = await stub.ListMethods(pb.ListMethodsRequest(service="websocketmanager"))
    methods = {method.name: method for method in answer.methods}
    assert methods["List"] == pb.MethodInfo(
        name="List",
        full_name="virtufin.v1.WebSocketManager/List",
        input_type="virtufin.v1.ListConnectionsRequest",
        output_type="virtufin.v1.ListConnectionsResponse",
    )
    assert "Check" not in methods
    assert "ServerReflectionInfo" not in methods


async def test_tells_the_gateways_own_methods_and_which_stream(stub) -> None:
    answer = await stub.ListMethods(pb.ListMethodsRequest(service="gateway"))
    streams = [method.full_name for method in answer.methods if method.is_server_streaming]
    assert streams == ["virtufin.v1.Pubsub/Subscribe"]


async def test_tells_the_fields_of_a_method(stub) -> None:
    answer = await stub.GetMethodSchema(
        pb.GetMethodSchemaRequest(service="websocketmanager", method="SendRaw")
    )
    schema = answer.schema
    assert (schema.input_type_name, schema.schema_type) == ("virtufin.v1.SendRawRequest", "input")
    fields = {field.name: field for field in schema.fields}
    assert fields["message"] == pb.FieldSchema(name="message", type="bytes")
    assert fields["replay"].is_optional
    assert fields["replay"].oneof_group == ""
    answer = await stub.GetMethodSchema(
        pb.GetMethodSchemaRequest(service="websocketmanager", method="List", type="output")
    )
    assert answer.schema.fields[0] == pb.FieldSchema(
        name="connections", type="message", type_name="virtufin.v1.WebSocketConnection", is_repeated=True
    )
    with pytest.raises(grpc.aio.AioRpcError, match="type is 'protobuf'"):
        await stub.GetMethodSchema(
            pb.GetMethodSchemaRequest(service="websocketmanager", method="List", type="protobuf")
        )


async def test_maps_and_oneofs_are_told_as_such(stub) -> None:
    answer = await stub.GetMethodSchema(
        pb.GetMethodSchemaRequest(service="gateway", method="PublishEvent", type="input")
    )
    assert [field.type_name for field in answer.schema.fields][1] == "io.cloudevents.v1.CloudEvent"
    answer = await stub.GetMethodSchema(
        pb.GetMethodSchemaRequest(service="websocketmanager", method="Connect")
    )
    fields = {field.name: field for field in answer.schema.fields}
    assert fields["tags"] == pb.FieldSchema(name="tags", type="map", type_name="map<string, string>")


async def test_a_redeployed_back_end_is_asked_for_its_methods_again(stub, backend: ServedBackend) -> None:
    assert (await invoke_json(stub, "List")).success
    await backend.stop()
    backend.serve_instead(
        "virtufin.v1.Pubsub", pubsub_pb2_grpc.add_PubsubServicer_to_server, pubsub_pb2_grpc.PubsubServicer()
    )
    await backend.start()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await invoke_json(stub, "List")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    methods = await stub.ListMethods(pb.ListMethodsRequest(service="websocketmanager"))
    assert {method.name for method in methods.methods} == {"PublishEvent", "Subscribe", "Unsubscribe"}


async def test_unavailable_is_tried_again_and_other_errors_are_not(stub, backend: ServedBackend) -> None:
    backend.servicer.fail = [grpc.StatusCode.UNAVAILABLE] * 3
    assert (await invoke_json(stub, "List")).success
    assert len(backend.servicer.requests) == 4
    backend.servicer.fail = [grpc.StatusCode.INTERNAL]
    assert (await invoke_json(stub, "List")).status == "INTERNAL"
    assert len(backend.servicer.requests) == 5


async def test_an_unimplemented_method_is_asked_for_once_more_and_reported(
    stub, backend: ServedBackend
) -> None:
    await invoke_json(stub, "List")
    backend.servicer.fail = [grpc.StatusCode.UNIMPLEMENTED] * 2
    answer = await invoke_json(stub, "List")
    assert (answer.success, answer.status, answer.message) == (False, "UNIMPLEMENTED", "as told")


async def test_a_dead_back_end_is_unavailable_and_then_not_called(bus: DaprBus, unused_tcp_port: int) -> None:
    dead = ServiceEntry(name="dead", host="127.0.0.1", port=unused_tcp_port)
    async with (
        served_gateway(bus, [dead], gateway_retry_attempts=0, gateway_circuit_breaker_threshold=2) as (_, at),
        channel_to(at.grpc) as channel,
    ):
        stub = gateway_pb2_grpc.GatewayStub(channel)
        for _ in range(2):
            answer = await invoke_json(stub, "List", service="dead")
            assert (answer.success, answer.status) == (False, "UNAVAILABLE")
        answer = await invoke_json(stub, "List", service="dead")
        assert answer.status == "UNAVAILABLE"
        assert f"back end 'dead' at 127.0.0.1:{unused_tcp_port} keeps failing" in answer.message
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ListMethods(pb.ListMethodsRequest(service="dead"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_back_end_that_hangs_is_left_at_the_deadline(bus: DaprBus, backend: ServedBackend) -> None:
    import asyncio

    backend.servicer.hang = asyncio.Event()
    async with (
        served_gateway(bus, [backend.entry], gateway_timeout_seconds=0.3) as (_, at),
        channel_to(at.grpc) as channel,
    ):
        answer = await invoke_json(gateway_pb2_grpc.GatewayStub(channel), "List")
    backend.servicer.hang.set()
    assert answer.status == "DEADLINE_EXCEEDED"
    assert "no answer within the deadline" in answer.message


async def test_a_worker_reaches_the_gateways_own_services_by_name(stub) -> None:
    answer = await invoke_json(stub, "SaveState", '{"key": "k", "value": "dg=="}', service="gateway")
    assert json.loads(answer.response_data)["status"]["success"] is True
    answer = await invoke_json(stub, "State/GetState", '{"key": "k"}', service="gateway")
    assert json.loads(answer.response_data)["value"] == "dg=="


async def test_a_service_without_reflection_is_a_failed_precondition(bus: DaprBus) -> None:
    entry = ServiceEntry(name="plain", host="127.0.0.1", port=1, reflection_enabled=False)
    async with served_gateway(bus, [entry]) as (_, at), channel_to(at.grpc) as channel:
        answer = await invoke_json(gateway_pb2_grpc.GatewayStub(channel), "List", service="plain")
    assert answer.status == "FAILED_PRECONDITION"
    assert "reflection_enabled" in answer.message
