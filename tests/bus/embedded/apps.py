"""Apps on the test's own loop: what they are asked is noted, what they answer is up to the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable

import grpc.aio
from dapr.proto.runtime.v1 import appcallback_pb2, appcallback_pb2_grpc
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from virtufin_examples.service import HttpServer, listen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class HttpApp:
    """Subscribes to what the test says; `answer` gets the event and returns the response."""

    def __init__(
        self, subscriptions: object, answer: Callable[[dict], Response] = lambda _: Response()
    ) -> None:
        self.subscriptions = subscriptions
        self.answer = answer
        self.headers: list[dict] = []
        self.events: asyncio.Queue[dict] = asyncio.Queue()

    async def _subscribe(self, _request: Request) -> Response:
        if isinstance(self.subscriptions, Response):
            return self.subscriptions
        return JSONResponse(self.subscriptions)

    async def _event(self, request: Request) -> Response:
        event = await request.json()
        self.headers.append(dict(request.headers))
        self.events.put_nowait(event)
        return self.answer(event)

    async def next(self) -> dict:
        return await asyncio.wait_for(self.events.get(), 10)

    @contextlib.asynccontextmanager
    async def running(self, port: int) -> AsyncIterator[None]:
        routes = [
            Route("/dapr/subscribe", self._subscribe),
            Route("/{path:path}", self._event, methods=["POST"]),
        ]
        server = HttpServer(Starlette(routes=routes), "app")
        await server.start(listen("app", "HTTP", "127.0.0.1", port))
        try:
            yield
        finally:
            await server.stop()


class GrpcApp(appcallback_pb2_grpc.AppCallbackServicer):
    """Subscribes to `topic`; `answer` returns a status or raises one by the context."""

    def __init__(self, topic: str = "t", dead: str = "", match: str = "") -> None:
        self.subscription = appcallback_pb2.TopicSubscription(
            pubsub_name="pubsub", topic=topic, dead_letter_topic=dead
        )
        if match:
            self.subscription.routes.rules.add(match=match, path="p")
        self.code: grpc.StatusCode | None = None
        self.events: asyncio.Queue = asyncio.Queue()

    async def ListTopicSubscriptions(self, request, context):  # noqa: N802
        return appcallback_pb2.ListTopicSubscriptionsResponse(subscriptions=[self.subscription])

    async def OnTopicEvent(self, request, context):  # noqa: N802
        self.events.put_nowait((request, dict(context.invocation_metadata())))
        if self.code is not None:
            await context.abort(self.code, "as asked for")
        return appcallback_pb2.TopicEventResponse()

    async def next(self):
        return await asyncio.wait_for(self.events.get(), 10)

    @contextlib.asynccontextmanager
    async def running(self, port: int) -> AsyncIterator[None]:
        server = grpc.aio.server()
        appcallback_pb2_grpc.add_AppCallbackServicer_to_server(self, server)
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        try:
            yield
        finally:
            await server.stop(0)


def statuses(*answers: tuple[int, object]) -> Callable[[dict], Response]:
    """Answer with these in turn, and 200 from then on."""
    left = list(answers)

    def answer(_event: dict) -> Response:
        status, body = left.pop(0) if left else (200, {})
        return Response(body if isinstance(body, str) else json.dumps(body), status)

    return answer
