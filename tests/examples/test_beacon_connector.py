"""The example connector is installed as a user's package is, found by its entry point, and heals."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys

import grpc.aio
import pytest

from tests.examples.beacon_venue import BeaconVenue
from tests.programs import ROOT, programs
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.client import Frame, Gap, subscribe

PLUGIN = ROOT / "examples" / "beacon-connector"
CANARY = "beacon-canary-password"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the package was installed into."""
    target = tmp_path_factory.mktemp("beacon") / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *offline, "--target", str(target), str(PLUGIN)], check=True, timeout=50)
    return target


@pytest.fixture(scope="module")
def platform(installed, tmp_path_factory):
    """A platform that has the package, and the venue's secret."""
    with programs(tmp_path_factory.mktemp("platform")) as run:
        program = run(
            *("-m", "virtufin_examples.cli", "up", "--ephemeral"),
            PYTHONPATH=str(installed),
            VIRTUFIN_SECRET_BEACON_USER="trader",
            VIRTUFIN_SECRET_BEACON_PASSWORD=CANARY,
            VIRTUFIN_SECRET_BEACON_HOSTS="127.0.0.1",
        )
        yield {**program.until(lambda line: "gateway" in line), "run": run, "installed": installed}


def test_it_is_listed_and_described_with_its_package_and_version(platform):
    program = platform["run"](
        *("-m", "virtufin_examples.cli", "connectors", "describe", "beacon", "--json"),
        PYTHONPATH=str(platform["installed"]),
    )
    about = program.event("connector")
    assert program.end() == 0
    assert (about["package"], about["version"], about["status"]) == ("beacon-connector", "1.0.0", "ok")
    (url,) = about["urls"]
    assert (url["url"], url["limits"]["symbols"]) == ("wss://feed.beacon.example/socket", 50)
    assert {"login_url", "renew_seconds", "redundancy"} <= {option["name"] for option in about["options"]}


def numbers_of(items, topic):
    start = f'["event","{topic}",'
    return [json.loads(item.data)[2] for item in items if item.text.startswith(start)]


async def read_until(subscription, items, enough):
    async with asyncio.timeout(25):
        async for item in subscription:
            items.append(item)
            if enough():
                return


async def test_it_logs_in_renews_its_token_without_a_gap_and_comes_back_after_a_cut(platform):
    async with (
        BeaconVenue("trader", CANARY, (7.0, 3600.0)) as venue,
        grpc.aio.insecure_channel(platform["websocketmanager"]) as channel,
        subscribe("beacon", api=platform["gateway"]) as subscription,
    ):
        stub = pb_grpc.WebSocketManagerStub(channel)
        options = {"login_url": venue.login_url, "renew_seconds": "5.5", "watch": "every"}
        connection = await stub.Connect(
            pb.ConnectRequest(url=venue.url, auto_reconnect=True, connector="beacon", options=options)
        )
        for topic in ("prices:ABC", "prices:NONE", "prices:XYZ"):
            join = json.dumps(["join", topic]).encode()
            await stub.SendRaw(
                pb.SendRawRequest(id=connection.id, message=join, content_type="application/json")
            )
        await stub.StartPublish(
            pb.StartPublishRequest(id=connection.id, topic="beacon", encoding="batch", markers="inline")
        )
        items = []
        first = venue.sockets[0]
        await read_until(
            subscription,
            items,
            lambda: len(venue.sockets) == 2 and first.ended and venue.open_sockets[0].beats > 0,
        )
        assert not any(isinstance(item, Gap) for item in items), items
        for topic in ("prices:ABC", "prices:XYZ"):  # the refused one harmed no other
            numbers = numbers_of(items, topic)
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert (first.left, first.token) == ("", "token-1")  # replaced in time, not cut
        assert (venue.open_sockets[0].token, venue.open_sockets[0].topics) == (
            "token-2",
            ["prices:ABC", "prices:XYZ"],
        )

        before = len(items)
        venue.cut()
        await read_until(
            subscription,
            items,
            lambda: isinstance(items[-1], Frame) and any(isinstance(item, Gap) for item in items[before:-99]),
        )
        gaps = [item for item in items if isinstance(item, Gap)]
        assert gaps[-1].ended
        assert {gap.cause for gap in gaps} == {"reconnect"}
        numbers = numbers_of([item for item in items[before:] if isinstance(item, Frame)], "prices:ABC")
        jumps = [(a, b) for a, b in itertools.pairwise(numbers) if b != a + 1]
        assert len(jumps) <= 1  # all that is missing lies inside the gap
        assert len(venue.tokens) == 2  # the token was still good
        assert venue.refused_upgrades == 0
        (listed,) = (await stub.List(pb.ListConnectionsRequest())).connections
        assert (listed.status, listed.restorable) == ("connected", True)
        await stub.Disconnect(pb.DisconnectRequest(id=connection.id))
    assert CANARY not in "".join(item.text for item in items if isinstance(item, Frame))


async def test_a_login_that_is_refused_is_an_error_of_create_with_the_status(platform):
    async with (
        BeaconVenue("trader", "another", (3600.0,)) as venue,
        grpc.aio.insecure_channel(platform["websocketmanager"]) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError, match="401") as refused:
            await pb_grpc.WebSocketManagerStub(channel).Connect(
                pb.ConnectRequest(
                    url=venue.url,
                    auto_reconnect=True,
                    connector="beacon",
                    options={"login_url": venue.login_url},
                )
            )
        assert CANARY not in str(refused.value)
        assert venue.sockets == []
