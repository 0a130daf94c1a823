"""The service as its users meet it: gRPC in, topics out, over the embedded runtime and real sockets."""

from __future__ import annotations

import asyncio
import json
import socket

import grpc
import httpx
import pytest

from tests.websocketmanager.fakes import MemoryBus
from tests.websocketmanager.platform import running_platform, settings
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples.errors import UnavailableError
from virtufin_examples.frames import decode_batch
from virtufin_examples.websocketmanager import WebSocketManagerService


@pytest.fixture
async def platform():
    async with running_platform() as running:
        yield running


async def _connect(platform, **fields):
    answer = await platform.stub.Connect(pb.ConnectRequest(url=platform.peer.url, **fields))
    return answer.id, await platform.peer.accept()


async def test_frames_of_a_connection_come_out_in_order_from_sequence_1(platform):
    topic = await platform.listen("ticks")
    connection_id, peer = await _connect(platform, owner="worker-1", tags={"run": "r1"})
    await platform.stub.SendRaw(
        pb.SendRawRequest(
            id=connection_id, message=b'{"action":"subscribe"}', content_type="application/json"
        )
    )
    assert await peer.receive() == (b'{"action":"subscribe"}', False)
    peer.send_text("held one")
    peer.send_binary(b"\x00two")
    await platform.stub.StartPublish(pb.StartPublishRequest(id=connection_id, topic="ticks"))
    peer.send_text("live three")

    events = [await topic.next() for _ in range(3)]

    assert [event.data for event in events] == [b"held one", b"\x00two", b"live three"]
    assert [event.extensions["sequence"] for event in events] == ["1", "2", "3"]
    assert {event.extensions["connectionid"] for event in events} == {connection_id}
    assert {event.extensions["epoch"] for event in events} == {"1"}
    assert [event.content_type for event in events] == [
        "text/plain",
        "application/octet-stream",
        "text/plain",
    ]


async def test_a_batch_topic_carries_frames_and_heartbeats(platform):
    topic = await platform.listen("ticks")
    connection_id, peer = await _connect(platform)
    await platform.stub.StartPublish(
        pb.StartPublishRequest(id=connection_id, topic="ticks", encoding="batch")
    )
    start = await topic.next()
    assert start.type == "com.virtufin.websocketmanager.heartbeat"
    assert json.loads(start.data)["kind"] == "start"
    for number in range(100):
        peer.send_text(f"frame {number}")

    frames = []
    while len(frames) < 100:
        event = await topic.next_of("batch")
        assert event.content_type == "application/octet-stream;schema=virtufin.v1.FrameBatch"
        frames += decode_batch("ticks", event.data)

    assert [frame.text for frame in frames] == [f"frame {number}" for number in range(100)]
    assert [frame.sequence for frame in frames] == list(range(1, 101))

    await platform.stub.StopPublish(pb.StopPublishRequest(id=connection_id))
    stop = await topic.next_of("heartbeat")
    assert json.loads(stop.data)["kind"] == "stop"
    assert json.loads(stop.data)["connections"][0]["last_sequence"] == 100


async def test_list_describes_and_disconnect_forgets(platform):
    connection_id, peer = await _connect(platform, owner="w", tags={"run": "1"}, auto_reconnect=True)
    other_id, _ = await _connect(platform, tags={"run": "2"})

    everything = await platform.stub.List(pb.ListConnectionsRequest())
    assert {each.id for each in everything.connections} == {connection_id, other_id}
    (mine,) = (
        await platform.stub.List(
            pb.ListConnectionsRequest(filters=[pb.ConnectionTagFilter(key="run", value="1")])
        )
    ).connections
    assert (mine.id, mine.status, mine.owner, mine.epoch, mine.connector) == (
        connection_id,
        "connected",
        "w",
        1,
        "generic",
    )
    assert mine.restorable
    assert mine.auto_reconnect

    await platform.stub.Disconnect(pb.DisconnectRequest(id=connection_id))
    await peer.gone.wait()
    assert peer.closed[0] == 1000
    assert [each.id for each in (await platform.stub.List(pb.ListConnectionsRequest())).connections] == [
        other_id
    ]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await platform.stub.Disconnect(pb.DisconnectRequest(id=connection_id))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_spool_that_cannot_be_used_is_said_by_health_and_metrics(tmp_path):
    (tmp_path / "file").write_text("")
    broken = settings(spool_dir=tmp_path / "file" / "spool")
    async with (
        running_platform(settings=broken) as platform,
        httpx.AsyncClient(base_url=f"http://{platform.http}") as client,
    ):
        health = (await client.get("/health/ready")).json()
        metrics = (await client.get("/metrics")).text
    assert health["status"] == "ready", "frames still flow"
    assert "cannot be used" in health["checks"]["spool"]
    assert "virtufin_websocketmanager_spool_failing 1.0" in metrics


async def test_a_spool_that_works_says_so(platform):
    async with httpx.AsyncClient(base_url=f"http://{platform.http}") as client:
        assert (await client.get("/health/ready")).json()["checks"] == {"spool": "ok"}
        assert "virtufin_websocketmanager_spool_failing 0.0" in (await client.get("/metrics")).text


async def test_a_service_that_cannot_start_stops_listening():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bus = MemoryBus()
    bus.state_down = True
    before = asyncio.all_tasks()
    service = WebSocketManagerService(
        settings().model_copy(update={"websocketmanager_grpc_port": port}), bus=bus
    )
    with pytest.raises(UnavailableError, match="state store is down"):
        await service.start()
    socket.create_server(("127.0.0.1", port)).close()
    assert asyncio.all_tasks() == before
