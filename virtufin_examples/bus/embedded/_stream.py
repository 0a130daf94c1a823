"""One subscription stream over gRPC: deliveries go out, answers come in, both at the same time."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import grpc.aio
import structlog
from dapr.proto.runtime.v1 import pubsub_pb2
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtobufMessage

from virtufin_examples.bus import _joined as joined
from virtufin_examples.bus._port import Ack
from virtufin_examples.bus.embedded._broker import Broker
from virtufin_examples.bus.embedded._deliveries import Deliveries
from virtufin_examples.bus.embedded._statuses import StreamError
from virtufin_examples.bus.embedded._subscription import EndReason, Subscription, SubscriptionOptions
from virtufin_examples.errors import ResourceLimitError, UnavailableError, VirtufinError

Context = grpc.aio.ServicerContext[Any, Any]

_INITIAL_RESPONSE = pubsub_pb2.SubscribeTopicEventsResponseAlpha1(
    initial_response=pubsub_pb2.SubscribeTopicEventsResponseInitialAlpha1()
).SerializeToString()
_ACKS = {ack.value: ack for ack in Ack}

_log = structlog.get_logger(__name__)

M = TypeVar("M", bound=ProtobufMessage)


def parsed(kind: type[M], data: bytes) -> M:
    """Return the message that the client sent; raises `StreamError` when it is none of its kind."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise StreamError(f"a message of the stream is no {kind.__name__}") from error


class SubscriptionStream:
    """Serves one stream; `serve` returns when the client ended it and raises when the broker did.

    `joins`: the client reads joined messages, so what waits goes together.
    """

    def __init__(
        self, context: Context, broker: Broker, options: SubscriptionOptions, *, joins: bool
    ) -> None:
        self._context = context
        self._options = options
        self._joins = joins
        self._writing: asyncio.Task[None] | None = None
        self._deliveries = Deliveries(broker, options, on_end=self._stop_writing)
        self._subscription = self._deliveries.subscription

    async def serve(self) -> None:
        """Deliver until either side ends it."""
        try:
            if self._joins:
                await self._context.send_initial_metadata((joined.ASK,))
            await self._context.write(_INITIAL_RESPONSE)
            reading = asyncio.create_task(self._read(), name="runtime-answers")
            self._writing = asyncio.create_task(self._write(), name="runtime-deliveries")
            try:
                await asyncio.wait((reading, self._writing), return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._writing.cancel()
                reading.cancel()
                outcomes = await asyncio.gather(reading, self._writing, return_exceptions=True)
            error = end_error(self._subscription)
            if error is not None:
                raise error
            for outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome
        finally:
            self._subscription.end()

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()  # it may be waiting for a client that does not read

    async def _write(self) -> None:
        write = self._context.write
        while (message := await self._deliveries.next()) is not None:
            await write(self._with_more(message.frame) if self._joins else message.frame)

    def _with_more(self, frame: bytes) -> bytes:
        """Return a message joined with those that wait behind it."""
        frames, room = [frame], joined.MOST_BYTES - len(frame)
        take = self._subscription.take
        while len(frames) < joined.MOST_MESSAGES and (message := take(room)) is not None:
            frames.append(message.frame)
            room -= len(message.frame)
        return b"".join(frames) if len(frames) > 1 else frame

    async def _read(self) -> None:
        while True:
            request = await self._context.read()
            if request is grpc.aio.EOF:
                return
            if not request.messages:
                raise StreamError("duplicate initial request received")
            for message in request.messages:
                answer = parsed(pubsub_pb2.SubscribeTopicEventsRequestProcessedAlpha1, message)
                # A status that does not exist counts as RETRY, as in daprd.
                ack = _ACKS.get(answer.status.status, Ack.RETRY)
                if not self._subscription.answer(answer.id, ack):
                    _log.debug("answer to an unknown event", topic=self._options.topic, id=answer.id)


def end_error(subscription: Subscription) -> VirtufinError | None:
    """Return what a subscriber is told of the end, None while there is nothing to tell."""
    if subscription.end_reason is EndReason.STOPPING:
        return UnavailableError("the runtime is stopping")
    if subscription.end_reason is EndReason.STALLED:
        return ResourceLimitError(
            f"the subscription to topic {subscription.options.topic!r} held the topic up without answering",
            hint="answer every event, or read and answer faster",
        )
    return None
