"""Calls to a runtime by the generated stubs, driven by hand."""

from __future__ import annotations

import asyncio
import contextlib

import grpc.aio
import pytest
from dapr.proto.runtime.v1 import appcallback_pb2, pubsub_pb2

SUCCESS, RETRY, DROP = range(3)


class Reader:
    """One subscription stream, driven by hand."""

    def __init__(self, call) -> None:
        self.call = call

    async def event(self):
        response = await asyncio.wait_for(self.call.read(), 10)
        assert response is not grpc.aio.EOF
        return response.event_message

    async def answer(self, event_id, status=SUCCESS):
        processed = pubsub_pb2.SubscribeTopicEventsRequestProcessedAlpha1(
            id=event_id, status=appcallback_pb2.TopicEventResponse(status=status)
        )
        await self.call.write(pubsub_pb2.SubscribeTopicEventsRequestAlpha1(event_processed=processed))


@contextlib.asynccontextmanager
async def subscribed(stub, topic, *, dead="", app_id="", metadata=None):
    call = stub.SubscribeTopicEventsAlpha1(metadata=as_app(app_id))
    initial = pubsub_pb2.SubscribeTopicEventsRequestInitialAlpha1(
        pubsub_name="pubsub", topic=topic, metadata=metadata, dead_letter_topic=dead
    )
    await call.write(pubsub_pb2.SubscribeTopicEventsRequestAlpha1(initial_request=initial))
    assert (await call.read()).HasField("initial_response")
    try:
        yield Reader(call)
    finally:
        call.cancel()


def as_app(app_id):
    return (("dapr-app-id", app_id),) if app_id else None


async def publish(stub, topic, data=b"x", *, app_id="", content_type="text/plain", **metadata):
    request = pubsub_pb2.PublishEventRequest(
        pubsub_name="pubsub", topic=topic, data=data, data_content_type=content_type, metadata=metadata
    )
    await stub.PublishEvent(request, metadata=as_app(app_id))


async def code_of(awaitable):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value.code(), caught.value.details()


def stream_requests(stub, *requests):
    async def call():
        stream = stub.SubscribeTopicEventsAlpha1()
        for request in requests:
            await stream.write(request)
        await stream.done_writing()
        while await stream.read() is not grpc.aio.EOF:
            pass

    return call()


def initial(pubsub_name, topic):
    return pubsub_pb2.SubscribeTopicEventsRequestAlpha1(
        initial_request=pubsub_pb2.SubscribeTopicEventsRequestInitialAlpha1(
            pubsub_name=pubsub_name, topic=topic
        )
    )


async def exchange(address, request):
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer
