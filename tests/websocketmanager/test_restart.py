"""Stopping and starting again: what is flushed, restored, announced and forgotten."""

from __future__ import annotations

import asyncio
import json

import httpx
import msgspec

from tests.websocketmanager.fakes import MemoryBus
from tests.websocketmanager.platform import running_service, settings
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples.connections import (
    BLOCK_SIZE,
    ConnectorRegistry,
    MemoryNetwork,
    VirtualClock,
    settle,
)
from virtufin_examples.frames import decode_batch
from virtufin_examples.websocketmanager import WebSocketManagerService
from virtufin_examples.websocketmanager._index import INDEX_KEY
from virtufin_examples.websocketmanager._records import RECORD_PREFIX

URL = "wss://venue.example/feed"


class World:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.bus = MemoryBus({"venue": {"key": "KEY", "hosts": "venue.example"}})
        self.network = MemoryNetwork(self.clock)
        self.server = self.network.serve(URL)

    def running(self, **parts):
        return running_service(
            self.bus, network=self.network, clock=self.clock, connectors=ConnectorRegistry(), **parts
        )

    def batches(self, topic):
        return [(m[3]["cloudevent.type"].rpartition(".")[2], m[1]) for m in self.bus.on(topic)]


async def _feed(world, stub):
    answer = await stub.Connect(
        pb.ConnectRequest(url=URL, auto_reconnect=True, owner="w", tags={"run": "1"}, lease_seconds=60)
    )
    peer = await world.server.accept()
    await stub.SendRaw(
        pb.SendRawRequest(
            id=answer.id, message=b"auth ${secret:venue/key}", content_type="text/plain", secrets=True
        )
    )
    await stub.StartPublish(pb.StartPublishRequest(id=answer.id, topic="t", encoding="batch"))
    return answer.id, peer


async def test_stopping_flushes_and_closes_with_1001():
    world = World()
    async with world.running() as (stub, _, _):
        _, peer = await _feed(world, stub)
        peer.send_text("last words")
        await settle()
    assert peer.closed[0] == 1001
    kinds = world.batches("t")
    assert [kind for kind, _ in kinds] == ["heartbeat", "batch", "heartbeat"]
    assert json.loads(kinds[-1][1])["kind"] == "stop"


async def test_a_feed_is_restored_in_a_new_epoch_with_an_announced_gap():
    world = World()
    async with world.running() as (stub, _, _):
        connection_id, peer = await _feed(world, stub)
        peer.send_text("1")
        peer.send_text("2")
        await settle()
        stopped_at = world.clock.now_ns()
    world.bus.messages.clear()
    await world.clock.advance(100)

    async with world.running() as (stub, _, _):
        peer = await world.server.accept()
        assert (await peer.receive())[0] == b"auth KEY"
        peer.send_text("after the restart")
        await settle()
        (listed,) = (await stub.List(pb.ListConnectionsRequest())).connections
        assert (listed.id, listed.owner, listed.topic, listed.epoch) == (connection_id, "w", "t", 2)
        assert dict(listed.tags) == {"run": "1"}
        gap = json.loads(next(data for kind, data in world.batches("t") if kind == "gap"))
        frames = [f for kind, data in world.batches("t") if kind == "batch" for f in decode_batch("t", data)]
        assert (gap["cause"], gap["epoch_before"], gap["epoch_after"]) == ("restart", 1, 2)
        assert (gap["first_sequence"], gap["last_sequence"]) == (3, BLOCK_SIZE)
        assert (gap["from_ns"], gap["sequence"]) == (str(stopped_at), BLOCK_SIZE + 1)
        assert [(f.sequence, f.text) for f in frames] == [(BLOCK_SIZE + 3, "after the restart")]
        await world.clock.advance(62)
        assert not (await stub.List(pb.ListConnectionsRequest())).connections, "the lease counts again"


async def test_what_cannot_be_restored_is_forgotten_and_reported():
    world = World()
    async with world.running() as (stub, _, _):
        plain = await stub.Connect(pb.ConnectRequest(url=URL))
        await world.server.accept()
        verbatim = await stub.Connect(pb.ConnectRequest(url=URL, auto_reconnect=True, owner="w"))
        await world.server.accept()
        await stub.SendRaw(pb.SendRawRequest(id=verbatim.id, message=b"key=1", content_type="text/plain"))
    world.bus.messages.clear()

    async with world.running() as (stub, _, _):
        await settle()
        assert not (await stub.List(pb.ListConnectionsRequest())).connections
        reports = {
            json.loads(m[1])["connection_id"]: json.loads(m[1])
            for m in world.bus.on("websocketmanager.lifecycle")
        }
    assert set(reports) == {plain.id, verbatim.id}
    assert "without auto_reconnect" in reports[plain.id]["reason"]
    assert "in memory only" in reports[verbatim.id]["reason"]
    assert reports[verbatim.id]["owner"] == "w"
    assert msgspec.json.decode(world.bus.state["websocketmanager.connections"][0]) == []
    assert set(world.bus.state) == {
        "websocketmanager.connections",
        "websocketmanager.connections.platform",
    }


async def test_a_connection_of_a_newer_program_is_left_to_it_and_named():
    world = World()
    async with world.running() as (stub, _, _):
        connection_id, _ = await _feed(world, stub)
    key = RECORD_PREFIX + connection_id
    newer = msgspec.json.encode(
        {**msgspec.json.decode(world.bus.state[key][0]), "format_version": 2, "epoch": {"of": "another kind"}}
    )
    world.bus.state[key] = (newer, 1)

    async with world.running() as (stub, addresses, _):
        assert not (await stub.List(pb.ListConnectionsRequest())).connections
        async with httpx.AsyncClient() as client:
            ready = (await client.get(f"http://{addresses.http}/health/ready")).json()
    why = f"{connection_id}: the record has format version 2, this program reads up to 1"
    assert ready["checks"]["skipped records"] == why
    assert world.bus.state[key][0] == newer
    assert msgspec.json.decode(world.bus.state[INDEX_KEY][0]) == [connection_id]


async def test_instances_with_names_restore_their_own():
    world = World()
    async with world.running(settings=settings(instance_id="one")) as (stub, _, _):
        await _feed(world, stub)
    async with world.running(settings=settings(instance_id="two")) as (stub, _, _):
        assert not (await stub.List(pb.ListConnectionsRequest())).connections
    async with world.running(settings=settings(instance_id="one")) as (stub, _, _):
        (listed,) = (await stub.List(pb.ListConnectionsRequest())).connections
        assert listed.instance_id == "one"


async def test_who_is_taken_over_stops_publishing():
    world = World()
    async with world.running() as (stub, _, _):
        connection_id, peer = await _feed(world, stub)
        await settle()
        async with world.running() as (second_stub, _, _):
            second = await world.server.accept()
            peer.cut()
            await world.clock.advance(5)
            (old,) = (await stub.List(pb.ListConnectionsRequest())).connections
            (new,) = (await second_stub.List(pb.ListConnectionsRequest())).connections
            assert (old.status, new.status) == ("failed", "connected")
            assert "another instance" in old.reason or "somebody else" in old.reason
            assert second.closed is None
            assert connection_id == new.id
            assert old.topic == ""
            await stub.Disconnect(pb.DisconnectRequest(id=connection_id))
            assert "websocketmanager.connection." + connection_id in world.bus.state
            assert msgspec.json.decode(world.bus.state["websocketmanager.connections"][0]) == [connection_id]


async def test_who_finds_its_record_taken_stops_at_once():
    world = World()
    async with world.running() as (stub, _, _):
        connection_id, peer = await _feed(world, stub)
        await settle()
        key = "websocketmanager.connection." + connection_id
        world.bus.state[key] = (world.bus.state[key][0].replace(b'"epoch":1', b'"epoch":9'), 10_000)
        await stub.SetTag(pb.SetConnectionTagRequest(id=connection_id, key="k", value="v"))
        await settle()
        (listed,) = (await stub.List(pb.ListConnectionsRequest())).connections
        assert (listed.status, listed.topic, peer.closed[0]) == ("failed", "", 1001)


async def test_a_connection_ended_while_it_is_restored_stays_ended():
    world = World()
    async with world.running() as (stub, _, _):
        connection_id, _ = await _feed(world, stub)
    attempts = len(world.server.attempts)
    service = WebSocketManagerService(
        settings(), bus=world.bus, network=world.network, clock=world.clock, connectors=ConnectorRegistry()
    )
    endings = []

    async def end_instead(*_args, **_kwargs):
        world.bus.save_state = save
        endings.append(asyncio.ensure_future(service._manager.close(connection_id)))
        await asyncio.Event().wait()

    save, world.bus.save_state = world.bus.save_state, end_instead
    await service.start()
    try:
        await asyncio.gather(*endings)
        await settle()
        assert len(endings) == 1
        assert len(world.server.attempts) == attempts
        assert not any(connection_id in key for key in world.bus.state)
    finally:
        await service.stop()
