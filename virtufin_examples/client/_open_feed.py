"""Opening a feed: worker, subscription, connection, handshake, publish; and ending all of it."""

from __future__ import annotations

import contextlib
import functools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from virtufin_examples.client._api import DEFAULT_ENDPOINT, ApiClient
from virtufin_examples.client._close_feed import CLOSE_SECONDS, RUN_TAG, FeedCloser
from virtufin_examples.client._commands import COMMAND_TOPIC, RESPONSE_TOPIC, WorkerCommands
from virtufin_examples.client._engine import Engine, PackageSource, packed_worker
from virtufin_examples.client._feed import Feed, FeedInfo
from virtufin_examples.client._feed_settings import FeedSettings
from virtufin_examples.client._handshake import Handshaken, await_handshake, connection_error
from virtufin_examples.client._keeper import LEASE_SECONDS, FeedKeeper
from virtufin_examples.client._requests import Requests
from virtufin_examples.client._settings import ClientSettings
from virtufin_examples.client._shield import finish
from virtufin_examples.client._steps import OnStep, Steps
from virtufin_examples.client._subscribe import Subscription, subscribe
from virtufin_examples.client._venue import Credentials
from virtufin_examples.client._workers import WorkManagerClient
from virtufin_examples.errors import (
    InvalidInputError,
    NotFoundError,
    PreconditionError,
    VirtufinError,
)
from virtufin_examples.frames import Frame


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

    Without `api` the gateway is the one that `VIRTUFIN_API_URL` names, else the one on this machine.
    Without `credentials` the platform's secret named after the venue is referred to. `keep` leaves the feed
    running, without a lease; `close_feed` ends it by its run id. Otherwise worker and connection carry a
    lease of 30 s, which is renewed while the block runs. `dapr_endpoint` is where the frames are read from
    (empty: see `subscribe`). Raises `VirtufinError`s: `VenueError` with the venue's code and words when it
    refuses.
    """
    async with contextlib.AsyncExitStack() as stack:
        gateway = api if api is not None else await stack.enter_async_context(_default_api())
        opening = _Opening(
            settings,
            api=gateway,
            run_id=run_id or new_run_id(),
            lease_seconds=0 if keep else LEASE_SECONDS,
            steps=Steps(on_step),
        )
        kept = False
        try:
            feed = await opening.run(
                engine,
                package_source,
                credentials or Credentials.reference(settings.venue.name),
                dapr_endpoint,
            )
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
    ) -> None:
        self._settings = settings
        self._api = api
        self._run_id = run_id
        self._lease_seconds = lease_seconds
        self._steps = steps
        self._tags = {**settings.tags, RUN_TAG: run_id}
        self._workers = WorkManagerClient(api)
        self._requests = Requests(api, f"{RESPONSE_TOPIC}.{run_id}")
        self._keeper: FeedKeeper | None = None
        self._subscription: Subscription | None = None
        self._commands: WorkerCommands | None = None
        self._connection_id = ""

    async def run(
        self, engine: Engine, package_source: PackageSource, credentials: Credentials, dapr_endpoint: str
    ) -> Feed:
        """Do every step."""
        engine, worker_id = await self._start_worker(engine, package_source)
        self._commands = WorkerCommands(self._requests, f"{COMMAND_TOPIC}.{worker_id}")
        with self._steps.step("subscribe") as note:
            note.detail = self._settings.topic
            self._subscription = await subscribe(
                self._settings.topic, dapr=dapr_endpoint or None, api=self._api
            )
        first = await self._connect(self._commands, self._subscription, credentials)
        with self._steps.step("list") as note:
            connections = {item.id: item for item in (await self._commands.list()).connections}
            connection = connections.get(self._connection_id)
            if connection is None:
                raise NotFoundError(f"list: connection {self._connection_id} is not there any more")
            note.detail = f"{connection.status} on {connection.topic}, {connection.frames} frames"
        with self._steps.step("ListWorkers") as note:
            workers = {item.id: item for item in await self._workers.list_workers(self._tags)}
            worker = workers.get(worker_id)
            if worker is None:
                raise NotFoundError(f"ListWorkers: worker {worker_id} is not there any more")
            note.detail = worker.runtime
        info = FeedInfo(
            run_id=self._run_id,
            settings=self._settings,
            engine=engine,
            worker=worker,
            connection_id=self._connection_id,
            opened_ns=time.time_ns(),
            simulated=connection.simulated
            or any(isinstance(item, Frame) and item.simulated for item in first.items),
        )
        feed = Feed(info, first.items, self._subscription)
        if self._keeper is not None:
            self._keeper.watch(feed)
        return feed

    async def close(self, *, leave: bool) -> None:
        """Undo it all, or with `leave` only what is this program's own."""
        if self._keeper is not None:
            await self._keeper.stop()
        if self._subscription is not None:
            await self._subscription.close()
        try:
            if not leave and self._keeper is not None:
                await FeedCloser(self._api, self._run_id, self._steps).close(self._disconnect())
        finally:
            await self._requests.close()

    def _disconnect(self) -> Callable[[], Awaitable[object]] | None:
        """The worker's own `disconnect`, where there is a connection that we know of."""
        if self._commands is None or not self._connection_id:
            return None
        return functools.partial(self._commands.disconnect, self._connection_id)

    async def _start_worker(self, engine: Engine, package_source: PackageSource) -> tuple[Engine, str]:
        if engine is not Engine.AUTO:
            return engine, await self._start(engine, package_source)
        try:
            return Engine.DOTNET, await self._start(Engine.DOTNET, package_source)
        except (PreconditionError, InvalidInputError):  # reported as a step; the platform may have no .NET
            await self._drop_workers()
            return Engine.PYTHON, await self._start(Engine.PYTHON, package_source)

    async def _drop_workers(self) -> None:
        if self._keeper is not None:
            await self._keeper.stop()
        for worker in await self._workers.list_workers({RUN_TAG: self._run_id}):
            await self._workers.delete_worker(worker.id)

    async def _start(self, engine: Engine, package_source: PackageSource) -> str:
        with self._steps.step("package worker") as note:
            package = await package_source(engine)
            note.detail = f"{package.version} for {engine}"
        with self._steps.step("create worker") as note:
            # From here on there may be something to clean up, even if the answer never arrives.
            self._keeper = FeedKeeper(self._api, self._run_id, lease_seconds=self._lease_seconds)
            worker_id = note.detail = await self._workers.create_worker(
                package, topic=COMMAND_TOPIC, tags=self._tags, lease_seconds=self._lease_seconds
            )
            self._keeper.start(worker_id)
        with self._steps.step("start worker"):
            await self._workers.start_worker(worker_id)
        return worker_id

    async def _connect(
        self, commands: WorkerCommands, subscription: Subscription, credentials: Credentials
    ) -> Handshaken:
        """Open the connection, send the handshake, publish, see what the venue says."""
        settings = self._settings
        venue = settings.venue
        session = venue.session(settings.url, settings.options)
        with self._steps.step("create") as note:
            created = await commands.create(
                settings.url,
                auto_reconnect=settings.auto_reconnect,
                tags=self._tags,
                connector=settings.connector,
                options=settings.options,
                lease_seconds=self._lease_seconds,
            )
            self._connection_id = note.detail = created.id
        for message in venue.handshake(settings, credentials):
            with self._steps.step(message.name):
                async with self._explained(commands):
                    await commands.send_raw(self._connection_id, message.payload, secrets=message.secrets)
                    session.sent(message.payload, binary=False)
        with self._steps.step("publish"):
            async with self._explained(commands):
                await commands.publish(
                    self._connection_id,
                    settings.topic,
                    encoding=settings.encoding,
                    overflow=settings.overflow or "",
                    markers=settings.markers or "",
                )
        with self._steps.step("handshake") as note:
            first = await await_handshake(
                subscription, session, commands, self._connection_id, venue=venue.title
            )
            note.detail = (
                f"left out: {', '.join(first.missing)}" if first.missing else f"{venue.title} agreed"
            )
        return first

    @contextlib.asynccontextmanager
    async def _explained(self, commands: WorkerCommands) -> AsyncIterator[None]:
        """Raise why the connection is down in place of a command's failure on it."""
        try:
            yield
        except PreconditionError:
            for connection in (await commands.list()).connections:
                if connection.id == self._connection_id:
                    cause = connection_error(connection, self._settings.venue.title)
                    if cause is not None:
                        raise cause from None
            raise
