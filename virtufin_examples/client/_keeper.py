"""What goes on behind an open feed: its lease is renewed, and a feed that went quiet is looked at."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from virtufin_examples.client._api import ApiClient
from virtufin_examples.client._close_feed import RUN_TAG
from virtufin_examples.client._connections import WebSocketManagerClient
from virtufin_examples.client._handshake import connection_error
from virtufin_examples.client._workers import WorkManagerClient
from virtufin_examples.errors import NotFoundError, UnavailableError, VirtufinError

if TYPE_CHECKING:
    from virtufin_examples.client._feed import Feed

LEASE_SECONDS = 30
_RENEWALS_A_LEASE = 3
_LOOK_SECONDS = 2.0


class FeedKeeper:
    """Renews the worker's lease (0: there is none) from its creation, and watches the feed once it is open.

    A gateway that does not answer is borne: frames do not come through it, and a lapsed lease shows itself.
    """

    def __init__(self, api: ApiClient, run_id: str, *, lease_seconds: int) -> None:
        self._workers = WorkManagerClient(api)
        self._connections = WebSocketManagerClient(api)
        self._tags = {RUN_TAG: run_id}
        self._lease_seconds = lease_seconds
        self._lost: VirtufinError | None = None
        self._leases: dict[str, asyncio.Task[None]] = {}
        self._watching: asyncio.Task[None] | None = None

    def start(self, worker_id: str) -> None:
        """Begin to renew this worker's lease."""
        if self._lease_seconds:
            self._leases[worker_id] = asyncio.create_task(self._renew(worker_id), name="lease")

    async def release(self, worker_id: str) -> None:
        """Renew this worker's lease no more."""
        lease = self._leases.pop(worker_id, None)
        if lease is not None:
            await _ended(lease)

    def watch(self, feed: Feed) -> None:
        """Look after the open feed: it fails when its worker, its connection or its venue has given up."""
        self._watching = asyncio.create_task(self._look(feed), name="feed-watch")

    async def stop(self) -> None:
        """End both."""
        await _ended(*self._leases.values(), *([self._watching] if self._watching is not None else []))
        self._leases.clear()

    async def _renew(self, worker_id: str) -> None:
        loop = asyncio.get_running_loop()
        lapses_at = loop.time() + self._lease_seconds
        while True:
            await asyncio.sleep(self._lease_seconds / _RENEWALS_A_LEASE)
            try:
                await self._workers.renew_lease(worker_id)
                lapses_at = loop.time() + self._lease_seconds
            except VirtufinError as error:
                gone = isinstance(error, NotFoundError)
                if gone or loop.time() >= lapses_at:
                    self._lost = UnavailableError(
                        f"the feed's worker is gone: {error.message}",
                        hint="deleted by somebody else, or its lease lapsed; start the feed again",
                    )
                    return

    async def _look(self, feed: Feed) -> None:
        seen = -1
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            error = self._lost
            if error is None and (feed.items == seen or len(feed.symbols.connection_ids) > 1):
                error = await self._connection_trouble(feed)
            if error is not None:
                await feed.fail(error)
                return
            seen = feed.items

    async def _connection_trouble(self, feed: Feed) -> VirtufinError | None:
        try:
            connections = await self._connections.list_connections(self._tags)
        except VirtufinError:
            return None  # no answer is no bad news of the connection
        there = {connection.id: connection for connection in connections}
        for connection_id in feed.symbols.connection_ids:
            if connection_id not in there:
                return UnavailableError(
                    f"connection {connection_id} is gone",
                    hint="ended by somebody else, or with its worker; start the feed again",
                )
            error = connection_error(there[connection_id], feed.info.settings.venue.title)
            if error is not None:
                return error
        return None


async def _ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
