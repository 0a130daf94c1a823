"""Publish and subscribe over gRPC: the shell around the broker.

A publish to a topic with a full subscription waits for room, at most 5 s, and then fails with
RESOURCE_EXHAUSTED; nobody has got the message then. So a slow reader slows its publishers down instead of
losing messages, and one that stands still cannot hold them for ever: a subscription that stays full without
one answer for 30 s is ended with RESOURCE_EXHAUSTED.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import grpc.aio
import structlog
from dapr.proto.runtime.v1 import metadata_pb2, pubsub_pb2
from google.protobuf import empty_pb2

from virtufin_examples.bus._port import Ack
from virtufin_examples.bus.embedded._broker import Broker, Cause, Subscription, SubscriptionOptions
from virtufin_examples.bus.embedded._envelope import RAW_PAYLOAD, Moment, Publish, publication
from virtufin_examples.bus.embedded._message import PUBSUB_NAME
from virtufin_examples.errors import InvalidInputError, ResourceLimitError, VirtufinError

PUBLISH_WAIT_SECONDS = 5.0

_INITIAL_RESPONSE = pubsub_pb2.SubscribeTopicEventsResponseAlpha1(
    initial_response=pubsub_pb2.SubscribeTopicEventsResponseInitialAlpha1()
).SerializeToString()

Context = grpc.aio.ServicerContext[Any, Any]

_log = structlog.get_logger(__name__)


class PubsubService:
    """The pub/sub methods of the Dapr service. It belongs to the loop on which it is made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._broker = Broker(self._loop.time, on_room=self._room.set, on_lost=_log_lost)

    async def publish(self, request: pubsub_pb2.PublishEventRequest, app_id: str) -> empty_pb2.Empty:
        """Publish one message."""
        _check_target(request.pubsub_name, request.topic)
        metadata: Mapping[str, str] = request.metadata
        await self._publish(
            Publish(
                app_id, request.topic, request.data, request.data_content_type, metadata, _is_raw(metadata)
            )
        )
        return empty_pb2.Empty()

    async def bulk_publish(
        self, request: pubsub_pb2.BulkPublishRequest, app_id: str
    ) -> pubsub_pb2.BulkPublishResponse:
        """Publish the entries in their order; those that failed are named in the response."""
        _check_target(request.pubsub_name, request.topic)
        ids = [entry.entry_id for entry in request.entries]
        if "" in ids or len(set(ids)) != len(ids):
            raise InvalidInputError(
                f"entries of the bulk publish to topic {request.topic!r} have empty or repeated entry ids",
                hint="give each entry an id of its own",
            )
        raw = _is_raw(request.metadata)
        failed = []
        for entry in request.entries:
            metadata = {**request.metadata, **entry.metadata} if entry.metadata else {}
            try:
                await self._publish(
                    Publish(app_id, request.topic, entry.event, entry.content_type, metadata, raw)
                )
            except VirtufinError as error:
                failed.append(
                    pubsub_pb2.BulkPublishResponseFailedEntry(entry_id=entry.entry_id, error=str(error))
                )
        return pubsub_pb2.BulkPublishResponse(failedEntries=failed)

    async def subscribe(self, context: Context, app_id: str) -> None:
        """Serve one subscription stream until either side ends it."""
        options = _options(await context.read(), app_id)
        wake = asyncio.Event()
        subscription = self._broker.subscribe(options, wake.set)
        try:
            await context.write(_INITIAL_RESPONSE)
            reading = asyncio.create_task(_read_answers(context, subscription), name="runtime-answers")
            writing = asyncio.create_task(self._write(context, subscription, wake), name="runtime-deliveries")
            try:
                done, _ = await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
            finally:
                reading.cancel()
                writing.cancel()
            for task in done:
                task.result()
        finally:
            subscription.end()

    def subscriptions(self, app_id: str) -> list[metadata_pb2.PubsubSubscription]:
        """Return the subscriptions of an app id as its metadata list them."""
        return [
            metadata_pb2.PubsubSubscription(
                pubsub_name=PUBSUB_NAME,
                topic=subscription.options.topic,
                dead_letter_topic=subscription.options.dead_letter_topic,
                type=metadata_pb2.PubsubSubscriptionType.STREAMING,
            )
            for subscription in self._broker.subscriptions
            if subscription.options.app_id == app_id
        ]

    def end_subscriptions(self) -> None:
        """End every stream."""
        for subscription in self._broker.subscriptions:
            subscription.end()

    async def _publish(self, request: Publish) -> None:
        message = publication(request, Moment(self._loop.time(), time.time()))
        if self._broker.blocking(request.topic) is not None:
            await self._wait_for_room(request.topic)
        self._broker.publish(request.topic, message)

    async def _wait_for_room(self, topic: str) -> None:
        try:
            async with asyncio.timeout(PUBLISH_WAIT_SECONDS):
                while self._broker.blocking(topic) is not None:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            full = self._broker.blocking(topic)
            if full is None:
                return
            raise ResourceLimitError(
                f"topic {topic!r}: a subscriber of app id {full.options.app_id!r} holds"
                f" {full.held_bytes} bytes without an answer",
                hint="it reads too slowly or does not answer what it reads",
            ) from None

    async def _write(self, context: Context, subscription: Subscription, wake: asyncio.Event) -> None:
        while not subscription.ended:
            wake.clear()
            message = subscription.take()
            if message is not None:
                await context.write(message.frame)
                continue
            due = subscription.next_retry_at()
            timer = None if due is None else self._loop.call_at(due, wake.set)
            await wake.wait()
            if timer is not None:
                timer.cancel()


async def _read_answers(context: Context, subscription: Subscription) -> None:
    while True:
        request = await context.read()
        if request is grpc.aio.EOF:
            return
        if not request.HasField("event_processed"):
            raise InvalidInputError("a subscription stream takes one initial request, then answers")
        answer = request.event_processed
        if not subscription.answer(answer.id, Ack(answer.status.status)):
            _log.debug("answer to an unknown event", topic=subscription.options.topic, id=answer.id)


def _options(first: Any, app_id: str) -> SubscriptionOptions:  # noqa: ANN401 - a request or grpc's EOF
    if first is grpc.aio.EOF or not first.HasField("initial_request"):
        raise InvalidInputError("a subscription stream begins with an initial request")
    initial = first.initial_request
    _check_target(initial.pubsub_name, initial.topic)
    return SubscriptionOptions(app_id, initial.topic, initial.dead_letter_topic, _is_raw(initial.metadata))


def _check_target(pubsub_name: str, topic: str) -> None:
    if pubsub_name != PUBSUB_NAME:
        raise InvalidInputError(f"pubsub {pubsub_name!r} is not found", hint=f"it is named {PUBSUB_NAME!r}")
    if not topic:
        raise InvalidInputError(f"topic is empty in pubsub {PUBSUB_NAME!r}")


def _is_raw(metadata: Mapping[str, str]) -> bool:
    return metadata.get(RAW_PAYLOAD, "").lower() in ("true", "1", "t")


def _log_lost(options: SubscriptionOptions, event_id: str, cause: Cause) -> None:
    _log.warning(
        "message is lost", topic=options.topic, app_id=options.app_id, id=event_id, cause=cause.value
    )
