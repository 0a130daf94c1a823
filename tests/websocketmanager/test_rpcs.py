"""Every RPC with good and bad input, over real gRPC; network, clock and bus in memory."""

from __future__ import annotations

import asyncio
import json

import grpc
import pytest

from tests.websocketmanager.fakes import MemoryBus
from tests.websocketmanager.platform import running_service
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples.connections import (
    ConnectorRegistry,
    MemoryNetwork,
    SocketConnectError,
    UpgradeRefusedError,
    VirtualClock,
    settle,
)

URL = "wss://venue.example/feed"
CODE = grpc.StatusCode


class World:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.bus = MemoryBus({"venue": {"key": "CANARY-123", "hosts": "venue.example"}})
        self.network = MemoryNetwork(self.clock)
        self.server = self.network.serve(URL)

    async def connect(self, **fields):
        answer = await self.stub.Connect(pb.ConnectRequest(url=URL, **fields))
        return answer.id, await self.server.accept()

    async def listed(self):
        return list((await self.stub.List(pb.ListConnectionsRequest())).connections)

    def lifecycle(self):
        return [
            (metadata["cloudevent.type"].rpartition(".")[2], json.loads(data))
            for _, data, _, metadata in self.bus.on("websocketmanager.lifecycle")
        ]


@pytest.fixture
async def world():
    world = World()
    parts = {"network": world.network, "clock": world.clock, "connectors": ConnectorRegistry()}
    async with running_service(world.bus, **parts) as (stub, addresses, service):
        world.stub, world.addresses, world.service = stub, addresses, service
        yield world


async def refused(call, code, *words):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is code
    for word in words:
        assert word in caught.value.details()
    return caught.value.details()


@pytest.mark.parametrize(
    ("request_fields", "words"),
    [
        ({"url": ""}, ["url is missing", "wss://"]),
        ({"url": "https://venue.example/"}, ["https", "ws or wss"]),
        ({"url": "venue.example"}, ["scheme"]),
        ({"url": "wss:///path"}, ["no host"]),
        ({"url": "wss://venue.example:99999/"}, ["url"]),
        ({"url": "wss://venue.example:0/"}, ["no host"]),
        ({"url": "wss://user:hidden-word@venue.example/?q=hidden-word"}, ["user info", "secrets"]),
        ({"url": "wss://venue.example/a b"}, ["blanks"]),
        ({"url": "wss://venue.example/\r\nX: y"}, ["control"]),
        ({"url": "wss://venue.example/#frag"}, ["fragment"]),
        ({"url": "wss://venue.example/" + "x" * 5000}, ["5020", "4096"]),
        ({"url": URL, "connector": "generik"}, ["'generik'", "did you mean 'generic'"]),
        ({"url": URL, "options": {"speed": "1"}}, ['"speed"']),
        ({"url": URL, "tags": {str(n): "" for n in range(51)}}, ["51", "50"]),
        ({"url": URL, "tags": {"k" * 129: "v"}}, ["129", "128"]),
        ({"url": URL, "tags": {"k": "v" * 1025}}, ["1025", "1024"]),
        ({"url": URL, "tags": {"": "v"}}, ["empty"]),
    ],
)
async def test_connect_refuses_bad_input_and_nothing_changes(world, request_fields, words):
    details = await refused(
        world.stub.Connect(pb.ConnectRequest(**request_fields)), CODE.INVALID_ARGUMENT, *words
    )
    assert "hidden-word" not in details
    assert await world.listed() == []
    assert set(world.bus.state) == {"websocketmanager.connections.platform"}
    assert world.server.attempts == []


async def test_a_first_attempt_that_fails_leaves_nothing_without_auto_reconnect(world):
    world.server.answers.append(SocketConnectError("connection refused"))
    await refused(world.stub.Connect(pb.ConnectRequest(url=URL)), CODE.UNAVAILABLE, "connection refused")
    assert await world.listed() == []
    assert set(world.bus.state) == {
        "websocketmanager.connections",
        "websocketmanager.connections.platform",
    }


async def test_with_auto_reconnect_it_goes_on_trying(world):
    world.server.answers.append(SocketConnectError("connection refused"))
    answer = await world.stub.Connect(pb.ConnectRequest(url=URL, auto_reconnect=True))
    assert answer.status == "reconnecting"
    await refused(
        world.stub.SendRaw(pb.SendRawRequest(id=answer.id, message=b"x")),
        CODE.FAILED_PRECONDITION,
        "reconnecting",
        "connection refused",
    )
    await world.clock.advance(1)
    assert (await world.listed())[0].status == "connected"


async def test_a_permanent_refusal_is_an_error_that_leaves_nothing(world):
    world.server.answers.append(UpgradeRefusedError(403, {}))
    await refused(
        world.stub.Connect(pb.ConnectRequest(url=URL, auto_reconnect=True)), CODE.FAILED_PRECONDITION, "403"
    )
    assert await world.listed() == []


async def test_unknown_ids_are_not_found(world):
    stub, nobody = world.stub, "nobody"
    for call in (
        stub.Disconnect(pb.DisconnectRequest(id=nobody)),
        stub.StartPublish(pb.StartPublishRequest(id=nobody, topic="t")),
        stub.StopPublish(pb.StopPublishRequest(id=nobody)),
        stub.Send(pb.SendRequest(id=nobody, message=b"x")),
        stub.SendRaw(pb.SendRawRequest(id=nobody, message=b"x")),
        stub.SetTag(pb.SetConnectionTagRequest(id=nobody, key="k")),
        stub.GetTag(pb.GetConnectionTagRequest(id=nobody, key="k")),
        stub.SetTags(pb.SetConnectionTagsRequest(id=nobody)),
        stub.GetTags(pb.GetConnectionTagsRequest(id=nobody)),
    ):
        await refused(call, CODE.NOT_FOUND, "'nobody'")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"topic": ""}, ["topic is missing"]),
        ({"topic": "a b"}, ["'a b'"]),
        ({"topic": "t" * 256}, ["256", "255"]),
        ({"topic": "t", "encoding": "json"}, ["encoding is 'json'", "frame, batch"]),
        ({"topic": "t", "overflow": "drop"}, ["overflow is 'drop'", "spool, block, drop_oldest"]),
        ({"topic": "t", "markers": "yes"}, ["markers is 'yes'", "inline, companion, none"]),
    ],
)
async def test_start_publish_names_the_value_and_the_choices(world, fields, words):
    connection_id, _ = await world.connect()
    await refused(
        world.stub.StartPublish(pb.StartPublishRequest(id=connection_id, **fields)),
        CODE.INVALID_ARGUMENT,
        *words,
    )
    assert (await world.listed())[0].topic == ""


async def test_publishing_to_another_topic_switches_without_a_loss(world):
    connection_id, peer = await world.connect()

    async def publish(topic, encoding="batch"):
        await world.stub.StartPublish(
            pb.StartPublishRequest(id=connection_id, topic=topic, encoding=encoding)
        )
        peer.send_text(f"to {topic} as {encoding}")
        await settle()

    await publish("one")
    await publish("one")
    await publish("two")
    await publish("two", "frame")
    frames = [m for m in world.bus.messages if m[0] in {"one", "two"} and m[2] != "text/plain"]
    assert [(m[0], m[2].partition(";")[0]) for m in frames] == [
        ("one", "application/octet-stream"),
        ("one", "application/octet-stream"),
        ("two", "application/octet-stream"),
        ("two", "application/cloudevents+json"),
    ]
    (listed,) = await world.listed()
    assert (listed.topic, listed.encoding, listed.last_sequence) == ("two", "frame", 4)


async def _start_publish(world, connection_id, **fields):
    await world.stub.StartPublish(pb.StartPublishRequest(id=connection_id, **fields))


async def _changing_over(world, connection_id):
    """Return a StartPublish that waits for the topic's publisher in the old way."""
    await _start_publish(world, connection_id, topic="t")
    await settle()
    world.bus.gate["t.events"] = asyncio.Event()
    change = asyncio.ensure_future(_start_publish(world, connection_id, topic="t", encoding="batch"))
    while not world.bus.in_flight["t.events"]:  # noqa: ASYNC110 - the bus in memory has no event for it
        await asyncio.sleep(0)
    return change


async def test_a_connection_that_ends_while_it_changes_over_is_not_published(world, capsys):
    connection_id, _ = await world.connect(auto_reconnect=True)
    change = await _changing_over(world, connection_id)
    await world.stub.Disconnect(pb.DisconnectRequest(id=connection_id))
    world.bus.gate["t.events"].set()
    await refused(change, CODE.NOT_FOUND, connection_id)
    sent = len(world.bus.messages)
    await world.clock.advance(10)
    assert {topic for topic, *_ in world.bus.messages[sent:]} <= {"websocketmanager.lifecycle"}
    assert not any(connection_id in key for key in world.bus.state)
    assert "record lost" not in "".join(capsys.readouterr())


async def test_what_a_connection_sent_that_fails_while_it_changes_over_is_published(world):
    connection_id, peer = await world.connect()
    change = await _changing_over(world, connection_id)
    peer.send_text("last words")
    await settle()
    peer.cut()
    await settle()
    assert (await world.listed())[0].status == "disconnected"
    world.bus.gate["t.events"].set()
    await change
    await settle()
    assert sum(b"last words" in data for _, data, *_ in world.bus.on("t")) == 1


async def test_what_comes_while_a_connection_changes_over_is_done_after_it(world):
    connection_id, _ = await world.connect()
    change = await _changing_over(world, connection_id)
    then = asyncio.ensure_future(_start_publish(world, connection_id, topic="u"))
    await settle()
    world.bus.gate["t.events"].set()
    await asyncio.gather(change, then)
    assert (await world.listed())[0].topic == "u"
    await world.clock.advance(1)
    sent = len(world.bus.messages)
    await world.clock.advance(10)
    assert {topic for topic, *_ in world.bus.messages[sent:]} == {"u.events"}


async def test_stop_publish_empties_the_topic_and_is_no_error_twice(world):
    connection_id, _ = await world.connect()
    await world.stub.StartPublish(pb.StartPublishRequest(id=connection_id, topic="t"))
    for _ in range(2):
        await world.stub.StopPublish(pb.StopPublishRequest(id=connection_id))
    assert (await world.listed())[0].topic == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"message": b""}, ["message is empty"]),
        ({"message": b"x" * (1024 * 1024 + 1)}, ["1048577", "1048576"]),
        ({"message": b"\xff", "content_type": "text/plain"}, ["UTF-8", "octet-stream"]),
        (
            {"message": b"${secret:venue/key}", "secrets": True, "content_type": "application/x-y"},
            ["text only"],
        ),
        ({"message": b"${secret:venue}", "secrets": True, "content_type": "text/plain"}, ["no reference"]),
    ],
)
async def test_send_raw_refuses_bad_messages(world, fields, words):
    connection_id, peer = await world.connect(auto_reconnect=True)
    await refused(
        world.stub.SendRaw(pb.SendRawRequest(id=connection_id, **fields)), CODE.INVALID_ARGUMENT, *words
    )
    assert peer.waiting() == 0
    assert (await world.listed())[0].restorable


@pytest.mark.parametrize(
    ("content_type", "binary"),
    [
        ("text/plain", False),
        ("application/json; charset=utf-8", False),
        ("", True),
        ("application/msgpack", True),
    ],
)
async def test_the_content_type_chooses_the_kind_of_frame(world, content_type, binary):
    connection_id, peer = await world.connect()
    await world.stub.SendRaw(pb.SendRawRequest(id=connection_id, message=b"{}", content_type=content_type))
    assert await peer.receive() == (b"{}", binary)


async def test_send_returns_what_follows_the_id(world):
    connection_id, peer = await world.connect()
    call = world.stub.Send(pb.SendRequest(id=connection_id, message=b"q", content_type="text/plain"))
    message, _ = await peer.receive()
    peer.send_text(message[:16].decode() + "answer")
    assert (await call).response == b"answer"


async def test_send_times_out_and_takes_no_negative_time(world):
    connection_id, peer = await world.connect()
    call = world.stub.Send(pb.SendRequest(id=connection_id, message=b"q", timeout_ms=50))
    await peer.receive()
    await world.clock.advance(0.06)
    await refused(call, CODE.DEADLINE_EXCEEDED, "0.05 s")
    await refused(
        world.stub.Send(pb.SendRequest(id=connection_id, message=b"q", timeout_ms=-1)),
        CODE.INVALID_ARGUMENT,
        "-1",
    )


async def test_tags(world):
    connection_id, _ = await world.connect(tags={"a": "1"})
    stub = world.stub
    await stub.SetTag(pb.SetConnectionTagRequest(id=connection_id, key="b", value="2"))
    assert (await stub.GetTag(pb.GetConnectionTagRequest(id=connection_id, key="b"))).value == "2"
    await stub.SetTags(pb.SetConnectionTagsRequest(id=connection_id, tags={"c": "3"}))
    assert dict((await stub.GetTags(pb.GetConnectionTagsRequest(id=connection_id))).tags) == {"c": "3"}
    await refused(stub.GetTag(pb.GetConnectionTagRequest(id=connection_id, key="a")), CODE.NOT_FOUND, "'a'")
    await refused(
        stub.SetTag(pb.SetConnectionTagRequest(id=connection_id, key="k" * 129)), CODE.INVALID_ARGUMENT, "129"
    )


async def test_an_owners_connections_end_together(world):
    mine = [(await world.connect(owner="w1"))[0] for _ in range(2)]
    other, _ = await world.connect(owner="w2")
    answer = await world.stub.DisconnectOwned(pb.DisconnectOwnedRequest(owner="w1"))
    assert sorted(answer.ids) == sorted(mine)
    assert [each.id for each in await world.listed()] == [other]
    await refused(world.stub.DisconnectOwned(pb.DisconnectOwnedRequest()), CODE.INVALID_ARGUMENT, "owner")


async def test_a_lease_that_is_not_renewed_ends_its_connections(world):
    _, peer = await world.connect(owner="w", lease_seconds=30)
    unleased, _ = await world.connect(owner="w")
    await world.clock.advance(29)
    assert (await world.stub.RenewLease(pb.RenewConnectionLeaseRequest(owner="w"))).renewed == 1
    await world.clock.advance(29)
    assert len(await world.listed()) == 2
    await world.clock.advance(3)
    assert [each.id for each in await world.listed()] == [unleased]
    assert peer.closed is not None
    assert world.lifecycle()[-1][0] == "disconnected"
    assert world.lifecycle()[-1][1]["reason"] == "lease lapsed"


async def test_the_lifecycle_topic_tells_the_story(world):
    connection_id, peer = await world.connect(owner="w", auto_reconnect=True)
    await world.stub.SendRaw(pb.SendRawRequest(id=connection_id, message=b"hello"))
    peer.cut()
    await world.clock.advance(1)
    await world.server.accept()
    await world.stub.Disconnect(pb.DisconnectRequest(id=connection_id))
    await settle()
    story = world.lifecycle()
    assert [kind for kind, _ in story] == [
        "connecting",
        "connected",
        "error",
        "reconnecting",
        "connected",
        "disconnected",
    ]
    assert {(data["connection_id"], data["owner"], data["url"]) for _, data in story} == {
        (connection_id, "w", URL)
    }
    assert story[3][1]["attempt"] == 1
    assert (story[4][1]["epoch"], story[4][1]["replayed"]) == (2, 1)
    assert story[5][1]["reason"] == "requested"


async def test_a_failed_connection_says_why_when_it_is_to_publish(world):
    connection_id, peer = await world.connect()
    peer.close(4000 - 2990, "")
    await settle()
    await refused(
        world.stub.StartPublish(pb.StartPublishRequest(id=connection_id, topic="t")),
        CODE.FAILED_PRECONDITION,
        "disconnected",
        "1010",
    )


async def test_no_secret_is_left_anywhere(world, capsys):
    connection_id, peer = await world.connect(auto_reconnect=True)
    await world.stub.SendRaw(
        pb.SendRawRequest(
            id=connection_id,
            message=b'{"key":"${secret:venue/key}"}',
            content_type="application/json",
            secrets=True,
        )
    )
    assert (await peer.receive())[0] == b'{"key":"CANARY-123"}'
    assert (await world.listed())[0].restorable
    await world.stub.SendRaw(
        pb.SendRawRequest(id=connection_id, message=b"CANARY-123 in the clear", content_type="text/plain")
    )
    query = await world.stub.Connect(pb.ConnectRequest(url=world_url(world, "?token=CANARY-123")))
    await world.stub.StartPublish(pb.StartPublishRequest(id=connection_id, topic="t"))
    peer.cut()
    await world.clock.advance(5)
    listed = {each.id: each for each in await world.listed()}
    assert not listed[connection_id].restorable
    assert (listed[query.id].url, listed[query.id].restorable) == (URL, False)
    await settle()
    everything = [value for value, _ in world.bus.state.values()] + [
        data for _, data, _, _ in world.bus.messages
    ]
    assert everything
    output = "".join(capsys.readouterr())
    for place in [*everything, str(listed).encode(), output.encode()]:
        assert b"CANARY-123" not in place
        assert b"Q0FOQVJZLTEyM" not in place


def world_url(world, query: str) -> str:
    world.network.serve(URL + query)
    return URL + query


async def test_a_secret_for_another_host_is_denied_and_changes_nothing(world):
    elsewhere = "wss://elsewhere.example/"
    server = world.network.serve(elsewhere)
    connection_id = (await world.stub.Connect(pb.ConnectRequest(url=elsewhere, auto_reconnect=True))).id
    peer = await server.accept()
    message = {"message": b"${secret:venue/key}", "content_type": "text/plain", "secrets": True}
    await refused(
        world.stub.SendRaw(pb.SendRawRequest(id=connection_id, **message)),
        CODE.PERMISSION_DENIED,
        "elsewhere.example",
        "venue.example",
    )
    assert peer.waiting() == 0
    message["message"] = b"${secret:missing/key}"
    await refused(
        world.stub.SendRaw(pb.SendRawRequest(id=connection_id, **message)), CODE.NOT_FOUND, "missing"
    )


async def test_metrics_show_what_happens(world):
    import httpx

    connection_id, peer = await world.connect(owner="w")
    await world.stub.StartPublish(pb.StartPublishRequest(id=connection_id, topic="t", encoding="batch"))
    peer.send_text("12345")
    await settle()
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://{world.addresses.http}/metrics")).text
    labels = f'{{connection_id="{connection_id}",owner="w"}}'
    assert f"virtufin_websocketmanager_frames_total{labels} 1.0" in text
    assert f"virtufin_websocketmanager_bytes_total{labels} 5.0" in text
    assert 'virtufin_websocketmanager_connections{state="connected"} 1.0' in text
    assert 'virtufin_websocketmanager_queue_bytes{topic="t"} 0.0' in text
    assert 'virtufin_websocketmanager_publish_seconds_count{topic="t"} 2.0' in text
