"""Healing as the service shows it: the record, the lifecycle topic, the markers."""

from __future__ import annotations

import json

import pytest

from tests.connections.toy_venue import ToyConnector
from tests.websocketmanager.fakes import MemoryBus
from tests.websocketmanager.platform import running_service
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples.connections import ConnectorRegistry, MemoryNetwork, VirtualClock, settle

URL = "wss://venue.example/feed"


class World:
    def __init__(self, **limits) -> None:
        self.clock = VirtualClock()
        self.bus = MemoryBus({"venue": {"key": "KEY", "hosts": "venue.example"}})
        self.network = MemoryNetwork(self.clock)
        self.server = self.network.serve(URL)
        self.connectors = ConnectorRegistry([ToyConnector(**limits)])

    def running(self):
        return running_service(self.bus, network=self.network, clock=self.clock, connectors=self.connectors)

    def lifecycle(self):
        return [
            (metadata["cloudevent.type"].rpartition(".")[2], json.loads(data))
            for _, data, _, metadata in self.bus.on("websocketmanager.lifecycle")
        ]


async def _say(stub, connection_id, text, *, secrets=False):
    await stub.SendRaw(
        pb.SendRawRequest(id=connection_id, message=text, content_type="text/plain", secrets=secrets)
    )


async def _open(world, stub, **options):
    answer = await stub.Connect(
        pb.ConnectRequest(url=URL, auto_reconnect=True, connector="toy", options=options)
    )
    peer = await world.server.accept()
    await _say(stub, answer.id, b"auth ${secret:venue/key}", secrets=True)
    peer.send_text("!ok")
    await _say(stub, answer.id, b"sub A B")
    peer.send_text("!set A B")
    await stub.StartPublish(pb.StartPublishRequest(id=answer.id, topic="t", encoding="batch"))
    await settle()
    return answer.id, peer


async def test_the_whole_wanted_set_with_later_changes_survives_a_restart():
    world = World()
    async with world.running() as (stub, _, _):
        connection_id, peer = await _open(world, stub)
        await _say(stub, connection_id, b"sub C")
        await _say(stub, connection_id, b"unsub A")
        (listed,) = (await stub.List(pb.ListConnectionsRequest())).connections
        assert listed.restorable
        await settle()
    assert b"KEY" not in b"".join(value for value, _ in world.bus.state.values())
    async with world.running() as (stub, _, _):
        peer = await world.server.accept()
        said = []
        for _ in range(3):
            said.append((await peer.receive())[0])
            peer.send_text("!ok")
        assert said == [b"auth KEY", b"sub B", b"sub C"]


async def test_the_lifecycle_topic_tells_attempts_truly_and_when_a_connection_is_live():
    world = World()
    async with world.running() as (stub, _, _):
        _, peer = await _open(world, stub)
        peer.cut()
        await world.clock.advance(0)
        await settle()
        kinds = [kind for kind, _ in world.lifecycle()]
        assert kinds == ["connecting", "connected", "live", "error", "reconnecting"]
        assert world.lifecycle()[-1][1]["attempt"] == 1


async def test_stale_and_restored_reach_the_topic():
    world = World()
    async with world.running() as (stub, _, _):
        _, peer = await _open(world, stub, quiet_seconds="5")
        for _ in range(10):
            peer.send_text("A 0 x")
            await world.clock.advance(1)
        await world.clock.advance(8)
        peer = await world.server.accept()
        for _ in range(3):
            await peer.receive()
            peer.send_text("!ok")
            await settle()
        peer.send_text("A 0 again")
        await world.clock.advance(3)
        kinds = [metadata["cloudevent.type"].rpartition(".")[2] for _, _, _, metadata in world.bus.on("t")]
    assert [kind for kind in kinds if kind in {"stale", "gap", "restored"}] == ["stale", "gap", "restored"]


async def test_redundancy_where_one_socket_is_allowed_is_refused_by_the_rpc():
    world = World(sockets=1)
    async with world.running() as (stub, _, _):
        with pytest.raises(Exception, match="allows 1 socket"):
            await stub.Connect(pb.ConnectRequest(url=URL, connector="toy", options={"redundancy": "2"}))
        assert not (await stub.List(pb.ListConnectionsRequest())).connections
    assert world.server.attempts == []
