"""The sidecar itself: health, metadata, tokens, errors, and its restart under a subscription."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import urllib.error
import urllib.request

import grpc
import pytest

from tests.dapr.clients import Kind
from tests.dapr.targets import APP, PUBSUBS, Target
from virtufin_examples.errors import AccessDeniedError, InvalidInputError, UnavailableError

pytestmark = pytest.mark.parametrize("target", PUBSUBS, indirect=True, scope="session")
both_sdks = pytest.mark.parametrize("kind", [Kind.SYNC, Kind.ASYNC], ids=str)

_TYPES = {
    Target.EMBEDDED: "pubsub.in-memory",
    Target.IN_MEMORY: "pubsub.in-memory",
    Target.REDIS: "pubsub.redis",
    Target.JETSTREAM: "pubsub.jetstream",
    Target.KAFKA: "pubsub.kafka",
}


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("path", ["healthz", "healthz/outbound"])
def test_health_is_204_and_other_paths_are_not_found(target, path):
    address = target.sidecar(APP).http

    assert _status(f"http://{address}/v1.0/{path}") == 204
    assert _status(f"http://{address}/no/such/path") == 404


@both_sdks
async def test_metadata_name_the_app_id_the_components_and_what_was_set(opened, kind, target):
    client = (await opened(kind)).client
    if kind is Kind.ASYNC:
        await client.set_metadata("colour", "blue")
        metadata = await client.get_metadata()
    else:
        await asyncio.to_thread(client.set_metadata, "colour", "blue")
        metadata = await asyncio.to_thread(client.get_metadata)

    assert metadata.application_id == APP
    assert metadata.extended_metadata["colour"] == "blue"
    components = {component.name: component.type for component in metadata.registered_components}
    assert components["pubsub"] == _TYPES[target.target]
    assert "statestore" in components


async def test_an_unknown_pubsub_and_an_empty_topic_are_refused(opened, target):
    bus = (await opened(Kind.OURS)).bus
    with pytest.raises(InvalidInputError):
        await bus.publish("", b"x", content_type="text/plain")
    bus._pubsub_name = "nowhere"
    with pytest.raises(InvalidInputError, match="nowhere"):
        await bus.publish("topic", b"x", content_type="text/plain")


@both_sdks
async def test_the_sdk_names_the_code_of_an_error(opened, kind):
    publish = (await opened(kind)).client.publish_event
    arguments = ("nowhere", "topic", b"x")
    with pytest.raises(Exception, match="nowhere") as caught:
        await (publish(*arguments) if kind is Kind.ASYNC else asyncio.to_thread(publish, *arguments))

    error = caught.value
    code = error.code() if hasattr(error, "code") else error.__cause__.code()
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_without_the_right_token_nothing_is_served(opened, further, topic):
    sidecar = further("guarded", token="the-token")
    guarded = await opened(Kind.OURS, "guarded", sidecar)
    await guarded.publish(topic, b"x")
    assert _status(f"http://{sidecar.http}/v1.0/healthz") == 204

    for wrong in ("", "another"):
        sidecar.token = wrong
        refused = await opened(Kind.OURS, "guarded", sidecar)
        with pytest.raises(AccessDeniedError, match="DAPR_API_TOKEN"):
            await refused.publish(topic, b"x")
        with pytest.raises(AccessDeniedError, match="DAPR_API_TOKEN"):
            await refused.subscribe(topic)


async def test_clients_send_their_token(opened, further, kind, topic):
    sidecar = further("guarded", token="the-token")
    client = await opened(kind, "guarded", sidecar)
    # The SDK's async client (1.19) sends none with its streams.
    subscriber = await opened(Kind.SYNC, "guarded", sidecar) if kind is Kind.ASYNC else client
    reader = await subscriber.subscribe(topic)
    await client.publish(topic, b"x")

    assert (await reader.take()).data == b"x"


async def test_a_subscription_outlives_a_restart_of_the_sidecar(opened, further, kind, topic):
    app_id = f"restarted-{kind}"
    sidecar = further(app_id)
    reader = await (await opened(kind, app_id, sidecar)).subscribe(topic)
    publisher = await opened(Kind.OURS, app_id, sidecar)
    await publisher.publish(topic, b"before")
    assert (await reader.take()).data == b"before"

    await asyncio.to_thread(sidecar.end, signal.SIGKILL)
    await asyncio.to_thread(sidecar.start)

    assert await _published_until_read(publisher, reader, topic) == b"after"


async def _published_until_read(publisher, reader, topic) -> bytes:
    """Publish until the subscription is in force again: nobody says when that is."""
    async with asyncio.timeout(40):
        while True:
            with contextlib.suppress(UnavailableError, TimeoutError):
                await publisher.publish(topic, b"after")
                message = await reader.take(0.5)
                if message.data == b"after":
                    return message.data
