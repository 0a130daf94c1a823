"""Unmodified services that subscribe through the app channel: `dapr[fastapi]` and a `dapr[grpc]` app."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deploy.processes import Process, accepts, answers, free_port, running, until
from tests.dapr.differences import expected
from tests.dapr.sidecars import AppPort, Sidecar, started
from tests.dapr.targets import PUBSUBS, Platform, Target
from tests.programs import ROOT

pytestmark = pytest.mark.parametrize("target", [*PUBSUBS, Target.STRICT], indirect=True, scope="session")

WAIT_SECONDS = 20.0
BYTES = "application/octet-stream"
STRUCTURED = "application/cloudevents+json"
LARGE_INTEGER = 1732108308123456789

_DECLARED = """
apiVersion: dapr.io/{version}
kind: Subscription
metadata:
  name: {name}
spec:
  pubsubname: pubsub
  topic: {topic}
  {route}
scopes: [{app_id}]
"""


@dataclass(frozen=True)
class Note:
    handler: str
    id: str
    topic: str
    type: str
    data: bytes


@dataclass
class App:
    """A running service with its sidecar. What it got is in a file."""

    kind: str
    topic: str
    sidecar: Sidecar
    notes: Path

    def received(self) -> list[Note]:
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        fields = [json.loads(line) for line in lines]
        return [Note(**{**note, "data": base64.b64decode(note["data"])}) for note in fields]

    async def wait(self, wanted: Callable[[Note], bool], count: int = 1) -> list[Note]:
        """Return what matches, when there is so much of it."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(found := [note for note in self.received() if wanted(note)]) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return found

    async def publish(
        self, data: bytes, content_type: str = "text/plain", topic: str = "", **metadata: str
    ) -> str:
        """Publish over HTTP; return the event's id."""
        event_id = uuid.uuid4().hex
        query = {f"metadata.{name}": value for name, value in metadata.items()}
        query["metadata.cloudevent.id"] = event_id
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            answer = await client.post(
                f"http://{self.sidecar.http}/v1.0/publish/pubsub/{topic or self.topic}",
                params=query,
                content=data,
                headers={"content-type": content_type},
                timeout=WAIT_SECONDS,
            )
        assert answer.status_code == 204, answer.text
        return event_id

    async def got(self, event_id: str, count: int = 1) -> list[Note]:
        """Return the deliveries of one event."""
        return await self.wait(lambda note: note.id == event_id, count)


@contextlib.contextmanager
def running_app(target: Platform, kind: str, folder: Path) -> Iterator[App]:
    app_id, port, topic = f"app-{kind}", free_port(), f"conformance.app.{kind}"
    notes = folder / "notes"
    command = [sys.executable, "-m", f"tests.dapr.apps.{kind}_app", str(port), notes, topic]
    process = Process(kind, command, folder, environment={"PYTHONPATH": str(ROOT)})
    protocol = "http" if kind == "fastapi" else "grpc"
    app = AppPort(port, protocol, _resources(kind, topic, app_id))
    with (
        running(process, lambda: accepts(port)),
        started(target.make(app_id, app=app)) as sidecar,
    ):
        _healthy(sidecar)
        yield App(kind, topic, sidecar, notes)


def _healthy(sidecar: Sidecar) -> None:
    until(lambda: answers(f"http://{sidecar.http}/v1.0/healthz"), "the app's sidecar")


def _resources(kind: str, topic: str, app_id: str) -> dict[str, str]:
    """A file of each version. A `dapr[grpc]` app finds its handler by the topic's name as path."""
    path = "/declared" if kind == "fastapi" else f"{topic}.declared"
    bulk = "/bulk" if kind == "fastapi" else f"{topic}.bulk"
    options = "bulkSubscribe: {enabled: true, maxMessagesCount: 10, maxAwaitDurationMs: 100}"
    routes = {
        "v1": ("v1alpha1", f"{topic}.v1", f"route: {path}"),
        "v2": ("v2alpha1", f"{topic}.v2", f"routes: {{default: {path}}}"),
        "bulk": ("v2alpha1", f"{topic}.bulk", f"routes: {{default: {bulk}}}\n  {options}"),
    }
    return {
        f"{name}.yaml": _DECLARED.format(
            version=version, name=f"{app_id}-{name}", topic=of, route=route, app_id=app_id
        )
        for name, (version, of, route) in routes.items()
    }


@pytest.fixture(scope="session", params=["fastapi", "grpc"])
def app(request, target, tmp_path_factory) -> Iterator[App]:
    with running_app(target, request.param, tmp_path_factory.mktemp(request.param)) as running_one:
        yield running_one


async def test_events_arrive_in_order_and_once(app):
    ids = [await app.publish(f"message {number}".encode()) for number in range(20)]

    notes = await app.wait(lambda note: note.id in ids, 20)

    assert [note.id for note in notes] == ids
    assert {(note.handler, note.topic, note.type) for note in notes} == {
        ("programmatic", app.topic, "text/plain")
    }


@pytest.mark.parametrize("word", ["retry", "raise"])
async def test_what_is_answered_with_retry_and_what_raises_comes_again(app, word):
    event_id = await app.publish(f"{word} 2".encode())

    notes = await app.got(event_id, 3)

    assert [note.handler for note in notes] == ["programmatic"] * 3


async def test_what_is_dropped_goes_to_the_dead_letter_topic(app):
    event_id = await app.publish(b"drop")

    notes = await app.got(event_id, 2)

    assert [(note.handler, note.data) for note in notes] == [("programmatic", b"drop"), ("dead", b"drop")]


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("text/plain", "Grüße, 市场\n".encode()),
        ("application/xml", b"<a>1</a>"),
        (BYTES, bytes(range(256))),
        (f"{BYTES};schema=virtufin.v1.FrameBatch", bytes(range(256))),
        ("text/plain", b""),
    ],
    ids=["text", "xml", "bytes", "bytes with a schema", "empty"],
)
async def test_what_travels_exactly(app, content_type, data):
    (note,) = await app.got(await app.publish(data, content_type))

    assert (note.data, note.type) == (data, content_type)


async def test_json_arrives_as_the_same_value(app):
    value = {"b": 1.5, "a": [True, None, "x"]}
    (note,) = await app.got(await app.publish(json.dumps(value).encode(), "application/json"))

    assert (json.loads(note.data), note.type) == (value, "application/json")


async def test_a_large_integer(app, target):
    (note,) = await app.got(await app.publish(f"[{LARGE_INTEGER}]".encode(), "application/json"))

    exact = app.kind == "fastapi" or expected("json", target.target) == "exact bytes"
    assert json.loads(note.data) == [LARGE_INTEGER if exact else 1732108308123456800]


@pytest.mark.parametrize(
    ("content_type", "key"),
    [("application/x-other", "other types"), ("text/plain", "text that is not UTF-8")],
)
async def test_what_does_not_travel_everywhere(app, target, content_type, key):
    data = b"\x08\x96\xff"
    (note,) = await app.got(await app.publish(data, content_type))

    fate = "exact bytes" if note.data == data else "damaged" if note.data else "empty"
    assert fate == expected("other types as JSON" if app.kind == "fastapi" else key, target.target)


async def test_a_structured_cloudevent_keeps_its_attributes(app):
    event_id = uuid.uuid4().hex
    event = {"specversion": "1.0", "id": event_id, "source": "urn:test", "type": "com.test", "data": "x"}
    await app.publish(json.dumps({**event, "datacontenttype": "text/plain"}).encode(), STRUCTURED)

    (note,) = await app.got(event_id)

    assert (note.data, note.type) == (b"x", "text/plain")


async def test_raw_payloads_pass_without_an_envelope(app):
    await app.publish(b"\x00\xff", BYTES, f"{app.topic}.raw", rawPayload="true")

    (note,) = await app.wait(lambda note: note.handler == "raw")

    assert (note.data, note.type) == (b"\x00\xff", BYTES)


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_declared_subscriptions_are_served(app, version):
    (note,) = await app.got(await app.publish(version.encode(), topic=f"{app.topic}.{version}"))

    assert (note.handler, note.data) == ("declared", version.encode())


async def test_a_bulk_subscription_is_served(app):
    publishing = [app.publish(f"{number}".encode(), topic=f"{app.topic}.bulk") for number in range(5)]
    ids = set(await asyncio.gather(*publishing))

    notes = await app.wait(lambda note: note.id in ids, 5)

    assert ({note.id for note in notes}, {note.handler for note in notes}) == (ids, {"bulk"})


async def test_metadata_name_the_app_and_its_subscriptions(app):
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        metadata = (await client.get(f"http://{app.sidecar.http}/v1.0/metadata")).json()

    kinds = {subscription["topic"]: subscription["type"] for subscription in metadata["subscriptions"]}
    assert metadata["id"] == f"app-{app.kind}"
    assert metadata["appConnectionProperties"]["protocol"] == ("http" if app.kind == "fastapi" else "grpc")
    assert kinds[app.topic] == "PROGRAMMATIC"
    assert {kinds[f"{app.topic}.{name}"] for name in ("v1", "v2")} == {"DECLARATIVE"}
