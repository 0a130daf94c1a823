"""The files of deploy/cluster on a real daprd and a Redis with a password: who may do what."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.get_brokers import find_program
from deploy.processes import Process, accepts, free_port, running
from deploy.sidecars import Sidecar, daprd, started
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.errors import VirtufinError

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PASSWORD = "of-the-test"
SECRETS = {"redis": {"password": PASSWORD}, "alpaca": {"key": "PK", "secret": "SK"}}


@pytest.fixture(scope="module")
def redis(tmp_path_factory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", ""]
    process = Process("redis", [find_program("redis-server"), *place, "--requirepass", PASSWORD], folder)
    with running(process, lambda: accepts(port)):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def sidecar(redis, tmp_path_factory) -> Iterator[Callable[[str], Sidecar]]:
    """Starts the sidecar of an app id as compose.yaml does, with Redis and the secrets of this run."""
    folder = tmp_path_factory.mktemp("cluster")
    secrets = folder / "secrets.json"
    secrets.write_text(json.dumps(SECRETS))
    resources = folder / "resources"
    resources.mkdir()
    for path in (*(DEPLOY / "cluster").glob("*.yaml"), DEPLOY / "compose" / "secretstore.yaml"):
        if path.stem in {"pubsub", "statestore", "resiliency", "secretstore"}:
            text = path.read_text().replace("redis:6379", redis).replace("/run/secrets/venues", str(secrets))
            (resources / path.name).write_text(text)
    running_sidecars: dict[str, Sidecar] = {}
    with contextlib.ExitStack() as stack:

        def start(app_id: str) -> Sidecar:
            if app_id not in running_sidecars:
                venues = "-venues" if app_id == "websocketmanager" else ""
                configuration = DEPLOY / "cluster" / f"configuration{venues}.yaml"
                made = daprd(app_id, folder / app_id, resources, options=["--config", str(configuration)])
                running_sidecars[app_id] = stack.enter_context(started(made))
            return running_sidecars[app_id]

        yield start


@contextlib.asynccontextmanager
async def bus(sidecar: Sidecar):
    found = DaprBus(target=sidecar.grpc, app_id=sidecar.app_id)
    try:
        yield found
    finally:
        await found.close()


async def refusal(call) -> str:
    with pytest.raises(VirtufinError) as caught:
        await call
    return str(caught.value)


async def test_a_feed_reaches_its_subscriber(sidecar):
    async with bus(sidecar("websocketmanager")) as publisher, bus(sidecar("strategy")) as subscriber:
        subscription = await subscriber.subscribe("md.alpaca")
        await publisher.publish("md.alpaca", b"frame", content_type="text/plain")
        assert (await anext(aiter(subscription))).event.data == b"frame"


@pytest.mark.parametrize("app_id", ["strategy", "virtufin-api", "workmanager"])
async def test_nobody_else_publishes_to_a_topic_with_market_data(sidecar, app_id):
    async with bus(sidecar(app_id)) as other:
        said = await refusal(other.publish("md.alpaca", b"forged", content_type="text/plain"))
    assert "not allowed" in said
    assert "md.alpaca" in said
    assert "publishingScopes" in said


async def test_a_subscriber_publishes_nothing_and_reads_nothing_else(sidecar):
    async with bus(sidecar("strategy")) as strategy:
        topic = "command.websocketmanagercontroller"
        assert topic in await refusal(strategy.publish(topic, b"{}", content_type="text/plain"))
        said = await refusal(strategy.subscribe(topic))
    assert topic in said
    assert "subscriptionScopes" in said


async def test_commands_are_open_to_the_services(sidecar):
    async with bus(sidecar("virtufin-api")) as gateway, bus(sidecar("workmanager")) as manager:
        topic = "command.websocketmanagercontroller.a-worker"
        subscription = await manager.subscribe(topic)
        await gateway.publish(topic, b"{}", content_type="text/plain")
        assert (await anext(aiter(subscription))).event.data == b"{}"


async def test_a_program_that_no_file_names_has_no_component(sidecar):
    async with bus(sidecar("stranger")) as stranger:
        said = await refusal(stranger.publish("anything", b"", content_type="text/plain"))
    assert "pubsub" in said


async def test_venues_secrets_are_for_the_websocketmanager_alone(sidecar):
    async with bus(sidecar("websocketmanager")) as manager, bus(sidecar("workmanager")) as other:
        assert await manager.get_secret("alpaca") == SECRETS["alpaca"]
        for reader, name in ((manager, "redis"), (other, "redis"), (other, "alpaca")):
            assert PASSWORD not in await refusal(reader.get_secret(name))


async def test_the_services_keep_state_and_a_subscriber_none(sidecar):
    async with bus(sidecar("workmanager")) as manager, bus(sidecar("strategy")) as strategy:
        await manager.save_state("k", b"1")
        assert (await manager.get_state("k")).value == b"1"
        await refusal(strategy.get_state("k"))
