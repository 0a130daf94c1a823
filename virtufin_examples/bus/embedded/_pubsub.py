"""Publish and subscribe over gRPC: the shell around the broker.

A publish to a topic with a full subscription waits for room, at most 5 s, and then fails with
RESOURCE_EXHAUSTED; nobody has got the message then. So a slow reader slows its publishers down instead of
losing messages. A strict service waits for every subscriber's answer, however long, as daprd does in memory.
"""

from __future__ import annotations

import asyncio
import logging
import time

import grpc.aio
import structlog
from dapr.proto.runtime.v1 import metadata_pb2, pubsub_pb2
from google.protobuf import empty_pb2

from virtufin_examples.bus import _joined as joined
from virtufin_examples.bus.embedded._broker import Broker
from virtufin_examples.bus.embedded._envelope import Moment, Publish
from virtufin_examples.bus.embedded._message import PUBSUB_NAME
from virtufin_examples.bus.embedded._metadata import is_raw, lower_names
from virtufin_examples.bus.embedded._publication import Publication, publication
from virtufin_examples.bus.embedded._statuses import RefusedError, StreamError
from virtufin_examples.bus.embedded._stream import Context, SubscriptionStream, parsed
from virtufin_examples.bus.embedded._subscription import (
    Cause,
    EndReason,
    SubscriptionKind,
    SubscriptionOptions,
)
from virtufin_examples.errors import ResourceLimitError

PUBLISH_WAIT_SECONDS = 5.0

_TYPES = {
    SubscriptionKind.DECLARATIVE: metadata_pb2.PubsubSubscriptionType.DECLARATIVE,
    SubscriptionKind.PROGRAMMATIC: metadata_pb2.PubsubSubscriptionType.PROGRAMMATIC,
    SubscriptionKind.STREAMING: metadata_pb2.PubsubSubscriptionType.STREAMING,
}

_log = structlog.get_logger(__name__)


class PubsubService:
    """The pub/sub methods of the Dapr service. It belongs to the loop on which it is made."""

    def __init__(self, *, strict: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._strict = strict
        self._room = asyncio.Event()
        self.broker = Broker(self._loop.time, on_room=self._room.set, on_lost=_log_lost, serial=strict)

    async def publish(self, request: pubsub_pb2.PublishEventRequest, app_id: str) -> empty_pb2.Empty:
        """Publish one message."""
        await self.publish_with_room(request.topic, self.publication(request, app_id))
        return empty_pb2.Empty()

    def publication(self, request: pubsub_pb2.PublishEventRequest, app_id: str) -> Publication:
        """Return what a request publishes; raises for one that is refused."""
        _check_target(request.pubsub_name, request.topic)
        metadata = lower_names(request.metadata)
        return publication(
            Publish(
                app_id,
                request.topic,
                request.data,
                request.data_content_type,
                metadata,
                self._strict,
            ),
            self._now(),
            raw=is_raw(metadata),
        )

    def publish_at_once(self, topic: str, message: Publication) -> bool:
        """Publish where there is room; return whether there was."""
        if self.broker.blocking(topic) is not None:
            return False
        self.broker.publish(topic, message)
        return True

    async def publish_with_room(
        self, topic: str, message: Publication, deadline: float | None = None
    ) -> None:
        """Publish, after a wait for room, until `deadline` of the loop, where there is none."""
        if not self.publish_at_once(topic, message):
            await self._wait_for_room(topic, self._deadline() if deadline is None else deadline)
            self.broker.publish(topic, message)

    async def bulk_publish(
        self, request: pubsub_pb2.BulkPublishRequest, app_id: str
    ) -> pubsub_pb2.BulkPublishResponse:
        """Publish the entries in their order; a bad one fails the call before anything is published.

        When the topic has no more room, the rest are named in the response as failed.
        """
        _check_target(request.pubsub_name, request.topic)
        ids = [entry.entry_id for entry in request.entries]
        if "" in ids or len(set(ids)) != len(ids):
            raise RefusedError(
                f"error marshaling events to bytes for topic {request.topic} pubsub {PUBSUB_NAME}."
                " error: entryId is duplicated or not present for entry",
                reason="DAPR_PUBSUB_MARSHAL_EVENTS",
            )
        shared = lower_names(request.metadata)
        raw = is_raw(shared)
        now = self._now()
        messages = [
            publication(
                Publish(
                    app_id,
                    request.topic,
                    entry.event,
                    entry.content_type,
                    {**shared, **lower_names(entry.metadata)},
                    self._strict,
                ),
                now,
                raw=raw,
            )
            for entry in request.entries
        ]
        deadline = self._deadline()  # one for all: who calls would not wait for each entry's
        for index, message in enumerate(messages):
            try:
                await self.publish_with_room(request.topic, message, deadline)
            except ResourceLimitError as error:
                if index == 0:
                    raise
                return pubsub_pb2.BulkPublishResponse(
                    failedEntries=[
                        pubsub_pb2.BulkPublishResponseFailedEntry(entry_id=entry_id, error=str(error))
                        for entry_id in ids[index:]
                    ]
                )
        return pubsub_pb2.BulkPublishResponse()

    async def subscribe(self, context: Context, app_id: str) -> None:
        """Serve one subscription stream until either side ends it."""
        request = await context.read()
        initial = None
        if request is not grpc.aio.EOF and request.HasField("initial"):
            initial = parsed(pubsub_pb2.SubscribeTopicEventsRequestInitialAlpha1, request.initial)
        joins = not self._strict and joined.ASK in tuple(context.invocation_metadata() or ())
        options = self.options(initial, app_id)
        await SubscriptionStream(context, self.broker, options, joins=joins).serve()

    def options(
        self, initial: pubsub_pb2.SubscribeTopicEventsRequestInitialAlpha1 | None, app_id: str
    ) -> SubscriptionOptions:
        """Return what the first request of a stream asks for; raises for one that is refused."""
        if initial is None:
            raise StreamError("initial request is required")
        if not initial.pubsub_name:
            raise StreamError("pubsubName is required")
        if not initial.topic:
            raise StreamError("topic is required")
        _check_target(initial.pubsub_name, initial.topic)
        return SubscriptionOptions(
            app_id, initial.topic, initial.dead_letter_topic, is_raw(lower_names(initial.metadata))
        )

    def subscriptions(self, app_id: str) -> list[metadata_pb2.PubsubSubscription]:
        """Return the subscriptions of an app id as its metadata list them."""
        return [
            metadata_pb2.PubsubSubscription(
                pubsub_name=PUBSUB_NAME,
                topic=subscription.options.topic,
                metadata={"rawPayload": "true"} if subscription.options.raw else {},
                rules=metadata_pb2.PubsubSubscriptionRules(
                    rules=[metadata_pb2.PubsubSubscriptionRule(path=subscription.options.path)]
                ),
                dead_letter_topic=subscription.options.dead_letter_topic,
                type=_TYPES[subscription.options.kind],
            )
            for subscription in self.broker.subscriptions
            if subscription.options.app_id == app_id
        ]

    def end_subscriptions(self) -> None:
        """End every stream with UNAVAILABLE."""
        for subscription in self.broker.subscriptions:
            subscription.end(EndReason.STOPPING)

    def _now(self) -> Moment:
        return Moment(self._loop.time(), time.time())

    def _deadline(self) -> float | None:
        return None if self._strict else self._loop.time() + PUBLISH_WAIT_SECONDS

    async def _wait_for_room(self, topic: str, deadline: float | None) -> None:
        while (full := self.broker.blocking(topic)) is not None:
            self._room.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._room.wait()
            except TimeoutError:
                raise ResourceLimitError(
                    f"topic {topic!r} is full: a subscriber of app id {full.options.app_id!r} holds"
                    f" {full.held_bytes} bytes without an answer",
                    hint="it reads too slowly or does not answer what it reads",
                ) from None


def _check_target(pubsub_name: str, topic: str) -> None:
    hint = f"the runtime has {PUBSUB_NAME!r}"
    if not pubsub_name:
        raise RefusedError("pubsub name is empty", reason="DAPR_PUBSUB_NAME_EMPTY", hint=hint)
    if pubsub_name != PUBSUB_NAME:
        raise RefusedError(f"pubsub {pubsub_name} is not found", reason="DAPR_PUBSUB_NOT_FOUND", hint=hint)
    if not topic:
        raise RefusedError(f"topic is empty in pubsub {pubsub_name}", reason="DAPR_PUBSUB_TOPIC_NAME_EMPTY")


def _log_lost(options: SubscriptionOptions, cause: Cause, count: int) -> None:
    # A reader that leaves with messages under way is everyday; everything else is somebody's to look into.
    level = logging.INFO if cause is Cause.ENDED else logging.WARNING
    _log.log(
        level, "messages are lost", topic=options.topic, app_id=options.app_id, cause=cause.value, count=count
    )
