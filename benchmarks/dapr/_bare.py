"""The limit: the generated stubs of Dapr and nothing else, one call at a time as the order demands."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

import grpc.aio
from dapr.proto.runtime.v1 import appcallback_pb2, dapr_pb2_grpc, pubsub_pb2

from benchmarks.dapr._protocol import (
    BULK_ENTRIES,
    CONNECTION,
    END,
    PAYLOAD,
    PUBLISHER,
    WARM_UP_FRAMES,
    Task,
    Way,
)
from virtufin_examples.bus import CLOUDEVENT_JSON
from virtufin_examples.bus.dapr import MAX_MESSAGE_BYTES
from virtufin_examples.frames import BATCH_CONTENT_TYPE, Encoding, Frame, encode_batch, encode_frame_event
from virtufin_examples.websocketmanager._publisher import BATCH_BYTES

BATCH_FRAMES = BATCH_BYTES // len(PAYLOAD)
_PUBSUB = "pubsub"
_BYTES = "application/octet-stream"
_LIMITS = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.enable_http_proxy", 0)]


class BareStub:
    """A channel with the stub of a sidecar, as an app id."""

    def __init__(self, endpoint: str, app_id: str) -> None:
        self._channel = grpc.aio.insecure_channel(endpoint, options=_LIMITS)
        self.calls: Any = dapr_pb2_grpc.DaprStub(self._channel)
        self.metadata = (("dapr-app-id", app_id),)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


class BarePublisher:
    """Publishes the messages that the product would publish."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._stub = BareStub(task.endpoint, PUBLISHER)
        frames = [
            Frame("", CONNECTION, 1, number + 1, time.time_ns(), PAYLOAD) for number in range(BATCH_FRAMES)
        ]
        self._batch = encode_batch(frames, instance="bare")
        self.sequence = 0

    async def warm_up(self) -> None:
        """Publish some messages."""
        for _ in range(WARM_UP_FRAMES):
            await self._publish(self._next_event(), CLOUDEVENT_JSON)

    async def run(self) -> None:
        """Publish for the task's time, then the end."""
        until = time.monotonic() + self._task.seconds
        while time.monotonic() < until:
            if self._task.encoding is Encoding.BATCH:
                await self._publish(self._batch, BATCH_CONTENT_TYPE)
                self.sequence += BATCH_FRAMES
            elif self._task.way is Way.BULK:
                await self._publish_bulk()
            else:
                await self._publish(self._next_event(), CLOUDEVENT_JSON)
        await self._publish(END, _BYTES)

    async def close(self) -> None:
        """Close the connection."""
        await self._stub.close()

    def _next_event(self) -> bytes:
        self.sequence += 1
        return encode_frame_event(Frame("", CONNECTION, 1, self.sequence, time.time_ns(), PAYLOAD))

    async def _publish(self, data: bytes, content_type: str) -> None:
        request = pubsub_pb2.PublishEventRequest(
            pubsub_name=_PUBSUB, topic=self._task.topic, data=data, data_content_type=content_type
        )
        await self._stub.calls.PublishEvent(request, metadata=self._stub.metadata)

    async def _publish_bulk(self) -> None:
        request = pubsub_pb2.BulkPublishRequest(
            pubsub_name=_PUBSUB,
            topic=self._task.topic,
            entries=[
                pubsub_pb2.BulkPublishRequestEntry(
                    entry_id=str(number), event=self._next_event(), content_type=CLOUDEVENT_JSON
                )
                for number in range(BULK_ENTRIES)
            ],
        )
        answer = await self._stub.calls.BulkPublishEvent(request, metadata=self._stub.metadata)
        if answer.failedEntries:
            raise RuntimeError(f"an entry of a bulk publish failed: {answer.failedEntries[0].error}")


async def bare_messages(stub: BareStub, topic: str) -> AsyncGenerator[Any, None]:
    """Yield None when the subscription is in force, then each message, which is acknowledged afterwards."""
    call = stub.calls.SubscribeTopicEventsAlpha1(metadata=stub.metadata)
    request = pubsub_pb2.SubscribeTopicEventsRequestAlpha1
    initial = pubsub_pb2.SubscribeTopicEventsRequestInitialAlpha1(pubsub_name=_PUBSUB, topic=topic)
    await call.write(request(initial_request=initial))
    await call.read()
    yield None
    try:
        while (answer := await call.read()) is not grpc.aio.EOF:
            yield answer.event_message
            done = pubsub_pb2.SubscribeTopicEventsRequestProcessedAlpha1(
                id=answer.event_message.id, status=appcallback_pb2.TopicEventResponse()
            )
            await call.write(request(event_processed=done))
    finally:
        with contextlib.suppress(grpc.aio.AioRpcError):
            await call.done_writing()
            await call.code()
