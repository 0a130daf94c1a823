"""One subscription stream over gRPC: deliveries go out, answers come in, both at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
import structlog
from dapr.proto.runtime.v1 import pubsub_pb2

from virtufin_examples.bus._port import Ack
from virtufin_examples.bus.embedded._broker import Broker
from virtufin_examples.bus.embedded._deliveries import Deliveries
from virtufin_examples.bus.embedded._statuses import StreamError
from virtufin_examples.bus.embedded._subscription import EndReason, SubscriptionOptions
from virtufin_examples.errors import ResourceLimitError, UnavailableError

Context = grpc.aio.ServicerContext[Any, Any]

_INITIAL_RESPONSE = pubsub_pb2.SubscribeTopicEventsResponseAlpha1(
    initial_response=pubsub_pb2.SubscribeTopicEventsResponseInitialAlpha1()
).SerializeToString()
_ACKS = {ack.value: ack for ack in Ack}

_log = structlog.get_logger(__name__)


class SubscriptionStream:
    """Serves one stream; `serve` returns when the client ended it and raises when the broker did."""

    def __init__(self, context: Context, broker: Broker, options: SubscriptionOptions) -> None:
        self._context = context
        self._options = options
        self._writing: asyncio.Task[None] | None = None
        self._deliveries = Deliveries(broker, options, on_end=self._stop_writing)
        self._subscription = self._deliveries.subscription

    async def serve(self) -> None:
        """Deliver until either side ends it."""
        try:
            await self._context.write(_INITIAL_RESPONSE)
            reading = asyncio.create_task(self._read(), name="runtime-answers")
            self._writing = asyncio.create_task(self._write(), name="runtime-deliveries")
            try:
                await asyncio.wait((reading, self._writing), return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._writing.cancel()
                reading.cancel()
                outcomes = await asyncio.gather(reading, self._writing, return_exceptions=True)
            self._raise_end_reason()
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
            await write(message.frame)

    async def _read(self) -> None:
        while True:
            request = await self._context.read()
            if request is grpc.aio.EOF:
                return
            if not request.HasField("event_processed"):
                raise StreamError("duplicate initial request received")
            answer = request.event_processed
            # A status that does not exist counts as RETRY, as in daprd.
            ack = _ACKS.get(answer.status.status, Ack.RETRY)
            if not self._subscription.answer(answer.id, ack):
                _log.debug("answer to an unknown event", topic=self._options.topic, id=answer.id)

    def _raise_end_reason(self) -> None:
        reason = self._subscription.end_reason
        if reason is EndReason.STOPPING:
            raise UnavailableError("the runtime is stopping")
        if reason is EndReason.STALLED:
            raise ResourceLimitError(
                f"the subscription to topic {self._options.topic!r} held the topic up without answering",
                hint="answer every event, or read and answer faster",
            )
