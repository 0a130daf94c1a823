"""Something dies: it recovers, or the error is clear, and nothing of it stays behind."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest

from tests.e2e.conftest import SCRIPT, control, eventually_none, processes_in
from virtufin_examples.client import (
    COMMAND_TOPIC,
    RESPONSE_TOPIC,
    ApiClient,
    FeedSettings,
    Frame,
    Gap,
    Requests,
    WebSocketManagerClient,
    WorkerCommands,
    WorkManagerClient,
    open_feed,
    subscribe,
)


@pytest.fixture
async def api(platform):
    async with ApiClient(platform["gateway"]) as client:
        yield client


async def frames_of(feed, count: int) -> list[Frame]:
    found: list[Frame] = []
    async for item in feed:
        if isinstance(item, Frame):
            found.append(item)
            if len(found) == count:
                return found
    raise AssertionError("the feed ended")


async def test_the_workers_host_is_killed_and_the_feed_runs_on(platform, api, settings_file):
    settings = FeedSettings.load(settings_file)
    async with open_feed(settings, api=api, dapr_endpoint=platform["runtime"]) as feed:
        await frames_of(feed, 5)
        (host,) = processes_in(platform["program"].folder, "workmanager.host")
        os.kill(host, signal.SIGKILL)
        assert len(await frames_of(feed, 20)) == 20
        requests = Requests(api, f"{RESPONSE_TOPIC}.test")
        commands = WorkerCommands(requests, f"{COMMAND_TOPIC}.{feed.info.worker.id}")
        (adopted,) = (await commands.list()).connections
        assert adopted.id == feed.info.connection_id
        await requests.close()
        (worker,) = await WorkManagerClient(api).list_workers()
        assert worker.restarts == 1


async def test_the_upstream_breaks_and_the_gap_is_announced(platform, api, settings_file, simulator):
    settings = FeedSettings.load(settings_file)
    async with open_feed(settings, api=api, dapr_endpoint=platform["runtime"]) as feed:
        before = (await frames_of(feed, 5))[-1]
        control(simulator, "drop", post=True)
        gap = None
        async for item in feed:
            if isinstance(item, Gap) and item.ended:
                gap = item
            if gap is not None and isinstance(item, Frame):
                break
        assert gap is not None
        assert (gap.cause, gap.connection_id) == ("reconnect", before.connection_id)
        assert gap.from_ns <= gap.to_ns
        assert (await frames_of(feed, 20))[-1].epoch == 2


async def test_a_subscriber_is_killed_and_the_others_miss_nothing(platform, api, settings_file, start):
    settings = FeedSettings.load(settings_file)
    async with open_feed(settings, api=api, dapr_endpoint=platform["runtime"]) as feed:
        other = start(
            "-m", "virtufin_examples.cli", "subscribe", "books", "--json", "--gateway", platform["gateway"]
        )
        other.event("frame")
        assert other.end(signal.SIGKILL) == -signal.SIGKILL
        frames = await frames_of(feed, 30)
        assert [frame.sequence for frame in frames] == list(range(1, 31))
        async with subscribe("books", dapr=platform["runtime"]) as again:
            assert isinstance(await anext(again), Frame)


def test_the_script_is_killed_and_its_own_platform_ends(start):
    run = start(SCRIPT, "--json")
    run.event("frame")
    assert run.end(signal.SIGKILL) == -signal.SIGKILL
    assert not eventually_none(lambda: processes_in(run.folder), seconds=10)


async def test_whoever_stops_renewing_loses_worker_and_connection(platform, api, settings_file):
    from virtufin_examples.worker_packages import python_package

    workers = WorkManagerClient(api)
    worker = await workers.create_worker(python_package(), topic=COMMAND_TOPIC, lease_seconds=1)
    await workers.start_worker(worker)
    requests = Requests(api, f"{RESPONSE_TOPIC}.test")
    commands = WorkerCommands(requests, f"{COMMAND_TOPIC}.{worker}")
    settings = FeedSettings.load(settings_file)
    await commands.create(settings.url, auto_reconnect=True, lease_seconds=1)
    await requests.close()

    connections = WebSocketManagerClient(api)
    while await workers.list_workers() or await connections.list_connections():
        pass  # every turn asks the platform anew; the test's time limit ends a lease that does not lapse


async def test_the_websocketmanager_is_killed_and_comes_back(platform, api, settings_file):
    (process,) = processes_in(platform["program"].folder, "cli websocketmanager")
    os.kill(process, signal.SIGKILL)
    connections = WebSocketManagerClient(api)
    while True:
        with contextlib.suppress(Exception):
            assert await connections.list_connections() == ()
            break
