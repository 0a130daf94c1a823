"""A feed that was opened: its items, and what is known of its worker and connection."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtufin_examples.client._engine import Engine
from virtufin_examples.client._feed_settings import FeedSettings
from virtufin_examples.client._workers import WorkerInfo
from virtufin_examples.errors import VirtufinError

if TYPE_CHECKING:
    from virtufin_examples.client._feed_symbols import FeedSymbols
    from virtufin_examples.client._own_connections import OwnConnections
    from virtufin_examples.client._subscribe import Subscription
    from virtufin_examples.frames import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedInfo:
    """What a feed consisted of when it was opened; `Feed.symbols` may change that.

    `opened_ns` is when it was handed over: frames received before that (Unix time) had waited for it.
    `simulated` is what the WebSocketManager saw of the peer: a simulator says so as the socket opens.
    """

    run_id: str
    settings: FeedSettings
    engine: Engine
    workers: tuple[WorkerInfo, ...]
    connection_ids: tuple[str, ...]
    opened_ns: int
    simulated: bool

    @property
    def worker(self) -> WorkerInfo:
        """The first worker; most feeds have one."""
        return self.workers[0]

    @property
    def connection_id(self) -> str:
        """The first connection; most feeds have one."""
        return self.connection_ids[0]


class Feed:
    """Async iterator of a feed's items: `Frame`, `Gap`, `Stale`, `Restored`, `Silent`.

    It starts with the first frame of its connections. What those of other feeds have brought onto the topic
    is left out: a broker may still hold an earlier feed's frames. It ends by raising: `VenueError` when the
    venue refuses for good, `UnavailableError` when a connection or its worker is gone.
    """

    def __init__(
        self,
        info: FeedInfo,
        first: Iterable[Item],
        subscription: Subscription,
        symbols: FeedSymbols,
        own: OwnConnections,
    ) -> None:
        self.info = info
        self.symbols = symbols
        self._own = own
        self._first = deque(first)
        self._subscription = subscription
        self._failure: VirtufinError | None = None
        self.items = 0
        """How many items it has yielded."""

    @property
    def on_dapr(self) -> bool:
        """Whether it is read from a real sidecar, and not from the embedded runtime."""
        return self._subscription.on_dapr

    async def fail(self, error: VirtufinError) -> None:
        """End the iteration with an error, after what has arrived already."""
        self._failure = error
        await self._subscription.close()

    def __aiter__(self) -> AsyncIterator[Item]:
        return self

    async def __anext__(self) -> Item:
        """Return the next item; it may be cancelled without loss."""
        while True:
            if not self._first:
                self._first.append(await self._next())
            item = self._first[0]
            ours = self._own.verdict(item)
            if ours is None:
                ours = await self._own.find_out(item)
            self._first.popleft()
            if ours:
                self.items += 1
                return item

    async def _next(self) -> Item:
        try:
            return await anext(self._subscription)
        except StopAsyncIteration:
            if self._failure is not None:
                raise self._failure from None
            raise
