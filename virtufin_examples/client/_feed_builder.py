"""The workers and connections of a feed: started, opened, told what to subscribe to, ended."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from virtufin_examples.client._close_feed import RUN_TAG
from virtufin_examples.client._commands import COMMAND_TOPIC, WorkerCommands
from virtufin_examples.client._engine import Engine, PackageSource
from virtufin_examples.client._handshake import connection_error
from virtufin_examples.client._layout import Opening, Part
from virtufin_examples.client._together import together
from virtufin_examples.client._venue_port import Change, Credentials, VenueMessage
from virtufin_examples.client._workers import WorkManagerClient
from virtufin_examples.errors import InvalidInputError, NotFoundError, PreconditionError

if TYPE_CHECKING:
    from virtufin_examples.client._api import ApiClient
    from virtufin_examples.client._feed_settings import FeedSettings
    from virtufin_examples.client._keeper import FeedKeeper
    from virtufin_examples.client._replies import ConnectionInfo
    from virtufin_examples.client._requests import Requests
    from virtufin_examples.client._steps import Steps
    from virtufin_examples.venues import Session
    from virtufin_examples.worker_packages import WorkerPackage

CHANNEL_TAG = "virtufin.channel"
"""Tag of connections: the channel of their symbols."""


async def send(commands: WorkerCommands, connection_id: str, message: VenueMessage) -> None:
    """Have a worker send a message to the venue."""
    if message.command is Change.SUBSCRIBE:
        await commands.subscribe(connection_id, message.params)
    elif message.command is Change.UNSUBSCRIBE:
        await commands.unsubscribe(connection_id, message.params)
    else:
        await commands.send_raw(connection_id, message.payload, secrets=message.secrets)


class FeedBuilder:
    """Does the steps of one run's feed, for all its workers or connections at once.

    Everything carries the run's tag. `parts` is what there is, so that it can be undone from wherever it got.
    """

    def __init__(
        self,
        settings: FeedSettings,
        *,
        api: ApiClient,
        requests: Requests,
        run_id: str,
        lease_seconds: int,
        keeper: FeedKeeper,
        package_source: PackageSource,
        credentials: Credentials,
    ) -> None:
        self.settings = settings
        self.run_id = run_id
        self.keeper = keeper
        self.workers = WorkManagerClient(api)
        self.parts: list[Part] = []
        self.on_created: Callable[[str], None] = _ignore
        """Called with each connection before it publishes anything."""
        self.touched = False
        """Whether there may be something to clean up, even where an answer never arrived."""
        self._requests = requests
        self._lease_seconds = lease_seconds
        self._package_source = package_source
        self._credentials = credentials
        self.tags = {**settings.tags, RUN_TAG: run_id}
        self._connection_tags = {**self.tags, CHANNEL_TAG: settings.channel}

    def commands(self, worker_id: str) -> WorkerCommands:
        """Return what sends commands to a worker, on its own topic."""
        return WorkerCommands(self._requests, f"{COMMAND_TOPIC}.{worker_id}")

    async def connections(self) -> tuple[ConnectionInfo, ...]:
        """Return the connections, as their workers list them."""
        owners = dict.fromkeys(part.worker for part in self.parts)
        listed = await together(self.commands(worker).list() for worker in owners)
        return tuple(connection for reply in listed for connection in reply.connections)

    # --- workers ---

    async def start_workers(self, engine: Engine, count: int, steps: Steps) -> tuple[Engine, list[str]]:
        """Create and start workers; `AUTO` becomes .NET, or Python where that does not run."""
        if engine is not Engine.AUTO:
            return engine, await self._start(engine, count, steps)
        try:
            return Engine.DOTNET, await self._start(Engine.DOTNET, count, steps)
        except (PreconditionError, InvalidInputError):  # reported as a step; the platform may have no .NET
            await self._drop_workers()
            return Engine.PYTHON, await self._start(Engine.PYTHON, count, steps)

    async def end_workers(self, ids: Sequence[str]) -> None:
        """Stop and delete workers."""
        for worker_id in ids:
            await self.keeper.release(worker_id)
            with contextlib.suppress(NotFoundError):  # gone already is what was wanted
                await self.workers.delete_worker(worker_id)

    async def _drop_workers(self) -> None:
        await self.end_workers([worker.id for worker in await self.workers.list_workers(self.tags)])

    async def _start(self, engine: Engine, count: int, steps: Steps) -> list[str]:
        with steps.step("package worker") as note:
            package = await self._package_source(engine)
            note.detail = f"{package.version} for {engine}"
        with steps.step("create worker") as note:
            self.touched = True
            ids = await together(self._create_worker(package) for _ in range(count))
            note.detail = _some(ids, "workers")
        with steps.step("start worker"):
            await together(self.workers.start_worker(worker_id) for worker_id in ids)
        return ids

    async def _create_worker(self, package: WorkerPackage) -> str:
        worker_id = await self.workers.create_worker(
            package, topic=COMMAND_TOPIC, tags=self.tags, lease_seconds=self._lease_seconds
        )
        self.keeper.start(worker_id)
        return worker_id

    # --- connections ---

    async def connect(self, openings: Sequence[Opening], steps: Steps) -> dict[str, Session]:
        """Open connections, send the handshake, publish; return a reader of each one's answers.

        Every opening names its worker.
        """
        settings, venue = self.settings, self.settings.venue
        with steps.step("create") as note:
            chunks = [(opening.worker, chunk) for opening in openings for chunk in opening.chunks]
            parts = await together(self._create(worker, chunk) for worker, chunk in chunks)
            note.detail = _some([part.connection for part in parts], "connections")
        sessions = {part.connection: venue.session(settings.url, settings.options) for part in parts}

        async def tell(part: Part, message: VenueMessage) -> None:
            async with self._explained(part):
                await send(self.commands(part.worker), part.connection, message)
                sessions[part.connection].sent(message.payload, binary=False)

        for message in venue.login(self._credentials):
            with steps.step(message.name):
                await together(tell(part, message) for part in parts)
        changes = [venue.change(Change.SUBSCRIBE, settings.channel, part.symbols) for part in parts]
        with steps.step(changes[0].name):
            await together(tell(part, change) for part, change in zip(parts, changes, strict=True))
        with steps.step("publish"):
            await together(self._publish(part) for part in parts)
        return sessions

    async def disconnect(self, parts: Sequence[Part]) -> None:
        """End connections."""
        for part in parts:
            with contextlib.suppress(NotFoundError):
                await self.commands(part.worker).disconnect(part.connection)
            self.parts = [other for other in self.parts if other.connection != part.connection]

    async def disconnect_all(self) -> None:
        """End all connections."""
        await self.disconnect(self.parts)

    async def _create(self, worker_id: str, symbols: tuple[str, ...]) -> Part:
        settings = self.settings
        created = await self.commands(worker_id).create(
            settings.url,
            auto_reconnect=settings.auto_reconnect,
            tags=self._connection_tags,
            connector=settings.connector,
            options=settings.options,
            lease_seconds=self._lease_seconds,
        )
        part = Part(worker_id, created.id, symbols)
        self.parts.append(part)
        self.on_created(created.id)
        return part

    async def _publish(self, part: Part) -> None:
        settings = self.settings
        async with self._explained(part):
            await self.commands(part.worker).publish(
                part.connection,
                settings.topic,
                encoding=settings.encoding,
                overflow=settings.overflow or "",
                markers=settings.markers or "",
            )

    @contextlib.asynccontextmanager
    async def _explained(self, part: Part) -> AsyncIterator[None]:
        """Raise why the connection is down in place of a command's failure on it."""
        try:
            yield
        except PreconditionError:
            for connection in (await self.commands(part.worker).list()).connections:
                if connection.id == part.connection:
                    cause = connection_error(connection, self.settings.venue.title)
                    if cause is not None:
                        raise cause from None
            raise

    # --- changes ---

    async def change(self, part: Part, changes: Mapping[Change, tuple[str, ...]]) -> None:
        """Change what a connection is subscribed to."""
        for change, symbols in changes.items():
            if symbols:
                message = self.settings.venue.change(change, self.settings.channel, symbols)
                await send(self.commands(part.worker), part.connection, message)


def _ignore(_: str) -> None:
    """Nobody wants to know."""


def _some(ids: Sequence[str], what: str) -> str:
    return ids[0] if len(ids) == 1 else f"{len(ids)} {what}"
