"""Pubsub over real gRPC and the embedded runtime."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from tests.gateway.conftest import channel_to, served_gateway
from virtufin_examples._generated.io.cloudevents.v1.cloudevents_pb2 import CloudEvent
from virtufin_examples._generated.virtufin.v1 import pubsub_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import pubsub_pb2_grpc
from virtufin_examples.bus.dapr import DaprBus


def event(text: str = '{"a": 1}', **extensions: str) -> CloudEvent:
    message = CloudEvent(id="e-1", source="urn:test", type="test", spec_version="1.0", text_data=text)
    message.attributes["datacontenttype"].ce_string = "application/json"
    for name, value in extensions.items():
        message.attributes[name].ce_string = value
    return message


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> pubsub_pb2_grpc.PubsubStub:
    return pubsub_pb2_grpc.PubsubStub(channel)


async def test_a_published_event_reaches_every_subscriber_untouched(stub) -> None:
    streams = [stub.Subscribe(pb.SubscribeRequest(topic="ticks")) for _ in range(3)]
    firsts = [await stream.read() for stream in streams]
    assert all(first.topic == "ticks" and not first.HasField("cloudevent") for first in firsts)
    assert len({first.subscription_id for first in firsts}) == 3
    sent = event(correlationid="c", replytopic="r")
    answer = await stub.PublishEvent(pb.PublishEventRequest(topic="ticks", cloudevent=sent))
    assert (answer.success, answer.status) == (True, "OK")
    for stream in streams:
        got = await stream.read()
        assert got.message_id == "e-1"
        assert got.timestamp.endswith("Z")
        assert (got.cloudevent.id, got.cloudevent.source, got.cloudevent.type) == ("e-1", "urn:test", "test")
        assert got.cloudevent.text_data == '{"a": 1}'
        for name in ("correlationid", "replytopic", "datacontenttype"):
            assert got.cloudevent.attributes[name] == sent.attributes[name]
        stream.cancel()


async def test_a_bad_event_is_refused_and_names_the_field(stub) -> None:
    for request, field in (
        (pb.PublishEventRequest(topic="ticks", cloudevent=CloudEvent(id="1")), "cloudevent.source"),
        (pb.PublishEventRequest(topic="ticks"), "cloudevent.id"),
        (pb.PublishEventRequest(cloudevent=event()), "topic"),
        (pb.PublishEventRequest(topic="ticks", cloudevent=event(Bad="x")), "'Bad'"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.PublishEvent(request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert field in caught.value.details()
    with pytest.raises(grpc.aio.AioRpcError, match="topic is empty"):
        await stub.Subscribe(pb.SubscribeRequest()).read()


async def test_the_time_to_live_goes_to_the_bus(stub, bus: DaprBus) -> None:
    subscription = await bus.subscribe("ticks")
    await stub.PublishEvent(pb.PublishEventRequest(topic="ticks", cloudevent=event(), ttl_seconds=60))
    delivery = await anext(aiter(subscription))
    assert "expiration" in delivery.event.extensions


async def test_unsubscribe_ends_the_stream(stub) -> None:
    stream = stub.Subscribe(pb.SubscribeRequest(topic="ticks"))
    first = await stream.read()
    answer = await stub.Unsubscribe(pb.UnsubscribeRequest(subscription_id=first.subscription_id))
    assert answer.success
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() is grpc.StatusCode.OK
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Unsubscribe(pb.UnsubscribeRequest(subscription_id=first.subscription_id))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_caller_that_goes_away_frees_the_topic_also_while_it_is_written_to(bus: DaprBus) -> None:
    async with served_gateway(bus) as (service, addresses), channel_to(addresses.grpc) as channel:
        stub = pubsub_pb2_grpc.PubsubStub(channel)
        stream = stub.Subscribe(pb.SubscribeRequest(topic="ticks"))
        await stream.read()
        large = event('"' + "x" * 3_000_000 + '"')
        for _ in range(2):  # more than a connection takes unread
            await stub.PublishEvent(pb.PublishEventRequest(topic="ticks", cloudevent=large))
        stream.cancel()
        async with asyncio.timeout(5):
            while service._fanout._callers or service._fanout._topics:  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(0.01)


async def test_a_caller_that_does_not_read_is_cut_with_resource_exhausted(bus: DaprBus) -> None:
    async with (
        served_gateway(bus) as (_, addresses),
        channel_to(addresses.grpc) as channel,
        channel_to(addresses.grpc) as other,
    ):
        slow = pubsub_pb2_grpc.PubsubStub(other).Subscribe(pb.SubscribeRequest(topic="ticks"))
        await slow.read()
        stub = pubsub_pb2_grpc.PubsubStub(channel)
        quick = stub.Subscribe(pb.SubscribeRequest(topic="ticks"))
        await quick.read()
        large = event('"' + "x" * 3_000_000 + '"')
        for _ in range(8):
            await stub.PublishEvent(pb.PublishEventRequest(topic="ticks", cloudevent=large))
            assert len((await quick.read()).cloudevent.text_data) == 3_000_002
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_all(slow)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        quick.cancel()


async def read_all(stream) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


async def test_streams_end_at_once_when_the_gateway_stops(bus: DaprBus) -> None:
    async with served_gateway(bus) as (service, addresses), channel_to(addresses.grpc) as channel:
        stream = pubsub_pb2_grpc.PubsubStub(channel).Subscribe(pb.SubscribeRequest(topic="ticks"))
        await stream.read()
        async with asyncio.timeout(2.5):  # less than the grace of calls in flight
            await service.stop()
        with pytest.raises(grpc.aio.AioRpcError, match="stopping") as caught:
            await stream.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
