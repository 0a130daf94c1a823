"""An app that speaks gRPC: `ListTopicSubscriptions`, `OnTopicEvent` and `OnBulkTopicEvent` of AppCallback."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
import structlog
from dapr.proto.runtime.v1 import appcallback_pb2, appcallback_pb2_grpc
from google.protobuf import empty_pb2

from virtufin_examples.bus._port import CLOUDEVENT_JSON, Ack
from virtufin_examples.bus.embedded._app_client import (
    APP_HOST,
    BULK_EVENT_TYPE,
    PUBSUB_HEADER,
    TOKEN_HEADER,
    AppUnreachableError,
)
from virtufin_examples.bus.embedded._app_subscriptions import (
    AppSubscription,
    BulkEntry,
    RoutesEntry,
    RuleEntry,
    SubscriptionEntry,
    app_subscription,
)
from virtufin_examples.bus.embedded._content import BINARY_CONTENT_TYPE
from virtufin_examples.bus.embedded._message import PUBSUB_NAME, Message
from virtufin_examples.bus.embedded._subscription import SubscriptionKind
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.service import CHANNEL_OPTIONS

_ACKS = {ack.value: ack for ack in Ack}

_log = structlog.get_logger(__name__)


class GrpcApp:
    """Calls an app on a port of this machine, without a limit for its answer."""

    def __init__(self, port: int, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(f"{APP_HOST}:{port}", options=CHANNEL_OPTIONS)
        metadata = ((PUBSUB_HEADER, PUBSUB_NAME), *(((TOKEN_HEADER, token),) if token else ()))
        # A call waits for an app that is away, so that none fails while the channel connects again.
        self._call: dict[str, Any] = {"metadata": metadata, "wait_for_ready": True}
        self._stub = appcallback_pb2_grpc.AppCallbackStub(self._channel)
        self._alpha = appcallback_pb2_grpc.AppCallbackAlphaStub(self._channel)

    async def subscriptions(self) -> list[AppSubscription]:
        """Ask `ListTopicSubscriptions`; an app without it subscribes to nothing."""
        source = "the app's ListTopicSubscriptions"
        try:
            listed = await self._stub.ListTopicSubscriptions(empty_pb2.Empty(), **self._call)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return []
            _raise_unreachable(error)
            raise InvalidInputError(f"{source} fails with {error.code().name}: {error.details()}") from error
        return [
            app_subscription(_entry(subscription), SubscriptionKind.PROGRAMMATIC, source)
            for subscription in listed.subscriptions
        ]

    async def deliver(self, route: AppSubscription, message: Message) -> Ack:
        """Call `OnTopicEvent`; UNIMPLEMENTED is DROP, every other error RETRY."""
        event = appcallback_pb2.TopicEventRequest.FromString(message.body)
        event.path = route.path
        try:
            answer = await self._stub.OnTopicEvent(event, **self._call)
        except grpc.aio.AioRpcError as error:
            return _failed(route, error)
        return _ACKS.get(answer.status, Ack.RETRY)  # a status that does not exist is RETRY, as in daprd

    async def deliver_bulk(self, route: AppSubscription, messages: Sequence[Message]) -> list[Ack]:
        """Call `OnBulkTopicEvent`, or the alpha method of an app that has only this."""
        ids = [str(uuid.uuid4()) for _ in messages]
        request = appcallback_pb2.TopicEventBulkRequest(
            id=str(uuid.uuid4()),
            entries=[_bulk_entry(route, *pair) for pair in zip(ids, messages, strict=True)],
            topic=route.topic,
            pubsub_name=PUBSUB_NAME,
            type=BULK_EVENT_TYPE,
            path=route.path,
        )
        try:
            try:
                answer = await self._stub.OnBulkTopicEvent(request, **self._call)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    raise
                answer = await self._alpha.OnBulkTopicEventAlpha1(request, **self._call)
        except grpc.aio.AioRpcError as error:
            return [_failed(route, error)] * len(messages)
        given = {status.entry_id: status.status for status in answer.statuses}
        return [_ACKS.get(given.get(entry_id, Ack.RETRY.value), Ack.RETRY) for entry_id in ids]

    async def close(self) -> None:
        """End the connection."""
        await self._channel.close()


def _entry(subscription: appcallback_pb2.TopicSubscription) -> SubscriptionEntry:
    bulk = subscription.bulk_subscribe
    return SubscriptionEntry(
        pubsubname=subscription.pubsub_name,
        topic=subscription.topic,
        metadata=dict(subscription.metadata),
        routes=RoutesEntry(
            [RuleEntry(rule.match, rule.path) for rule in subscription.routes.rules],
            subscription.routes.default,
        ),
        dead_letter_topic=subscription.dead_letter_topic,
        bulk_subscribe=BulkEntry(bulk.enabled, bulk.max_messages_count, bulk.max_await_duration_ms),
    )


def _bulk_entry(
    route: AppSubscription, entry_id: str, message: Message
) -> appcallback_pb2.TopicEventBulkRequestEntry:
    event = appcallback_pb2.TopicEventRequest.FromString(message.body)
    if route.raw:
        return appcallback_pb2.TopicEventBulkRequestEntry(
            entry_id=entry_id, bytes=event.data, content_type=BINARY_CONTENT_TYPE
        )
    return appcallback_pb2.TopicEventBulkRequestEntry(
        entry_id=entry_id,
        cloud_event=appcallback_pb2.TopicEventCERequest(
            id=event.id,
            source=event.source,
            type=event.type,
            spec_version=event.spec_version,
            data_content_type=event.data_content_type,
            data=event.data,
            extensions=event.extensions,
        ),
        content_type=CLOUDEVENT_JSON,
    )


def _failed(route: AppSubscription, error: grpc.aio.AioRpcError) -> Ack:
    _raise_unreachable(error)
    ack = Ack.DROP if error.code() is grpc.StatusCode.UNIMPLEMENTED else Ack.RETRY
    _log.warning(
        "the app refused an event",
        topic=route.topic,
        path=route.path,
        status=error.code().name,
        taken_for=ack.name,
    )
    return ack


def _raise_unreachable(error: grpc.aio.AioRpcError) -> None:
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        raise AppUnreachableError(f"the app cannot be called: {error.details()}") from error
