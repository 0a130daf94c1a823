"""One streaming call of a subscription (SubscribeTopicEventsAlpha1): its opening, events, answers and end."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any, Protocol, TypeAlias

import grpc
import grpc.aio
from dapr.proto.runtime.v1 import appcallback_pb2, pubsub_pb2
from google.protobuf import struct_pb2

from virtufin_examples.bus import _joined as joined
from virtufin_examples.bus._port import Ack, Event
from virtufin_examples.errors import UnavailableError

CLOSE_GRACE_SECONDS = 1.0
"""For answers still to be written and for the sidecar to end its side."""

StreamCall: TypeAlias = grpc.aio.StreamStreamCall[Any, Any]


class SubscriptionStream(Protocol):
    """What brings a subscription's events, until it breaks."""

    async def open(self, initial: pubsub_pb2.SubscribeTopicEventsRequestAlpha1) -> None:
        """Return when the subscription is in force; raises why it is not."""

    async def next_events(self) -> list[Event] | None:
        """Return events that came together, None when the other side ended it; raises why it broke."""

    def answer(self, event_id: str, ack: Ack) -> None:
        """Queue an answer; never waits."""

    async def close(self) -> None:
        """Write the answers given so far, then end it."""

    def cancel(self) -> None:
        """End it at once."""


class DaprStream:
    """The call, with a task that writes the answers one at a time, as a call demands.

    Answers go back on the call that brought the event: another one does not know its id. Giving one never
    waits, so cancelling whoever gives it cannot cancel the call.
    """

    def __init__(self, call: StreamCall) -> None:
        self._call = call
        self._joins = False
        self._answers: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    async def open(self, initial: pubsub_pb2.SubscribeTopicEventsRequestAlpha1) -> None:
        """Return when the sidecar says that the subscription is in force; raises gRPC's error when not."""
        with contextlib.suppress(asyncio.InvalidStateError):  # ended already: read() knows why
            await self._call.write(initial.SerializeToString())
        if await self._call.read() is grpc.aio.EOF:
            raise UnavailableError("the stream ended before the subscription was in force")
        self._joins = joined.ASK in tuple(await self._call.initial_metadata())
        self._writer = asyncio.create_task(self._write_answers(), name="subscription-answers")

    async def next_events(self) -> list[Event] | None:
        """Return events that came together, None when the sidecar ended the stream; raises gRPC's error."""
        while True:
            response: Any = await self._call.read()
            if response is grpc.aio.EOF:
                return None
            if response.messages:
                return [
                    event_of(appcallback_pb2.TopicEventRequest.FromString(each)) for each in response.messages
                ]

    def answer(self, event_id: str, ack: Ack) -> None:
        """Queue an answer. After the stream's end the broker has taken the event back: it is let go."""
        if not self._call.done():
            status: Any = int(ack)  # the numbers are Dapr's own
            self._answers.append(
                pubsub_pb2.SubscribeTopicEventsRequestAlpha1(
                    event_processed=pubsub_pb2.SubscribeTopicEventsRequestProcessedAlpha1(
                        id=event_id, status=appcallback_pb2.TopicEventResponse(status=status)
                    )
                ).SerializeToString()
            )
            self._wake.set()

    async def close(self) -> None:
        """Write the answers given so far, end our side, then cancel: an open call goes on taking events."""
        self._closing = True
        self._wake.set()
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=CLOSE_GRACE_SECONDS)
        self.cancel()

    def cancel(self) -> None:
        """End the call at once."""
        if self._writer is not None:
            self._writer.cancel()
        self._call.cancel()

    async def _write_answers(self) -> None:
        # A failed write means that the call is over, which whoever reads it finds out and reports.
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while True:
                while self._answers:
                    if self._joins:
                        count = min(len(self._answers), joined.MOST_MESSAGES)
                        await self._call.write(b"".join(self._answers.popleft() for _ in range(count)))
                    else:
                        await self._call.write(self._answers.popleft())
                if self._closing:
                    # Half-closing tells the sidecar after the answers; a bare cancel could overtake them.
                    await self._call.done_writing()
                    await self._call.code()
                    return
                self._wake.clear()
                await self._wake.wait()


def _plain(value: struct_pb2.Value) -> object:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {name: _plain(entry) for name, entry in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(entry) for entry in value.list_value.values]
    return None if kind in {None, "null_value"} else getattr(value, kind)


def event_of(message: appcallback_pb2.TopicEventRequest) -> Event:
    """Return an event as it is handed out."""
    return Event(
        id=message.id,
        topic=message.topic,
        data=message.data,
        content_type=message.data_content_type,
        type=message.type,
        source=message.source,
        extensions={
            name: value.string_value or _plain(value) for name, value in message.extensions.fields.items()
        },
    )
