"""The HTTP API as daprd's callers know it. That daprd answers alike is shown in `tests/dapr/test_http.py`."""

from __future__ import annotations

import contextlib

import httpx
import pytest
from dapr.proto.runtime.v1 import dapr_pb2_grpc

from tests.bus.embedded.calls import subscribed
from tests.bus.embedded.conftest import channel, running

BIG = 1732108308123456789


@contextlib.asynccontextmanager
async def http(**options):
    async with (
        running(**options) as addresses,
        httpx.AsyncClient(base_url=f"http://{addresses.http}/v1.0") as client,
        channel(addresses.grpc) as opened,
    ):
        client.stub = dapr_pb2_grpc.DaprStub(opened)
        yield client


@pytest.mark.parametrize("strict", [False, True], ids=["kind", "strict"])
async def test_values_are_kept_as_they_are_written_save_when_strict(strict):
    async with http(strict=strict) as client:
        body = b'[{"key": "k", "value": {"z": 1732108308123456789, "a": "<"}}]'
        assert (await client.post("/state/statestore", content=body)).status_code == 204
        stored = (await client.get("/state/statestore/k")).content

    exact = b'{"z": 1732108308123456789, "a": "<"}'
    assert stored == (b'{"a":"\\u003c","z":1732108308123456800}' if strict else exact)


@pytest.mark.parametrize(
    ("content_type", "data", "strictly"),
    [
        ("application/json", b'{"z": 1732108308123456789}', b'{"z":1732108308123456800}'),
        ("application/json", b"{broken", b'"{broken"'),
        ("application/octet-stream", b"\xff", b"\xff"),
        ("text/plain", b"\xff", b"\xef\xbf\xbd"),
        ("application/x-other", b"data", b""),
    ],
)
@pytest.mark.parametrize("strict", [False, True], ids=["kind", "strict"])
async def test_what_is_published_arrives_exactly_and_when_strict_as_from_daprd(
    content_type, data, strictly, strict
):
    async with http(strict=strict) as client, subscribed(client.stub, "t") as reader:
        headers = {"content-type": content_type}
        published = await client.post("/publish/pubsub/t", content=data, headers=headers)
        event = await reader.event()

    assert published.status_code == 204
    assert (event.data, event.data_content_type) == (strictly if strict else data, content_type)


async def test_a_body_over_the_limit_is_refused():
    async with http() as client:
        refused = await client.post("/publish/pubsub/t", content=b"x" * (16 * 1024 * 1024 + 1))

    assert (refused.status_code, refused.json()["errorCode"]) == (413, "ERR_BODY_READ")


async def test_a_call_without_the_token_is_refused_and_the_token_is_not_told():
    async with http(api_token="canary") as client:
        missing = await client.get("/metadata")
        wrong = await client.get("/metadata", headers={"dapr-api-token": "wrong"})
        right = await client.get("/metadata", headers={"dapr-api-token": "canary"})
        health = await client.get("/healthz")

    assert (missing.status_code, wrong.status_code, right.status_code) == (401, 401, 200)
    assert "canary" not in missing.text + wrong.text
    assert health.status_code == 204


async def test_each_app_id_has_its_own_keys():
    async with http() as client:
        await client.post("/state/statestore", json=[{"key": "k", "value": 1}])
        other = await client.get("/state/statestore/k", headers={"dapr-app-id": "other"})

    assert other.status_code == 204


async def test_a_value_that_is_no_json_is_named_in_a_bulk_answer():
    async with http() as client:
        from dapr.proto.common.v1 import common_pb2
        from dapr.proto.runtime.v1 import state_pb2

        await client.stub.SaveState(
            state_pb2.SaveStateRequest(
                store_name="statestore", states=[common_pb2.StateItem(key="bytes", value=b"\xff")]
            )
        )
        answer = (await client.post("/state/statestore/bulk", json={"keys": ["bytes", "none"]})).json()

    assert [item["key"] for item in answer] == ["bytes", "none"]
    assert "no JSON" in answer[0]["error"]
    assert "error" not in answer[1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/healthz", 404),
        ("GET", "/publish/pubsub/t", 404),
        ("POST", "/invoke/app/method/m", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/healthz?appid=x", 204),  # a sidecar of all app ids
    ],
)
async def test_what_there_is_not_is_not_found(method, path, status):
    async with http() as client:
        answer = await client.request(method, path)

    assert answer.status_code == status
    assert status == 204 or path.split("?")[0] in answer.json()["message"]
