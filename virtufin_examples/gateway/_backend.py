"""The connection to one back end: its channel, its breaker, and what its methods look like."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
import grpc.aio

from virtufin_examples.gateway._breaker import CircuitBreaker
from virtufin_examples.gateway._entry import ServiceEntry
from virtufin_examples.gateway._methods import Schema
from virtufin_examples.gateway._reflection import Metadata, fetch_schema
from virtufin_examples.service import CHANNEL_OPTIONS

_OPTIONS = (
    *CHANNEL_OPTIONS,
    # gRPC's own transparent retry could carry a message of the old schema to a new server.
    ("grpc.enable_retries", 0),
)


class Backend:
    """One back end. The channel opens with the first call.

    The schema is kept while the connection lasts: a back end that was redeployed has dropped it.
    """

    def __init__(self, entry: ServiceEntry, *, api_key: str, breaker: CircuitBreaker) -> None:
        self.entry = entry
        self.breaker = breaker
        self._key: Metadata = (("x-api-key", api_key),) if api_key else ()
        self._channel: grpc.aio.Channel | None = None
        self._watch: asyncio.Task[None] | None = None
        self._schema: Schema | None = None
        self._connections_lost = 0
        self._fetching = asyncio.Lock()

    def __str__(self) -> str:
        return f"back end {self.entry.name!r} at {self.entry.target}"

    @property
    def is_connected(self) -> bool:
        """Whether there is a channel to close."""
        return self._channel is not None

    @property
    def known_schema(self) -> Schema | None:
        """The schema, unless it must be fetched (again)."""
        if self._channel is None or self._channel.get_state() is not grpc.ChannelConnectivity.READY:
            return None
        return self._schema

    async def schema(self, *, other_than: Schema | None = None, timeout_seconds: float) -> Schema:
        """Return the schema, fetched anew when it is not known or is `other_than`.

        Raises gRPC's error, `TimeoutError`, or `PreconditionError` when its reflection is of no use.
        """
        async with asyncio.timeout(timeout_seconds), self._fetching:
            known = self.known_schema
            if known is not None and known is not other_than:
                return known
            self._schema = None
            lost_before = self._connections_lost
            schema = await fetch_schema(
                self._connected(), metadata=self._key, timeout_seconds=timeout_seconds
            )
            if self._connections_lost == lost_before:
                self._schema = schema
            return schema

    async def call(self, path: str, request: bytes, *, headers: Metadata, timeout_seconds: float) -> bytes:
        """Call a unary method with encoded messages; raises gRPC's error."""
        method: Any = self._connected().unary_unary(path)
        answer: bytes = await method(request, metadata=(*headers, *self._key), timeout=timeout_seconds)
        return answer

    async def close(self, grace_seconds: float | None = None) -> None:
        """Close the channel; calls in flight get `grace_seconds` to end."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        if self._channel is not None:
            await self._channel.close(grace_seconds)

    def _connected(self) -> grpc.aio.Channel:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self.entry.target, options=_OPTIONS)
            self._watch = asyncio.create_task(self._follow(self._channel), name=f"watch-{self.entry.name}")
        return self._channel

    async def _follow(self, channel: grpc.aio.Channel) -> None:
        # Asking for the state before each call would miss a connection lost and made again in between. With
        # an open breaker no call would make it again.
        while True:
            state = channel.get_state(try_to_connect=self.breaker.is_open)
            if state is grpc.ChannelConnectivity.READY:
                self.breaker.connected()
            await channel.wait_for_state_change(state)
            if state is grpc.ChannelConnectivity.READY:
                self._connections_lost += 1
                self._schema = None
