"""Opening a feed: worker, subscription, connection, handshake, publish; and ending all of it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from virtufin_examples.client._api import DEFAULT_ENDPOINT, ApiClient
from virtufin_examples.client._close_feed import CLOSE_SECONDS, RUN_TAG, FeedCloser
from virtufin_examples.client._commands import RESPONSE_TOPIC
from virtufin_examples.client._connections import WebSocketManagerClient
from virtufin_examples.client._engine import Engine, PackageSource, packed_worker
from virtufin_examples.client._feed import Feed, FeedInfo
from virtufin_examples.client._feed_builder import FeedBuilder
from virtufin_examples.client._feed_settings import FeedSettings
from virtufin_examples.client._feed_symbols import FeedSymbols
from virtufin_examples.client._handshake import Handshaken, await_handshake
from virtufin_examples.client._keeper import LEASE_SECONDS, FeedKeeper
from virtufin_examples.client._layout import Opening, plan_change
from virtufin_examples.client._own_connections import OwnConnections
from virtufin_examples.client._requests import Requests
from virtufin_examples.client._settings import ClientSettings
from virtufin_examples.client._shield import finish
from virtufin_examples.client._steps import OnStep, Steps
from virtufin_examples.client._subscribe import Subscription, subscribe
from virtufin_examples.client._traded import check_traded
from virtufin_examples.client._venue_port import Credentials
from virtufin_examples.errors import NotFoundError, VirtufinError
from virtufin_examples.frames import Frame

if TYPE_CHECKING:
    from virtufin_examples.client._replies import ConnectionInfo


def new_run_id() -> str:
    """Return a name for a run: eight hex digits, enough to tell the runs on one gateway apart."""
    return secrets.token_hex(4)


@contextlib.asynccontextmanager
async def open_feed(
    settings: FeedSettings,
    *,
    api: ApiClient | None = None,
    engine: Engine = Engine.AUTO,
    credentials: Credentials | None = None,
    run_id: str = "",
    keep: bool = False,
    dapr_endpoint: str = "",
    on_step: OnStep | None = None,
    package_source: PackageSource = packed_worker,
) -> AsyncIterator[Feed]:
    """Open a feed through a gateway and yield it; all that it needed ends with the block, however that ends.

    Its symbols are served by as many connections and workers as the settings' sizes ask for.

    Without `api` the gateway is the one that `VIRTUFIN_API_URL` names, else the one on this machine.
    Without `credentials` the platform's secret named after the venue is referred to. `keep` leaves the feed
    running, without a lease; `close_feed` ends it by its run id. Otherwise worker and connection carry a
    lease of 30 s, which is renewed while the block runs. `dapr_endpoint` is where the frames are read from
    (empty: see `subscribe`). Raises `VirtufinError`s: `VenueError` with the venue's code and words when it
    refuses.
    """
    async with contextlib.AsyncExitStack() as stack:
        gateway = api if api is not None else await stack.enter_async_context(_default_api())
        name = run_id or new_run_id()
        opening = _Opening(
            settings.for_run(name),
            api=gateway,
            run_id=name,
            lease_seconds=0 if keep else LEASE_SECONDS,
            steps=Steps(on_step),
            package_source=package_source,
            credentials=credentials or Credentials.reference(settings.venue.name),
        )
        kept = False
        try:
            feed = await opening.run(engine, dapr_endpoint)
            kept = keep
            yield feed
        except BaseException as error:
            try:
                await finish(opening.close(leave=kept), limit_seconds=CLOSE_SECONDS)
            except VirtufinError as trouble:  # reported as a step; what went wrong first is what counts
                error.add_note(f"then cleaning up failed: {trouble}")
            raise
        else:
            await finish(opening.close(leave=kept), limit_seconds=CLOSE_SECONDS)


def _default_api() -> ApiClient:
    client = ClientSettings.load()
    return ApiClient(client.api_url or DEFAULT_ENDPOINT, client.api_key.get_secret_value() or None)


class _Opening:
    """The state of one opening, so that it can be undone from wherever it got to."""

    def __init__(
        self,
        settings: FeedSettings,
        *,
        api: ApiClient,
        run_id: str,
        lease_seconds: int,
        steps: Steps,
        package_source: PackageSource,
        credentials: Credentials,
    ) -> None:
        self._settings = settings
        self._api = api
        self._run_id = run_id
        self._steps = steps
        self._requests = Requests(api, f"{RESPONSE_TOPIC}.{run_id}")
        self._keeper = FeedKeeper(api, run_id, lease_seconds=lease_seconds)
        self._builder = FeedBuilder(
            settings,
            api=api,
            requests=self._requests,
            run_id=run_id,
            lease_seconds=lease_seconds,
            keeper=self._keeper,
            package_source=package_source,
            credentials=credentials,
        )
        self._subscription: Subscription | None = None

    async def run(self, engine: Engine, dapr_endpoint: str) -> Feed:
        """Do every step."""
        settings, builder, steps = self._settings, self._builder, self._steps
        if settings.venue.symbols_url(settings.url, settings.symbols):
            with steps.step("check symbols") as note:
                note.detail = await check_traded(settings.venue, settings.url, settings.symbols)
        plan = plan_change((), settings.symbols, (), settings.sizes)
        engine, workers = await builder.start_workers(engine, len(plan.openings), steps)
        with steps.step("subscribe") as note:
            note.detail = settings.topic
            self._subscription = await subscribe(settings.topic, dapr=dapr_endpoint or None, api=self._api)
            builder.on_created = self._subscription.expect
        openings = [
            Opening(worker, opening.chunks) for worker, opening in zip(workers, plan.openings, strict=True)
        ]
        sessions = await builder.connect(openings, steps)
        with steps.step("handshake") as note:
            title = settings.venue.title
            first = await await_handshake(self._subscription, sessions, builder.connections, venue=title)
            note.detail = f"left out: {', '.join(first.missing)}" if first.missing else f"{title} agreed"
        info = await self._look(engine, workers, first)
        own = OwnConnections(info.connection_ids, self._run_connections)
        feed = Feed(info, first.items, self._subscription, FeedSymbols(builder, engine), own)
        self._keeper.watch(feed)
        return feed

    async def _look(self, engine: Engine, workers: Sequence[str], first: Handshaken) -> FeedInfo:
        """See that all is there, and what it is."""
        with self._steps.step("list") as note:
            connections = {item.id: item for item in await self._builder.connections()}
            for part in self._builder.parts:
                if part.connection not in connections:
                    raise NotFoundError(f"list: connection {part.connection} is not there any more")
            note.detail = _described(tuple(connections.values()))
        with self._steps.step("ListWorkers") as note:
            listed = {item.id: item for item in await self._builder.workers.list_workers(self._builder.tags)}
            for worker_id in workers:
                if worker_id not in listed:
                    raise NotFoundError(f"ListWorkers: worker {worker_id} is not there any more")
            note.detail = listed[workers[0]].runtime
        return FeedInfo(
            run_id=self._run_id,
            settings=self._settings,
            engine=engine,
            workers=tuple(listed[worker_id] for worker_id in workers),
            connection_ids=tuple(part.connection for part in self._builder.parts),
            opened_ns=time.time_ns(),
            simulated=any(item.simulated for item in connections.values())
            or any(isinstance(item, Frame) and item.simulated for item in first.items),
        )

    async def _run_connections(self) -> list[str]:
        """Return the run's connections, whoever opened them."""
        listed = await WebSocketManagerClient(self._api).list_connections({RUN_TAG: self._run_id})
        return [connection.id for connection in listed]

    async def close(self, *, leave: bool) -> None:
        """Undo it all, or with `leave` only what is this program's own."""
        await self._keeper.stop()
        if self._subscription is not None:
            await self._subscription.close()
        try:
            if not leave and self._builder.touched:
                disconnect = self._builder.disconnect_all if self._builder.parts else None
                await FeedCloser(self._api, self._run_id, self._steps).close(disconnect)
        finally:
            await self._requests.close()


def _described(connections: Sequence[ConnectionInfo]) -> str:
    frames = sum(connection.frames for connection in connections)
    if len(connections) == 1:
        return f"{connections[0].status} on {connections[0].topic}, {frames} frames"
    up = sum(connection.status == "connected" for connection in connections)
    return f"{up} of {len(connections)} connected on {connections[0].topic}, {frames} frames"
