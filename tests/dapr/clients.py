"""Three clients behind one face: the `dapr` SDK, sync and async, and our bus.

All is async here; what blocks runs in threads. Reading ahead of the test takes nothing away from it: a
message counts as taken only when it is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import dapr.aio.clients
import dapr.clients
import grpc.aio
from dapr.aio.clients.grpc.interceptors import DaprClientInterceptorAsync
from dapr.clients.grpc._response import TopicEventResponseStatus
from dapr.clients.grpc.interceptors import DaprClientInterceptor
from dapr.conf import settings
from dapr.proto.runtime.v1 import dapr_pb2_grpc, metadata_pb2

from tests.dapr.sidecars import Sidecar
from virtufin_examples.bus import Ack, Delivery
from virtufin_examples.bus.dapr import MAX_MESSAGE_BYTES, DaprBus
from virtufin_examples.errors import VirtufinError

PUBSUB = "pubsub"
WAIT_SECONDS = 15.0
_STATUS = {
    Ack.SUCCESS: TopicEventResponseStatus.success,
    Ack.RETRY: TopicEventResponseStatus.retry,
    Ack.DROP: TopicEventResponseStatus.drop,
}


class Kind(enum.StrEnum):
    SYNC = "sdk-sync"
    ASYNC = "sdk-async"
    OURS = "ours"


@dataclass(frozen=True)
class Message:
    id: str
    topic: str
    data: bytes
    content_type: str
    type: str
    source: str
    extensions: dict
    native: object


class Reader:
    """A subscription: what it got waits here until the test takes it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[Message | Exception] = asyncio.Queue()

    def arrived(self, message: Message | Exception) -> None:
        self._arrived.put_nowait(message)

    async def next(self, seconds: float = WAIT_SECONDS) -> Message:
        """Return the next message."""
        async with asyncio.timeout(seconds):
            message = await self._arrived.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def take(self, seconds: float = WAIT_SECONDS) -> Message:
        """Return the next message, answered with success."""
        message = await self.next(seconds)
        await self.answer(message)
        return message

    async def take_all(self, count: int) -> list[Message]:
        """Return the next messages, each answered with success."""
        return [await self.take() for _ in range(count)]

    async def nothing(self, seconds: float) -> bool:
        """Whether nothing arrives for a time: for what a further message would not end."""
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False

    async def answer(self, message: Message, ack: Ack = Ack.SUCCESS) -> None: ...

    async def close(self) -> None: ...


class Client(Protocol):
    async def publish(
        self, topic: str, data: bytes, content_type: str = "text/plain", **metadata: str
    ) -> None: ...

    async def subscribe(self, topic: str, *, dead: str = "", metadata: dict | None = None) -> Reader: ...

    async def close(self) -> None: ...


async def connect(kind: Kind, sidecar: Sidecar, app_id: str) -> Client:
    """Return a client. The app id goes along, which a sidecar ignores and the embedded runtime needs."""
    settings.DAPR_HTTP_ENDPOINT = f"http://{sidecar.http}"
    settings.DAPR_API_TOKEN = sidecar.token
    named = [("dapr-app-id", app_id)] if app_id != sidecar.app_id else []
    if kind is Kind.OURS:
        bus = DaprBus(target=sidecar.grpc, app_id=app_id, api_token=sidecar.token)
        with contextlib.suppress(VirtufinError):  # a test of the token's
            await bus.sidecar()  # as a service does at its start: the embedded runtime has a shorter way
        return Ours(bus)
    if kind is Kind.ASYNC:
        return AsyncSdk(
            dapr.aio.clients.DaprClient(
                sidecar.grpc,
                interceptors=[DaprClientInterceptorAsync(named)] if named else None,
                max_grpc_message_length=MAX_MESSAGE_BYTES,
            )
        )
    return SyncSdk(
        await asyncio.to_thread(
            dapr.clients.DaprClient,
            sidecar.grpc,
            interceptors=[DaprClientInterceptor(named)] if named else None,
            max_grpc_message_length=MAX_MESSAGE_BYTES,
        )
    )


class SyncSdk:
    def __init__(self, client: dapr.clients.DaprClient) -> None:
        self.client = client

    async def publish(
        self, topic: str, data: bytes, content_type: str = "text/plain", **metadata: str
    ) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.to_thread(
                self.client.publish_event,
                PUBSUB,
                topic,
                data,
                publish_metadata=metadata,
                data_content_type=content_type,
            )

    async def publish_bulk(self, topic: str, entries: Sequence, **metadata: str):
        return await asyncio.to_thread(
            self.client.publish_events, PUBSUB, topic, entries, publish_metadata=metadata
        )

    async def subscribe(self, topic: str, *, dead: str = "", metadata: dict | None = None) -> Reader:
        subscription = await asyncio.to_thread(self.client.subscribe, PUBSUB, topic, metadata, dead or None)
        return _SyncReader(subscription, lambda: asyncio.to_thread(self.client.get_metadata))

    async def close(self) -> None:
        await asyncio.to_thread(self.client.close)


class _SyncReader(Reader):
    def __init__(self, subscription, call: Callable[[], Awaitable]) -> None:
        super().__init__()
        self._subscription = subscription
        self._call = call
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        while True:
            try:
                arrived = _from_sdk(self._subscription.next_message())
            except Exception as error:  # noqa: BLE001 - the SDK raises the bare class; the test gets it
                arrived = error
            with contextlib.suppress(RuntimeError):  # the loop may have ended with the test
                self._loop.call_soon_threadsafe(self.arrived, arrived)
            if isinstance(arrived, Exception):
                return

    async def answer(self, message: Message, ack: Ack = Ack.SUCCESS) -> None:
        self._subscription.respond(message.native, _STATUS[ack])

    async def close(self) -> None:
        await _answers_written(self._subscription, self._call)
        await asyncio.to_thread(self._subscription.close)
        await asyncio.to_thread(self._thread.join, WAIT_SECONDS)


class AsyncSdk:
    def __init__(self, client: dapr.aio.clients.DaprClient) -> None:
        self.client = client

    async def publish(
        self, topic: str, data: bytes, content_type: str = "text/plain", **metadata: str
    ) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            await self.client.publish_event(
                PUBSUB, topic, data, publish_metadata=metadata, data_content_type=content_type
            )

    async def publish_bulk(self, topic: str, entries: Sequence, **metadata: str):
        return await self.client.publish_events(PUBSUB, topic, entries, publish_metadata=metadata)

    async def subscribe(self, topic: str, *, dead: str = "", metadata: dict | None = None) -> Reader:
        subscription = await self.client.subscribe(PUBSUB, topic, metadata or {}, dead)
        return _AsyncReader(subscription, self.client.get_metadata)

    async def close(self) -> None:
        await self.client.close()


class _AsyncReader(Reader):
    def __init__(self, subscription, call: Callable[[], Awaitable]) -> None:
        super().__init__()
        self._subscription = subscription
        self._call = call
        self._task = asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        try:
            while True:
                self.arrived(_from_sdk(await self._subscription.next_message()))
        except Exception as error:  # noqa: BLE001 - the SDK raises the bare class; the test gets it
            self.arrived(error)

    async def answer(self, message: Message, ack: Ack = Ack.SUCCESS) -> None:
        await self._subscription.respond(message.native, _STATUS[ack])

    async def close(self) -> None:
        await _answers_written(self._subscription, self._call)
        await self._subscription.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class Ours:
    def __init__(self, bus: DaprBus) -> None:
        self.bus = bus

    async def publish(
        self, topic: str, data: bytes, content_type: str = "text/plain", **metadata: str
    ) -> None:
        await self.bus.publish(topic, data, content_type=content_type, metadata=metadata)

    async def subscribe(self, topic: str, *, dead: str = "", metadata: dict | None = None) -> Reader:
        return _OurReader(await self.bus.subscribe(topic, dead_letter_topic=dead, metadata=metadata))

    async def close(self) -> None:
        await self.bus.close()


class _OurReader(Reader):
    def __init__(self, subscription) -> None:
        super().__init__()
        self._subscription = subscription
        self._task = asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        async for delivery in self._subscription:
            self.arrived(_from_ours(delivery))

    async def answer(self, message: Message, ack: Ack = Ack.SUCCESS) -> None:
        await message.native.answer(ack)

    async def close(self) -> None:
        await self._subscription.close()
        await self._task


async def ended(sidecar: Sidecar, topic: str) -> None:
    """Return when the sidecar lists the subscription no more.

    On Kafka one that begins before that is ended with it, and gets nothing for ever.
    """
    async with grpc.aio.insecure_channel(sidecar.grpc) as channel, asyncio.timeout(WAIT_SECONDS):
        stub = dapr_pb2_grpc.DaprStub(channel)
        while True:
            metadata = await stub.GetMetadata(metadata_pb2.GetMetadataRequest())
            if topic not in {subscription.topic for subscription in metadata.subscriptions}:
                return
            await asyncio.sleep(0.05)


async def _answers_written(subscription, call: Callable[[], Awaitable]) -> None:
    """Return when the sidecar has the answers: the SDK's close lets go of those that it has not written yet.

    A call on the same connection comes after them.
    """
    with contextlib.suppress(Exception):  # a sidecar that is gone needs none
        async with asyncio.timeout(1):
            while not subscription._send_queue.empty():  # noqa: ASYNC110 - the SDK's, which has no event
                await asyncio.sleep(0)
            await call()


def _from_sdk(message) -> Message:
    return Message(
        message.id(),
        message.topic(),
        message.raw_data(),
        message.data_content_type(),
        message.type(),
        message.source(),
        message.extensions(),
        message,
    )


def _from_ours(delivery: Delivery) -> Message:
    event = delivery.event
    return Message(
        event.id,
        event.topic,
        event.data,
        event.content_type,
        event.type,
        event.source,
        dict(event.extensions),
        delivery,
    )
