"""Frames over the whole way: a socket, WebSocketManager and sidecar, `subscribe()` and another sidecar."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.dapr.targets import PUBSUBS, Target
from tests.websocketmanager.platform import running_bus, running_peer, running_service
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples.client import subscribe
from virtufin_examples.frames import Frame, Gap

pytestmark = pytest.mark.parametrize("target", PUBSUBS, indirect=True, scope="session")
both_encodings = pytest.mark.parametrize("encoding", ["frame", "batch"])

COUNT = 200


@asynccontextmanager
async def running_feed(target, topic: str, encoding: str):
    """Yield the socket's far end and a subscription; each side has a sidecar, save in-memory."""
    manager = target.sidecar("websocketmanager")
    reader = manager if target.target is Target.IN_MEMORY else target.sidecar("reader")
    async with (
        running_bus(manager.grpc, "websocketmanager") as bus,
        running_peer() as peer,
        running_service(bus) as (stub, _, _),
        subscribe(topic, dapr=reader.grpc, app_id="reader") as subscription,
    ):
        connected = await stub.Connect(pb.ConnectRequest(url=peer.url, auto_reconnect=True))
        await stub.StartPublish(pb.StartPublishRequest(id=connected.id, topic=topic, encoding=encoding))
        yield peer, subscription


async def read(subscription, frames: int, *, seconds: float = 30) -> list:
    """Return items until so many frames are among them."""
    items = []
    async with asyncio.timeout(seconds):
        while sum(isinstance(item, Frame) for item in items) < frames:
            items.append(await anext(subscription))
    return items


@both_encodings
async def test_every_frame_arrives_once_in_order_as_it_was_received(target, topic, encoding):
    async with running_feed(target, topic, encoding) as (peer, subscription):
        far_end = await peer.accept()
        for number in range(COUNT):
            if number % 2:
                far_end.send_binary(bytes((number % 256, 0xFF)))
            else:
                far_end.send_text(f'[{{"T":"o","n":{number},"p":1732108308123456789}}]')
        items = await read(subscription, COUNT)

    frames = [item for item in items if isinstance(item, Frame)]
    assert items == frames
    assert [frame.sequence for frame in frames] == list(range(1, COUNT + 1))
    assert frames[1].data == b"\x01\xff"
    assert frames[2].data == b'[{"T":"o","n":2,"p":1732108308123456789}]'
    assert (subscription.duplicates, subscription.late, subscription.gaps) == (0, 0, 0)


@both_encodings
async def test_a_reconnect_of_the_socket_is_one_gap_that_is_named(target, topic, encoding):
    async with running_feed(target, topic, encoding) as (peer, subscription):
        (await peer.accept()).send_text("first")
        before = await read(subscription, 1)
        peer.peers[0].cut()
        (await peer.accept()).send_text("second")
        after = await read(subscription, 1)

    assert [item.data for item in before] == [b"first"]
    gaps = [item for item in after if isinstance(item, Gap)]
    assert [(gap.cause, gap.epoch_before, gap.epoch_after) for gap in gaps] == [("reconnect", 1, 2)]
    assert after[-1].data == b"second"
    assert after[-1].epoch == 2
