"""Request and reply over topics: replies find their request by correlationid."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from virtufin_examples.client._api import ApiClient
from virtufin_examples.client._events import CloudEvent
from virtufin_examples.client._tap import TopicTap
from virtufin_examples.errors import DeadlineError, UnavailableError, VirtufinError

_CORRELATION = "correlationid"
_REPLY_TOPIC = "replytopic"
_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)  # the last one repeats


@dataclass(slots=True)
class _Pending:
    topic: str
    event: CloudEvent
    expires_at: float  # of the loop's clock
    reply: asyncio.Future[CloudEvent]


class Requests:
    """Publishes requests and waits for their replies on `reply_topic`, which belongs to it alone.

    One reader serves all requests; it starts with the first and takes the subscription up again when the
    gateway drops it. What was unanswered then is sent again under its correlationid: a worker answers a
    repeated command from memory and does not run it twice.
    """

    def __init__(self, api: ApiClient, reply_topic: str) -> None:
        self._api = api
        self._reply_topic = reply_topic
        self._pending: dict[str, _Pending] = {}
        self._tap: TopicTap | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def request(self, topic: str, event: CloudEvent, *, timeout_seconds: float) -> CloudEvent:
        """Publish `event` and return the reply; `DeadlineError` after `timeout_seconds`.

        The event expires at the same moment, so that nobody acts on it after we gave up.
        """
        await self._ensure_reader()
        loop = asyncio.get_running_loop()
        correlation = str(uuid.uuid4())
        stamps = {_CORRELATION: correlation, _REPLY_TOPIC: self._reply_topic}
        pending = _Pending(
            topic=topic,
            event=dataclasses.replace(event, extensions={**event.extensions, **stamps}),
            expires_at=loop.time() + timeout_seconds,
            reply=loop.create_future(),
        )
        self._pending[correlation] = pending
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._send(pending)
                return await pending.reply
        except TimeoutError:
            raise DeadlineError(f"no reply on {self._reply_topic} within {timeout_seconds:g} s") from None
        finally:
            del self._pending[correlation]

    async def close(self) -> None:
        """End the reader; requests that wait fail."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None
        await self._drop_tap()
        for pending in self._pending.values():
            if not pending.reply.done():
                pending.reply.set_exception(UnavailableError("closed while waiting for a reply"))

    async def _ensure_reader(self) -> None:
        async with self._starting:
            if self._reader is None:
                self._tap = await self._api.subscribe(self._reply_topic)
                self._reader = asyncio.create_task(self._read(), name=f"replies {self._reply_topic}")

    async def _send(self, pending: _Pending) -> None:
        left = pending.expires_at - asyncio.get_running_loop().time()
        ttl_seconds = max(1, math.ceil(left))  # Dapr counts in whole seconds
        await self._api.publish(pending.topic, pending.event, ttl_seconds=ttl_seconds)

    async def _read(self) -> None:
        failures = 0
        while True:
            try:
                if self._tap is None:
                    self._tap = await self._api.subscribe(self._reply_topic)
                    for pending in tuple(self._pending.values()):
                        await self._send(pending)
                failures = 0
                async for event in self._tap:
                    self._deliver(event)
            except VirtufinError:
                # A request that waits ends by its own limit, so this may go on for as long as it takes.
                await self._drop_tap()
                await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
                failures += 1

    async def _drop_tap(self) -> None:
        if self._tap is not None:
            tap, self._tap = self._tap, None
            await tap.close()

    def _deliver(self, event: CloudEvent) -> None:
        pending = self._pending.get(event.extensions.get(_CORRELATION, ""))
        if pending is not None and not pending.reply.done():
            pending.reply.set_result(event)
