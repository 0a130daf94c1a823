"""An app behind the embedded runtime. Real services of the SDK are in `tests/dapr/test_apps.py`."""

from __future__ import annotations

import asyncio
import contextlib
import json

import grpc
import httpx
import pytest
from dapr.proto.runtime.v1 import dapr_pb2_grpc
from starlette.responses import Response

from tests.bus.embedded.apps import GrpcApp, HttpApp, free_port, statuses
from tests.bus.embedded.calls import publish, subscribed
from tests.bus.embedded.conftest import channel, running
from virtufin_examples.bus.embedded import _broker
from virtufin_examples.errors import InvalidInputError

ONE = [{"pubsubname": "pubsub", "topic": "t", "route": "/t", "deadLetterTopic": "dead"}]


@contextlib.asynccontextmanager
async def sidecar(port, **options):
    """Yield a runtime with an app port: its gRPC stub, with `health` to ask whether the app is served."""
    async with (
        running(app_port=port, **options) as addresses,
        channel(addresses.grpc) as opened,
        httpx.AsyncClient(base_url=f"http://{addresses.http}/v1.0") as client,
    ):
        stub = dapr_pb2_grpc.DaprStub(opened)

        async def health():
            return await client.get("/healthz")

        stub.health = health
        yield stub


async def served(stub):
    async with asyncio.timeout(10):
        while (await stub.health()).status_code != 204:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.01)


async def problem(stub):
    """Return what health says once the app was asked."""
    async with asyncio.timeout(10):
        while "no app listens" in (message := (await stub.health()).json()["message"]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return message


async def test_the_runtime_waits_for_its_app_and_says_so():
    app, port = HttpApp(ONE), free_port()
    async with sidecar(port) as stub:
        before = await stub.health()
        async with app.running(port):
            await served(stub)
            await publish(stub, "t", b"data")
            event = await app.next()

    assert (before.status_code, before.json()["errorCode"]) == (500, "ERR_HEALTH_NOT_READY")
    assert str(port) in before.json()["message"]
    assert (event["data"], event["datacontenttype"], event["topic"]) == ("data", "text/plain", "t")


@pytest.mark.parametrize("kind", ["http", "grpc"])
async def test_what_is_published_while_the_app_is_away_waits_for_it(kind):
    port = free_port()
    app = HttpApp(ONE) if kind == "http" else GrpcApp()
    async with sidecar(port, app_protocol=kind) as stub:
        async with app.running(port):
            await served(stub)
            await publish(stub, "t", b"0")
            await app.next()
        for number in range(1, 4):
            await publish(stub, "t", str(number).encode())
        async with app.running(port):
            events = [await app.next() for _ in range(3)]

    data = [event["data"] if kind == "http" else event[0].data.decode() for event in events]
    assert data == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        ((200, {}), False),
        ((200, ""), False),
        ((200, "no JSON"), False),
        ((200, None), False),
        ((204, ""), False),
        ((200, {"status": "SUCCESS"}), False),
        ((200, {"status": "RETRY"}), True),
        ((200, {"status": "unknown"}), True),
        ((500, {}), True),
        ((400, {"status": "SUCCESS"}), True),
    ],
)
async def test_what_an_answer_over_http_means(answer, again):
    app, port = HttpApp(ONE, statuses(answer)), free_port()
    async with app.running(port), sidecar(port, strict=True) as stub:  # a retry comes before what follows
        await served(stub)
        await publish(stub, "t", b"first")
        publishing = asyncio.create_task(publish(stub, "t", b"second"))
        await app.next()
        following = await app.next()
        if again:
            await app.next()
        await publishing

    assert following["data"] == ("first" if again else "second")


@pytest.mark.parametrize("answer", [(404, {}), (200, {"status": "DROP"})])
async def test_what_the_app_does_not_want_goes_to_the_dead_letter_topic(answer):
    app, port = HttpApp(ONE, statuses(answer)), free_port()
    async with app.running(port), sidecar(port) as stub, subscribed(stub, "dead") as dead:
        await served(stub)
        await publish(stub, "t", b"poison")
        letter = await dead.event()

    assert letter.data == b"poison"


@pytest.mark.parametrize(
    ("code", "dead_letter"), [(grpc.StatusCode.UNIMPLEMENTED, True), (grpc.StatusCode.INTERNAL, False)]
)
async def test_what_an_error_over_grpc_means(code, dead_letter):
    app, port = GrpcApp(dead="dead"), free_port()
    app.code = code
    async with (
        app.running(port),
        sidecar(port, app_protocol="grpc") as stub,
        subscribed(stub, "dead") as dead,
    ):
        await served(stub)
        await publish(stub, "t", b"data")
        await app.next()
        if dead_letter:
            assert (await dead.event()).data == b"data"
        else:
            assert (await app.next())[0].data == b"data"


@pytest.mark.parametrize("kind", ["http", "grpc"])
async def test_the_app_gets_its_token_and_the_component(kind):
    port = free_port()
    app = HttpApp(ONE) if kind == "http" else GrpcApp()
    async with app.running(port), sidecar(port, app_protocol=kind, app_token="canary") as stub:
        await served(stub)
        await publish(stub, "t")
        event = await app.next()

    headers = app.headers[0] if kind == "http" else event[1]
    assert (headers["dapr-api-token"], headers["pubsubname"]) == ("canary", "pubsub")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([{"pubsubname": "other", "topic": "t", "route": "/t"}], ("other", "'pubsub'")),
        ([{"pubsubname": "pubsub", "topic": "", "route": "/t"}], ("no topic",)),
        (
            [{"pubsubname": "pubsub", "topic": "t", "routes": {"rules": [{"match": "true", "path": "/t"}]}}],
            ("'true'", "one route"),
        ),
        ([{"pubsubname": "pubsub", "topic": 5, "route": "/t"}], ("list of subscriptions",)),
        (Response("broken", 500), ("500",)),
    ],
)
async def test_a_subscription_that_cannot_be_is_told_by_health(said, words):
    app, port = HttpApp(said), free_port()
    async with app.running(port), sidecar(port) as stub:
        message = await problem(stub)

    assert all(word in message for word in words), message


async def test_a_rule_of_a_grpc_app_is_told_by_health():
    app, port = GrpcApp(match='event.type == "x"'), free_port()
    async with app.running(port), sidecar(port, app_protocol="grpc") as stub:
        message = await problem(stub)

    assert 'event.type == "x"' in message


@pytest.mark.parametrize("said", [Response("", 404), [], None])
async def test_an_app_may_subscribe_to_nothing(said):
    app, port = HttpApp(said), free_port()
    async with app.running(port), sidecar(port) as stub:
        await served(stub)


async def test_of_a_bulk_what_has_no_answer_comes_again():
    said = [{**ONE[0], "bulkSubscribe": {"enabled": True, "maxMessagesCount": 2, "maxAwaitDurationMs": 5000}}]
    answers = iter([0, 1])

    def first_only(envelope):
        next(answers, None)
        entry = envelope["entries"][0]
        return Response(json.dumps({"statuses": [{"entryId": entry["entryId"], "status": "SUCCESS"}]}))

    app, port = HttpApp(said, first_only), free_port()
    async with app.running(port), sidecar(port) as stub:
        await served(stub)
        await publish(stub, "t", b"1")
        await publish(stub, "t", b"2")
        first = await app.next()
        await publish(stub, "t", b"3")
        second = await app.next()

    assert [entry["event"]["data"] for entry in first["entries"]] == ["1", "2"]
    assert {entry["event"]["data"] for entry in second["entries"]} == {"2", "3"}
    assert first["type"] == "com.dapr.event.sent.bulk"


async def test_an_app_that_held_its_topic_up_is_subscribed_anew(monkeypatch):
    monkeypatch.setattr(_broker, "STALL_SECONDS", 0.0)
    release = asyncio.Event()
    app, port = HttpApp(ONE), free_port()
    plain = app._event

    async def hang_once(request):
        answer = await plain(request)
        await release.wait()
        return answer

    app._event = hang_once
    async with app.running(port), sidecar(port) as stub:
        await served(stub)
        await publish(stub, "t", b"hangs")
        await app.next()
        for _ in range(5):  # the last one finds the queue full
            await publish(stub, "t", b"x" * (8 * 1024 * 1024))
        release.set()
        async with asyncio.timeout(10):
            while app.events.empty():
                await publish(stub, "t", b"again")
                await asyncio.sleep(0.01)
        event = await app.next()

    assert event["data"] == "again"


async def test_subscriptions_in_files_need_an_app(tmp_path):
    (tmp_path / "one.yaml").write_text(
        "apiVersion: dapr.io/v2alpha1\nkind: Subscription\n"
        "spec: {pubsubname: pubsub, topic: t, routes: {default: /t}}\n"
    )
    with pytest.raises(InvalidInputError, match="VIRTUFIN_RUNTIME_APP_PORT"):
        async with running(resources_path=tmp_path):
            pass


async def test_a_declared_subscription_takes_the_place_of_the_apps_own(tmp_path):
    (tmp_path / "one.yaml").write_text(
        "apiVersion: dapr.io/v1alpha1\nkind: Subscription\n"
        "spec: {pubsubname: pubsub, topic: t, route: declared}\n"
    )
    app, port = HttpApp(ONE), free_port()
    async with app.running(port), sidecar(port, resources_path=tmp_path) as stub:
        await served(stub)
        await publish(stub, "t", b"1")
        await publish(stub, "t", b"2")
        events = [await app.next(), await app.next()]

    assert [event["data"] for event in events] == ["1", "2"]
