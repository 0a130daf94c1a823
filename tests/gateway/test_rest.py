"""REST over real HTTP to a real back end and the embedded runtime."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import grpc
import httpx
import pytest

from tests.gateway.backend import FakeWebSocketManager, ServedBackend
from tests.gateway.conftest import served_gateway
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as sockets
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.gateway._rest_request import MAX_BODY_BYTES
from virtufin_examples.service import Addresses


@pytest.fixture
async def http(gateway: Addresses) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{gateway.http}", trust_env=False, timeout=10) as client:
        yield client


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_a_route_of_the_table_calls_its_method(http, backend: ServedBackend) -> None:
    answer = await http.post("/v1/connect", json={"url": "ws://x", "autoReconnect": True})
    assert (answer.status_code, answer.json()) == (200, {"id": "c-1", "status": "connected"})
    answer = await http.post("/v1/connections/c-2/sendraw", json={"message": encoded(b"hi")})
    assert (answer.status_code, answer.json()) == (200, {})
    answer = await http.get("/v1/connections?filter=run=1&filter=a=b=c")
    assert answer.json()["connections"][0]["last_sequence"] == str(2**60)
    answer = await http.post("/v1/connections/c-1/tags/run", json={"value": "v"})
    assert answer.status_code == 200
    assert backend.servicer.requests == [
        sockets.ConnectRequest(url="ws://x", auto_reconnect=True),
        sockets.SendRawRequest(id="c-2", message=b"hi"),
        sockets.ListConnectionsRequest(
            filters=[
                sockets.ConnectionTagFilter(key="run", value="1"),
                sockets.ConnectionTagFilter(key="a", value="b=c"),
            ]
        ),
        sockets.SetConnectionTagRequest(id="c-1", key="run", value="v"),
    ]


@pytest.mark.parametrize(
    ("verb", "path", "status", "error"),
    [("GET", "/v1/nonsense", 404, "NOT_FOUND"), ("DELETE", "/v1/connect", 405, "UNIMPLEMENTED")],
)
async def test_what_no_route_takes_is_answered_as_json(http, verb, path, status, error) -> None:
    answer = await http.request(verb, path)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["message"].endswith(f": {verb} {path}")


async def test_a_back_ends_error_is_the_http_status_that_stands_for_it(http, backend: ServedBackend) -> None:
    answer = await http.delete("/v1/connections/x")
    assert answer.status_code == 404
    assert answer.json() == {"error": "NOT_FOUND", "message": "no connection 'x' (List names them)"}
    for code, status in (
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.ABORTED, 409),
        (grpc.StatusCode.INTERNAL, 500),
        (grpc.StatusCode.DATA_LOSS, 500),
    ):
        backend.servicer.fail = [code]
        assert (await http.get("/v1/connections")).status_code == status


@pytest.mark.parametrize(
    ("verb", "path", "content", "status", "message"),
    [
        ("POST", "/v1/connect", "{\n,", 400, "line 2, column 1"),
        ("POST", "/v1/connect", "[]", 400, "the body is list"),
        ("POST", "/v1/connect", b"\xff", 400, "not UTF-8"),
        ("POST", "/v1/connect", '{"urls": 1}', 400, "did you mean url?"),
        ("POST", "/v1/connections/a/publish", '{"id": "b"}', 400, "'b' in the body and 'a' in the URL"),
        ("POST", "/v1/connections/a/sendraw", '{"message": "?"}', 400, "message is not base64"),
        ("POST", "/v1/connections/a/sendraw?secrets=yes", "", 400, "give true or false"),
        ("GET", "/v1/connections?filter=x", "", 400, "give key=value"),
        ("GET", "/v1/connections?nothing=x", "", 400, "nothing"),
        ("GET", "/v1/config/get-service?name=a&name=b", "", 400, "given twice"),
        ("GET", "/v1/config/get-service?name=a", "", 404, "services: websocketmanager"),
        ("GET", "/v1/workers", "", 400, "service is 'workmanager'"),
        (
            "GET",
            "/v1/gateway/list-methods?service=websocketmanger",
            "",
            400,
            "did you mean websocketmanager?",
        ),
        ("POST", "/v1/pubsub/t", "{}", 400, "the body has the fields []"),
        ("POST", "/v1/pubsub/t", '{"data": "?"}', 400, "no base64"),
        ("POST", "/v1/pubsub/t?ttl_seconds=-1", '{"data": ""}', 400, "ttl_seconds is '-1'"),
        ("POST", "/v1/grpc/call", '{"service": "x"}', 400, "method is None"),
        ("POST", "/v1/grpc/call", '{"service": "x", "method": "y", "request": 1}', 400, "request is int"),
    ],
)
async def test_bad_input_is_refused_with_the_fix(
    http, backend: ServedBackend, verb: str, path: str, content, status: int, message: str
) -> None:
    answer = await http.request(verb, path, content=content)
    assert answer.status_code == status
    assert message in answer.json()["message"]
    assert backend.servicer.requests == []


async def test_a_body_without_end_is_refused(http) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 1_000_000 + 2):
            yield b" " * 1_000_000

    answer = await http.post("/v1/connect", content=body())
    assert answer.status_code == 429
    assert answer.json()["error"] == "RESOURCE_EXHAUSTED"


async def test_the_gateways_own_methods(http) -> None:
    assert (await http.get("/v1/gateway/list-services")).json() == {"services": ["websocketmanager"]}
    methods = (await http.get("/v1/gateway/list-methods?service=websocketmanager")).json()["methods"]
    assert "virtufin.v1.WebSocketManager/List" in {method["full_name"] for method in methods}
    call = {"service": "websocketmanager", "method": "List", "request_data": "{}"}
    answer = (await http.post("/v1/gateway/invoke-json", json=call)).json()
    assert answer["success"] is True
    assert json.loads(answer["response_data"])["connections"][0]["id"] == "c-1"
    call["request_data"] = encoded(b"")
    answer = (await http.post("/v1/gateway/invoke", json=call)).json()
    reply = sockets.ListConnectionsResponse.FromString(base64.b64decode(answer["response_data"]))
    assert reply.connections[0].id == "c-1"
    config = (await http.get("/v1/config/get-service?name=websocketmanager")).json()["service"]
    assert config["grpc"]["reflection_enabled"] is True
    assert (await http.get("/v1/config/list-services")).json() == {"services": ["websocketmanager"]}


async def test_state(http) -> None:
    body = {"service": "s", "key": "a/b", "value": encoded(b"1")}
    etag = (await http.post("/v1/state/save-state", json=body)).json()["etag"]
    got = (await http.get("/v1/state/s/a/b")).json()
    assert got == {"key": "a/b", "value": encoded(b"1"), "etag": etag}
    assert (await http.post("/v1/state/save-state", json={**body, "etag": "old"})).status_code == 409
    bulk = (await http.get("/v1/state/s/bulk?keys=a/b,c&keys=d")).json()
    assert [item["key"] for item in bulk["items"]] == ["a/b"]
    assert (await http.delete(f"/v1/state/s/a/b?etag={etag}&publish_change=true")).status_code == 200
    assert (await http.get("/v1/state/s/a/b")).json()["etag"] == ""
    deleted = (await http.delete("/v1/state/s/bulk?keys=a,b")).json()
    assert deleted["status"]["message"] == "deleted 2 of 2"


async def test_grpc_call_tells_errors_in_its_answer(http) -> None:
    call = {"service": "websocketmanager", "method": "List"}
    answer = (await http.post("/v1/grpc/call", json=call)).json()
    assert (answer["error"], answer["statusCode"]) == (None, "OK")
    assert answer["data"]["connections"][0]["id"] == "c-1"
    call = {"service": "websocketmanager", "method": "Disconnect", "request": {"id": "x"}}
    answer = await http.post("/v1/grpc/call", json=call)
    assert answer.status_code == 200
    assert answer.json() == {
        "error": "no connection 'x' (List names them)",
        "statusCode": "NOT_FOUND",
        "data": None,
    }


async def test_methods_and_schemas_of_a_back_end(http) -> None:
    methods = (await http.get("/v1/grpc/gateway/methods")).json()["methods"]
    kinds = {method["fullName"]: method["streamingType"] for method in methods}
    assert kinds["virtufin.v1.Pubsub/Subscribe"] == "server"
    assert kinds["virtufin.v1.State/GetState"] == "unary"
    for method in ("SendRaw", "virtufin.v1.WebSocketManager/SendRaw"):
        schema = (await http.get(f"/v1/grpc/websocketmanager/schema/{method}?type=input")).json()
        assert [field["name"] for field in schema["fields"]][:2] == ["id", "message"]


async def test_published_data_become_an_event_of_the_sidecars(http, bus: DaprBus) -> None:
    events = aiter(await bus.subscribe("commands"))
    await http.post("/v1/pubsub/commands", json={"data": encoded(b'{"command":"list"}')})
    event = (await anext(events)).event
    assert (event.data, event.content_type) == (b'{"command":"list"}', "application/json")
    await http.post("/v1/pubsub/commands?ttl_seconds=60", json={"data": encoded(b"\xff")})
    event = (await anext(events)).event
    assert (event.data, event.content_type) == (b"\xff", "application/octet-stream")
    assert "expiration" in event.extensions


async def test_a_structured_event_is_passed_on(http, bus: DaprBus) -> None:
    events = aiter(await bus.subscribe("commands"))
    sent = {
        "id": "1",
        "source": "s",
        "type": "t",
        "specversion": "1.0",
        "correlationid": "c",
        "data": {"a": 1},
    }
    headers = {"content-type": "application/cloudevents+json; charset=utf-8"}
    answer = await http.post("/v1/pubsub/commands", content=json.dumps(sent), headers=headers)
    assert answer.json()["success"] is True
    event = (await anext(events)).event
    assert (event.id, event.source, event.type) == ("1", "s", "t")
    assert event.extensions["correlationid"] == "c"
    for change, field in (
        ({"id": ""}, "cloudevent.id"),
        ({"Bad": 1}, "'Bad'"),
        ({"type": 5}, "cloudevent.type"),
    ):
        answer = await http.post("/v1/pubsub/x", content=json.dumps({**sent, **change}), headers=headers)
        assert answer.status_code == 400
        assert field in answer.json()["message"]


async def test_keys_guard_rest_and_do_not_travel_on(bus: DaprBus) -> None:
    backend = ServedBackend(FakeWebSocketManager(), api_keys=["one"])
    await backend.start()
    try:
        async with (
            served_gateway(bus, [backend.entry], api_keys="one,two") as (_, at),
            httpx.AsyncClient(base_url=f"http://{at.http}", trust_env=False) as http,
        ):
            for path in ("/v1/connections", "/openapi.json", "/metrics"):
                assert (await http.get(path)).status_code == 401
                assert (await http.get(path, headers={"x-api-key": "wrong"})).status_code == 401
            headers = {"x-api-key": "two", "traceparent": "00-1-2-01", "cookie": "c"}
            assert (await http.get("/v1/connections", headers=headers)).status_code == 200
            assert (await http.get("/docs")).status_code == 200
            document = (await http.get("/openapi.json", headers=headers)).json()
            assert document["security"] == [{"key": []}]
            metrics = (await http.get("/metrics", headers=headers)).text
            assert (
                'virtufin_gateway_call_seconds_count{service="websocketmanager",status="OK"} 1.0' in metrics
            )
    finally:
        await backend.stop()
    (seen,) = backend.servicer.metadata
    seen.pop("user-agent")
    assert seen == {"x-api-key": "one", "traceparent": "00-1-2-01"}
