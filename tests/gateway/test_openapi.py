"""The OpenAPI document and its page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import jsonschema
import pytest

from tests.gateway.conftest import served_gateway
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.gateway import ServiceEntry
from virtufin_examples.gateway._rest_table import REST_TABLE
from virtufin_examples.service import Addresses


@pytest.fixture
async def document(gateway: Addresses) -> dict:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"http://{gateway.http}/openapi.json")).json()


def everything(value: object) -> Iterator[dict]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from everything(inner)


def operations(document: dict) -> Iterator[tuple[str, str, dict]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield path, verb, operation


async def test_every_route_is_described_once(document: dict) -> None:
    assert document["openapi"] == "3.1.0"
    described = {(verb, path) for path, verb, _ in operations(document)}
    for row in REST_TABLE:
        assert (row.verb.lower(), row.path.replace(":path", "")) in described
    assert {
        ("post", "/v1/grpc/call"),
        ("get", "/v1/grpc/{service}/methods"),
        ("post", "/v1/pubsub/{topic}"),
    } <= described
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)


async def test_path_parameters_are_those_of_the_path(document: dict) -> None:
    for path, _, operation in operations(document):
        declared = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
        assert declared == re.findall(r"\{(\w+)\}", path)


async def test_every_reference_leads_to_a_valid_schema(document: dict) -> None:
    schemas = document["components"]["schemas"]
    for part in everything(document):
        if "$ref" in part:
            assert part["$ref"].removeprefix("#/components/schemas/") in schemas
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


async def test_back_ends_are_described_from_their_reflection(document: dict) -> None:
    schemas = document["components"]["schemas"]
    send = schemas["websocketmanager.virtufin.v1.SendRawRequest"]["properties"]
    assert send["message"] == {"type": "string", "contentEncoding": "base64"}
    connection = schemas["websocketmanager.virtufin.v1.WebSocketConnection"]["properties"]
    assert connection["epoch"] == {"type": "string", "format": "uint64"}
    assert connection["tags"] == {"type": "object", "additionalProperties": {"type": "string"}}
    body = document["paths"]["/v1/grpc/call"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    methods = {call["properties"]["method"]["const"] for call in body["anyOf"]}
    assert "virtufin.v1.WebSocketManager/List" in methods
    filters = document["paths"]["/v1/connections"]["get"]["parameters"]
    assert [parameter["name"] for parameter in filters] == ["filter"]


async def test_an_answer_fits_its_description(gateway: Addresses, document: dict) -> None:
    async with httpx.AsyncClient(base_url=f"http://{gateway.http}", trust_env=False) as http:
        for path in ("/v1/connections", "/v1/gateway/list-services", "/v1/grpc/websocketmanager/methods"):
            answer = (await http.get(path)).json()
            operation = document["paths"][path.replace("websocketmanager", "{service}")]["get"]
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            jsonschema.validate(answer, {**schema, "components": document["components"]})


async def test_a_silent_back_end_is_named_and_its_routes_stay(bus: DaprBus, unused_tcp_port: int) -> None:
    dead = ServiceEntry(name="workmanager", host="127.0.0.1", port=unused_tcp_port)
    async with served_gateway(bus, [dead]) as (_, at), httpx.AsyncClient(trust_env=False) as http:
        document = (await http.get(f"http://{at.http}/openapi.json")).json()
    assert "do not answer now: workmanager" in document["info"]["description"]
    answer = document["paths"]["/v1/workers"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {"type": "object"}
    assert "security" not in document


async def test_the_page_needs_nothing_from_elsewhere(gateway: Addresses) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://{gateway.http}/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "openapi.json" in answer.text
    assert not re.search(r"https?://|//\w+\.|@import|<link|src=", answer.text)
