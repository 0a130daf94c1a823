"""The sidecar's HTTP API: publish, bulk, state and their errors, as status and `errorCode`."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid

import httpx
import pytest
import pytest_asyncio

from tests.dapr.clients import Kind
from tests.dapr.differences import expected
from tests.dapr.targets import APP, PUBSUBS, STATES, Target

both = pytest.mark.parametrize("target", [*PUBSUBS, Target.STRICT], indirect=True, scope="session")
stores = pytest.mark.parametrize("target", [*STATES, Target.STRICT], indirect=True, scope="session")

LARGE_INTEGER = 1732108308123456789
STORE = "/state/statestore"


@pytest_asyncio.fixture(loop_scope="session")
async def http(target):
    base = f"http://{target.sidecar(APP).http}/v1.0"
    async with httpx.AsyncClient(base_url=base, trust_env=False, verify=False, timeout=20) as client:
        yield client


@pytest.fixture
def key() -> str:
    return f"key-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def kind() -> Kind:
    return Kind.OURS  # the reader; who publishes is HTTP


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errorCode"]


@both
@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("text/plain", "Grüße".encode()),
        ("application/octet-stream", bytes(range(256))),
        ("application/json", b'{"a":[1,true]}'),
    ],
)
async def test_a_published_message_arrives(http, client, topic, content_type, data):
    reader = await client.subscribe(topic)
    params = {"metadata.cloudevent.id": f"id-{topic}", "metadata.ttlInSeconds": "60"}
    headers = {"content-type": content_type}
    answer = await http.post(f"/publish/pubsub/{topic}", content=data, params=params, headers=headers)

    message = await reader.take()

    assert answer.status_code == 204
    assert (message.data, message.content_type, message.id) == (data, content_type, f"id-{topic}")
    assert message.source == APP


@both
async def test_a_structured_cloudevent_and_a_raw_payload_arrive(http, client, topic):
    reader, raw = (
        await client.subscribe(topic),
        await client.subscribe(f"{topic}.raw", metadata={"rawPayload": "true"}),
    )
    event = {"specversion": "1.0", "id": topic, "source": "urn:test", "type": "t", "data": "x"}
    event["datacontenttype"] = "text/plain"
    headers = {"content-type": "application/cloudevents+json"}
    await http.post(f"/publish/pubsub/{topic}", content=json.dumps(event), headers=headers)
    await http.post(
        f"/publish/pubsub/{topic}.raw", content=b"\x00\xff", params={"metadata.rawPayload": "true"}
    )

    message, payload = await reader.take(), await raw.take()

    assert (message.id, message.source, message.data) == (topic, "urn:test", b"x")
    assert payload.data == b"\x00\xff"


@both
async def test_the_entries_of_a_bulk_arrive(http, client, topic):
    reader = await client.subscribe(topic)
    entries = [
        {"entryId": "1", "event": "text", "contentType": "text/plain"},
        {"entryId": "2", "event": {"a": 1}, "contentType": "application/json"},
        {
            "entryId": "3",
            "event": base64.b64encode(b"\xff").decode(),
            "contentType": "application/octet-stream",
        },
    ]
    publishing = asyncio.create_task(http.post(f"/publish/bulk/pubsub/{topic}", json=entries))

    messages = await reader.take_all(3)
    answer = await publishing

    assert answer.status_code == 204
    assert {message.data for message in messages} == {b"text", b'{"a":1}', b"\xff"}


@both
@pytest.mark.parametrize(
    ("path", "body", "outcome"),
    [
        ("/publish/nowhere/topic", b"x", (404, "ERR_PUBSUB_NOT_FOUND")),
        ("/publish/pubsub/topic?metadata.rawPayload=maybe", b"x", (400, "ERR_PUBSUB_REQUEST_METADATA")),
        ("/publish/bulk/pubsub/topic", b"{", (400, "ERR_PUBSUB_EVENTS_SER")),
        (
            "/publish/bulk/pubsub/topic",
            b'[{"entryId":"","event":"x","contentType":"text/plain"}]',
            (400, "ERR_PUBSUB_EVENTS_SER"),
        ),
        (
            "/publish/bulk/pubsub/topic",
            b'[{"entryId":"1","event":{},"contentType":"text/plain"}]',
            (400, "ERR_PUBSUB_EVENTS_SER"),
        ),
    ],
)
async def test_what_cannot_be_published_is_refused(http, path, body, outcome):
    answer = await http.post(path, content=body)

    assert error(answer) == outcome


@both
async def test_what_is_no_cloudevent_is_refused(http, topic):
    headers = {"content-type": "application/cloudevents+json"}
    answer = await http.post(f"/publish/pubsub/{topic}", content=b"nope", headers=headers)

    assert error(answer) == (500, "ERR_PUBSUB_CLOUD_EVENTS_SER")
    reasons = {detail.get("reason") for detail in answer.json()["details"]}
    assert "DAPR_PUBSUB_CLOUD_EVENT_CREATION" in reasons


@both
async def test_metadata_name_the_components_and_what_was_set(http):
    await http.put("/metadata/colour", content=b"green")
    metadata = (await http.get("/metadata")).json()

    assert metadata["id"] == APP
    assert metadata["extended"]["colour"] == "green"
    assert {"pubsub", "statestore"} <= {component["name"] for component in metadata["components"]}


@stores
async def test_values_are_written_read_and_deleted(http, key):
    written = await http.post(
        STORE, json=[{"key": key, "value": {"a": [1, "x"]}}, {"key": f"{key}-s", "value": "s"}]
    )
    stored, text = await http.get(f"{STORE}/{key}"), await http.get(f"{STORE}/{key}-s")
    deleted = await http.delete(f"{STORE}/{key}")
    gone = await http.get(f"{STORE}/{key}")

    assert [answer.status_code for answer in (written, stored, deleted, gone)] == [204, 200, 204, 204]
    assert (stored.json(), text.json()) == ({"a": [1, "x"]}, "s")
    assert stored.headers["content-type"] == "application/json"
    assert stored.headers["etag"]
    assert gone.content == b""


@stores
async def test_a_large_integer_in_a_value(http, key, target):
    await http.post(STORE, content=f'[{{"key":"{key}","value":[{LARGE_INTEGER}]}}]')
    seen = (await http.get(f"{STORE}/{key}")).content

    exact = seen == f"[{LARGE_INTEGER}]".encode()
    assert exact or seen == b"[1732108308123456800]"
    assert ("exact" if exact else "rounded") == expected("json over HTTP", target.target)


@stores
async def test_a_stale_etag_is_a_conflict(http, key):
    await http.post(STORE, json=[{"key": key, "value": 1}])
    stale = (await http.get(f"{STORE}/{key}")).headers["etag"]
    first = {"concurrency": "first-write"}
    current = await http.post(STORE, json=[{"key": key, "value": 2, "etag": stale, "options": first}])
    refused = await http.post(STORE, json=[{"key": key, "value": 3, "etag": stale, "options": first}])
    deletion = await http.delete(
        f"{STORE}/{key}", headers={"If-Match": stale}, params={"concurrency": "first-write"}
    )

    assert current.status_code == 204
    assert error(refused) == (409, "ERR_STATE_SAVE")
    assert error(deletion) == (409, "ERR_STATE_DELETE")
    assert (await http.get(f"{STORE}/{key}")).json() == 2


@stores
async def test_several_values_at_once(http, key):
    await http.post(STORE, json=[{"key": key, "value": {"a": 1}}])
    answer = (await http.post(f"{STORE}/bulk", json={"keys": [key, f"{key}-none"]})).json()

    found = {item["key"]: item.get("data") for item in answer}
    assert found == {key: {"a": 1}, f"{key}-none": None}
    assert (await http.post(f"{STORE}/bulk", json={"keys": []})).json() == []


@stores
async def test_a_transaction_writes_and_deletes_together(http, key):
    await http.post(STORE, json=[{"key": f"{key}-old", "value": 1}])
    operations = [
        {"operation": "upsert", "request": {"key": f"{key}-new", "value": {"a": 1}}},
        {"operation": "delete", "request": {"key": f"{key}-old"}},
    ]
    answer = await http.post(f"{STORE}/transaction", json={"operations": operations})

    assert answer.status_code == 204
    assert (await http.get(f"{STORE}/{key}-new")).json() == {"a": 1}
    assert (await http.get(f"{STORE}/{key}-old")).status_code == 204


@stores
async def test_a_value_says_when_it_expires(http, key, target):
    await http.post(STORE, json=[{"key": key, "value": 1, "metadata": {"ttlInSeconds": "60"}}])
    headers = (await http.get(f"{STORE}/{key}")).headers

    seen = "told" if headers.get("metadata.ttlexpiretime", "").endswith("Z") else "not told"
    assert seen == expected("expiry", target.target)


@stores
@pytest.mark.parametrize(
    ("method", "path", "body", "outcome"),
    [
        ("GET", "/state/nowhere/k", b"", (400, "ERR_STATE_STORE_NOT_FOUND")),
        ("GET", f"{STORE}/a%7C%7Cb", b"", (400, "ERR_MALFORMED_REQUEST")),
        ("POST", STORE, b"{", (400, "ERR_MALFORMED_REQUEST")),
        ("POST", STORE, b'[{"value":1}]', (400, "ERR_MALFORMED_REQUEST")),
        ("POST", f"{STORE}/bulk", b"[", (400, "ERR_MALFORMED_REQUEST")),
        ("POST", f"{STORE}/transaction", b"{", (400, "ERR_MALFORMED_REQUEST")),
        (
            "POST",
            f"{STORE}/transaction",
            b'{"operations":[{"operation":"what","request":{"key":"k"}}]}',
            (400, "ERR_NOT_SUPPORTED_STATE_OPERATION"),
        ),
    ],
)
async def test_bad_state_requests_are_refused(http, method, path, body, outcome):
    answer = await http.request(method, path, content=body)

    assert error(answer) == outcome


@both
async def test_without_the_right_token_nothing_is_served(further, topic):
    sidecar = further("guarded", token="the-token")
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        url = f"http://{sidecar.http}/v1.0/publish/pubsub/{topic}"
        missing = await client.post(url, content=b"x")
        right = await client.post(url, content=b"x", headers={"dapr-api-token": "the-token"})

    assert (missing.status_code, right.status_code) == (401, 204)
    assert "the-token" not in missing.text
