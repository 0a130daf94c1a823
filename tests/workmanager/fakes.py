"""An in-memory bus, a gateway that records, and Python workers."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import Self

import grpc.aio

from virtufin_examples._generated.virtufin.v1 import gateway_pb2, gateway_pb2_grpc
from virtufin_examples.bus import Ack, Event, StateEntry
from virtufin_examples.errors import ConflictError, NotFoundError, UnavailableError

ECHO = b"""
def Process(event):
    return {"type": "replies", "data": {"got": event.get("data"), "id": event["id"]}}
"""


class FakeDelivery:
    def __init__(self, event: Event) -> None:
        self.event = event
        self.answered: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()

    async def answer(self, ack: Ack) -> None:
        self.answered.set_result(ack)


class FakeSubscription:
    breaks = 0

    def __init__(self) -> None:
        self.queue: asyncio.Queue[FakeDelivery | None] = asyncio.Queue()
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[FakeDelivery]:
        while (delivery := await self.queue.get()) is not None:
            yield delivery

    async def close(self) -> None:
        self.closed = True
        self.queue.put_nowait(None)


class FakeBus:
    """`bus.Bus` in memory. `down` makes every call fail."""

    def __init__(self) -> None:
        self.down = False
        self.published: asyncio.Queue[tuple[str, dict]] = asyncio.Queue()
        self.subscriptions: dict[str, list[FakeSubscription]] = defaultdict(list)
        self.state: dict[str, tuple[bytes, int]] = {}
        self.secrets: dict[str, Mapping[str, str]] = {}
        self._version = 0

    def _check(self) -> None:
        if self.down:
            raise UnavailableError("the bus is down")

    async def publish(self, topic, data, *, content_type, metadata=None) -> None:
        self._check()
        self.published.put_nowait((topic, json.loads(data)))

    async def subscribe(self, topic, *, dead_letter_topic="", metadata=None) -> FakeSubscription:
        self._check()
        subscription = FakeSubscription()
        self.subscriptions[topic].append(subscription)
        return subscription

    async def get_state(self, key) -> StateEntry | None:
        self._check()
        found = self.state.get(key)
        return StateEntry(found[0], str(found[1])) if found else None

    async def save_state(self, key, value, *, etag=None, create=False, ttl_seconds=0) -> None:
        self._check()
        found = self.state.get(key)
        if (create and found) or (etag is not None and (found is None or str(found[1]) != etag)):
            raise ConflictError("stale")
        self._version += 1
        self.state[key] = (value, self._version)

    async def delete_state(self, key, *, etag=None) -> None:
        self._check()
        found = self.state.get(key)
        if etag is not None and found is not None and str(found[1]) != etag:
            raise ConflictError("stale")
        self.state.pop(key, None)

    async def get_secret(self, name) -> Mapping[str, str]:
        if name not in self.secrets:
            raise NotFoundError(f"no secret {name}")
        return self.secrets[name]

    async def close(self) -> None:
        pass

    def deliver(self, topic: str, data: object, *, event_id: str = "e1", **extensions) -> FakeDelivery:
        """Hand an event to the topic's subscriber."""
        event = Event(
            id=event_id,
            topic=topic,
            data=json.dumps(data).encode(),
            content_type="application/json",
            type="t",
            source="test",
            extensions=extensions,
        )
        delivery = FakeDelivery(event)
        self.subscriptions[topic][-1].queue.put_nowait(delivery)
        return delivery

    async def next_published(self, topic: str) -> dict:
        """Wait for the next event on a topic; those of other topics are dropped."""
        while True:
            found, event = await self.published.get()
            if found == topic:
                return event

    def drain(self, topic: str) -> list[dict]:
        events = []
        while not self.published.empty():
            found, event = self.published.get_nowait()
            if found == topic:
                events.append(event)
        return events


class RecordingGateway(gateway_pb2_grpc.GatewayServicer):
    """Answers InvokeJson with what `answers` holds for the method, else with success."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict]] = []
        self.keys: list[str] = []
        self.answers: dict[str, gateway_pb2.InvokeJsonResponse] = {}
        self.hold: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}

    async def InvokeJson(self, request, context):  # noqa: N802 - the contract's name
        self.calls.append((request.service, request.method, json.loads(request.request_data)))
        self.keys.append(dict(context.invocation_metadata()).get("x-api-key", ""))
        if request.method in self.hold:
            called, release = self.hold[request.method]
            called.set()
            await release.wait()
        default = gateway_pb2.InvokeJsonResponse(success=True, status="OK", response_data="{}")
        return self.answers.get(request.method, default)


class GatewayServer:
    """A real gRPC server around a `RecordingGateway`."""

    def __init__(self) -> None:
        self.servicer = RecordingGateway()
        self.server = grpc.aio.server()
        gateway_pb2_grpc.add_GatewayServicer_to_server(self.servicer, self.server)
        self.endpoint = ""

    async def __aenter__(self) -> Self:
        self.endpoint = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        await self.server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop(None)
