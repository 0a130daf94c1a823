"""`virtufin.v1.Pubsub`."""

# ruff: noqa: N802 - the methods are named by the contract

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from virtufin_examples._generated.virtufin.v1 import pubsub_pb2, pubsub_pb2_grpc
from virtufin_examples.bus import Bus
from virtufin_examples.bus._port import CLOUDEVENT_JSON
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.gateway._cloudevents import to_structured
from virtufin_examples.gateway._fanout import Fanout


class PubsubServicer(pubsub_pb2_grpc.PubsubServicer):
    """Publishes events untouched and broadcasts topics. Errors of the bus are the call's."""

    def __init__(self, bus: Bus, fanout: Fanout) -> None:
        self._bus = bus
        self._fanout = fanout

    async def PublishEvent(
        self, request: pubsub_pb2.PublishEventRequest, _context: object
    ) -> pubsub_pb2.PublishEventResponse:
        """Publish; answers when the broker has taken the event."""
        check_topic(request.topic)
        await self._bus.publish(
            request.topic,
            to_structured(request.cloudevent),
            content_type=CLOUDEVENT_JSON,
            metadata=ttl_metadata(request.ttl_seconds),
        )
        return pubsub_pb2.PublishEventResponse(success=True, status="OK")

    async def Subscribe(
        self, request: pubsub_pb2.SubscribeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pubsub_pb2.SubscribeResponse]:
        """Send the subscription's id once it is in force, then every event of the topic."""
        check_topic(request.topic)
        caller = await self._fanout.join(request.topic)
        # However the call ends: a generator that waits in a write is not told by itself.
        context.add_done_callback(
            lambda _: self._fanout.leave(caller)  # type: ignore[arg-type]  # the stub names a class, not a call
        )
        async for message in caller:
            yield message

    async def Unsubscribe(
        self, request: pubsub_pb2.UnsubscribeRequest, _context: object
    ) -> pubsub_pb2.UnsubscribeResponse:
        """End a subscription; its stream ends with OK."""
        self._fanout.end(request.subscription_id)
        return pubsub_pb2.UnsubscribeResponse(success=True, status="OK")


def check_topic(topic: str) -> None:
    """Raise `InvalidInputError` when no topic is named."""
    if not topic:
        raise InvalidInputError("topic is empty", hint="name the topic")


def ttl_metadata(ttl_seconds: int) -> dict[str, str] | None:
    """Return the publish metadata for a time to live; 0 never expires."""
    return {"ttlInSeconds": str(ttl_seconds)} if ttl_seconds else None
