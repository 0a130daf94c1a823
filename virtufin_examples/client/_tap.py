"""A topic as the gateway broadcasts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import grpc.aio

from virtufin_examples.client._events import CloudEvent, from_proto
from virtufin_examples.client._status import call_error
from virtufin_examples.errors import UnavailableError


class TopicTap:
    """An async iterator of a topic's events; it ends at `close` and raises when the gateway goes away.

    It does not reconnect: events are missed while it is gone, and only its user knows what that means.
    """

    def __init__(
        self,
        call: Any,  # noqa: ANN401 - grpc's call objects are untyped
        *,
        topic: str,
        gateway: str,
        on_close: Callable[[TopicTap], None],
    ) -> None:
        self._call = call
        self._topic = topic
        self._gateway = gateway
        self._on_close = on_close
        self._closed = False

    async def in_force(self) -> None:
        """Wait for the gateway's word that the subscription is in force."""
        first = await self._read()
        if first is None:
            raise UnavailableError(f"subscribe to {self._topic}: the gateway ended the stream at once")

    def __aiter__(self) -> AsyncIterator[CloudEvent]:
        return self

    async def __anext__(self) -> CloudEvent:
        """Return the next event."""
        while True:
            message = await self._read()
            if message is None:
                if self._ended():
                    raise StopAsyncIteration
                raise UnavailableError(f"subscription to {self._topic}: gateway {self._gateway} ended it")
            if message.HasField("cloudevent"):  # without one it is a sign of life
                return from_proto(message.cloudevent)

    async def close(self) -> None:
        """End it; iteration stops."""
        self._closed = True
        self._call.cancel()
        self._on_close(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def _ended(self) -> bool:
        return self._closed

    async def _read(self) -> Any:  # noqa: ANN401 - a generated message, or None at the end
        if self._ended():
            return None
        try:
            message = await self._call.read()
        except asyncio.CancelledError:
            # Cancelling the call cancels whoever reads from it: only a cancelled task shall see that.
            task = asyncio.current_task()
            if self._ended() and task is not None and not task.cancelling():
                return None
            raise
        except grpc.aio.AioRpcError as error:
            if self._ended():
                return None
            raise call_error(error, f"subscription to {self._topic}", self._gateway) from None
        return None if message is grpc.aio.EOF else message
