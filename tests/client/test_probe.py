"""What `feed_status` gathers from a platform behind real gRPC."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from tests.client.fakes import FakePlatform
from virtufin_examples.client import RUN_TAG, ApiClient, CloudEvent, Health, Link, feed_status
from virtufin_examples.client import _probe as probe
from virtufin_examples.errors import NotFoundError, UnavailableError
from virtufin_examples.frames import (
    BATCH_CONTENT_TYPE,
    BATCH_EVENT_TYPE,
    NOTE_CONTENT_TYPE,
    Frame,
    Heartbeat,
    encode_batch,
    encode_note,
    events_topic,
)

SHORT = 0.05


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_DRAIN_SECONDS", 0.0)


@pytest.fixture
def feed(platform: FakePlatform) -> FakePlatform:
    platform.workers["w-1"] = {"id": "w-1", "tags": {RUN_TAG: "run-1"}, "status": "WORKER_STATUS_RUNNING"}
    platform.connections["c-1"] = {
        "id": "c-1",
        "url": "wss://stream.data.alpaca.markets/v1beta3/crypto/us",
        "status": "connected",
        "topic": "ticks",
        "owner": "w-1",
        "tags": {RUN_TAG: "run-1"},
        "connector": "alpaca",
        "frames": "7",
        "last_received_ns": str(time.time_ns()),
    }
    return platform


def event_of(note_or_frame) -> CloudEvent:
    if isinstance(note_or_frame, Frame):
        data = encode_batch([note_or_frame], instance="i")
        return CloudEvent(type=BATCH_EVENT_TYPE, data=data, content_type=BATCH_CONTENT_TYPE)
    event_type, data = encode_note(note_or_frame)
    return CloudEvent(type=event_type, data=data, content_type=NOTE_CONTENT_TYPE)


@asynccontextmanager
async def broadcasting(platform: FakePlatform, topic: str, what):
    """Send it again and again while the block runs."""

    async def send() -> None:
        while True:
            platform._broadcast(topic, event_of(what))
            await asyncio.sleep(0.005)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def health(found, link: Link) -> Health:
    return next(one.health for one in found.findings if one.link is link)


@pytest.mark.parametrize("name", ["", "run-1", "ticks", "c-1", "w-1"])
async def test_a_feed_is_found_by_any_of_its_names(feed: FakePlatform, api: ApiClient, name: str) -> None:
    frame = Frame("ticks", "c-1", 1, 8, time.time_ns(), b'[{"T":"t","S":"BTC/USD"}]')
    async with broadcasting(feed, "ticks", frame):
        (found,) = await feed_status(api, name, listen_seconds=SHORT)
    assert found.broken is None, found.sentence
    assert found.name == (name or "ticks")
    assert [health(found, link) for link in (Link.WORKER, Link.SOCKET, Link.BROKER, Link.SUBSCRIBER)] == [
        Health.OK
    ] * 4
    assert "ms after they were received" in found.sentence


async def test_a_heartbeat_on_the_companion_is_a_sign_of_life(feed: FakePlatform, api: ApiClient) -> None:
    async with broadcasting(feed, events_topic("ticks"), Heartbeat(topic="ticks", kind="beat", sent_ns=1)):
        (found,) = await feed_status(api, "ticks", listen_seconds=SHORT)
    assert health(found, Link.SUBSCRIBER) is Health.OK


async def test_symbols_that_the_platform_tells_are_compared(feed: FakePlatform, api: ApiClient) -> None:
    feed.connections["c-1"] |= {"wanted_symbols": ["A", "B"], "acknowledged_symbols": ["A"]}
    (found,) = await feed_status(api, "ticks", listen_seconds=SHORT)
    assert (found.broken.link, "B" in found.broken.text) == (Link.SYMBOLS, True)


async def test_an_unknown_name_says_what_there_is(feed: FakePlatform, api: ApiClient) -> None:
    with pytest.raises(NotFoundError) as caught:
        await feed_status(api, "nobody", listen_seconds=SHORT)
    assert caught.value.hint == "there is ticks"


async def test_where_nothing_runs_nothing_is_found(platform: FakePlatform, api: ApiClient) -> None:
    assert await feed_status(api, listen_seconds=SHORT) == ()


async def test_a_worker_without_a_connection_is_a_broken_feed(feed: FakePlatform, api: ApiClient) -> None:
    feed.connections.clear()
    (found,) = await feed_status(api, listen_seconds=SHORT)
    assert (found.name, found.broken.text) == ("run-1", "its worker holds no connection")


async def test_a_failed_worker_is_named(feed: FakePlatform, api: ApiClient) -> None:
    feed.workers["w-1"] |= {"status": "WORKER_STATUS_FAILED", "failure": "it crashed"}
    (found,) = await feed_status(api, "ticks", listen_seconds=SHORT)
    assert (found.broken.link, "it crashed" in found.sentence) == (Link.WORKER, True)


async def test_managers_that_do_not_answer(feed: FakePlatform, api: ApiClient) -> None:
    feed.failures["ListWorkers"] = UnavailableError("no WorkManager")
    (found,) = await feed_status(api, "ticks", listen_seconds=SHORT)
    assert health(found, Link.WORKER) is Health.UNKNOWN
    feed.failures["List"] = UnavailableError("no WebSocketManager")
    (found,) = await feed_status(api, "ticks", listen_seconds=SHORT)
    assert (found.broken.link, found.broken.text) == (Link.MANAGER, "no WebSocketManager")


async def test_a_broker_that_swallows_messages_is_found(
    feed: FakePlatform, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(feed, "_broadcast", lambda topic, event: None)
    (found,) = await feed_status(api, "ticks", listen_seconds=SHORT)
    assert (found.broken.link, "did not come back within 0.2 s" in found.sentence) == (Link.BROKER, True)


async def test_a_url_that_this_version_does_not_know_is_no_error(feed: FakePlatform, api: ApiClient) -> None:
    feed.connections["c-1"]["url"] = "wss://stream.data.alpaca.markets/v9/nothing"
    (found,) = await feed_status(api, "ticks", listen_seconds=SHORT)
    assert health(found, Link.MARKET) is Health.UNKNOWN
