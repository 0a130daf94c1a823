"""A run from start to end: platform, feed, data, summary."""

from __future__ import annotations

import asyncio
import time

from virtufin_examples.client import (
    ApiClient,
    ClientSettings,
    Engine,
    Feed,
    FeedSettings,
    new_run_id,
    open_feed,
    packed_worker,
)
from virtufin_examples.client._http import fetch
from virtufin_examples.client._steps import Steps
from virtufin_examples.errors import PreconditionError, VirtufinError
from virtufin_examples.example_run._audit import RunAudit
from virtufin_examples.example_run._edits import (
    LOOK_SECONDS,
    Saves,
    SymbolsChanged,
    signature_of,
    symbol_changes,
)
from virtufin_examples.example_run._header import Header
from virtufin_examples.example_run._interrupt import Interrupts, Phase
from virtufin_examples.example_run._local_engine import local_engine
from virtufin_examples.example_run._options import Options, Platform
from virtufin_examples.example_run._package import built_worker
from virtufin_examples.example_run._plan import Plan, at_simulator, credentials_for
from virtufin_examples.example_run._platform import Started, started
from virtufin_examples.example_run._summary import Summary
from virtufin_examples.example_run._tally import Tally
from virtufin_examples.example_run._views import TICK_SECONDS, LinesView, RunView

_BOOK_PAUSE_SECONDS = 5.0


class ExampleRun:
    """One run of an example script; `run` does all of it."""

    def __init__(
        self,
        *,
        title: str,
        options: Options,
        plan: Plan,
        client: ClientSettings,
        view: RunView,
        interrupts: Interrupts,
    ) -> None:
        self._title = title
        self._options = options
        self._plan = plan
        self._key = client.api_key.get_secret_value() or None
        self._view = view
        self._interrupts = interrupts
        self._run_id = new_run_id()
        self._audit: RunAudit | None = None

    async def run(self) -> None:
        """Open, show, end; raises `VirtufinError`s, and `CancelledError` when interrupted while opening."""
        async with started(self._plan, Steps(self._view.step), self._view.progress) as ours:
            gateway = ours.platform.gateway if ours.platform else self._plan.gateway
            async with ApiClient(gateway, self._key) as api:
                summary = await self._feed(api, ours)
        self._view.summary(summary)
        if summary.account is not None and not summary.account.is_closed:
            raise PreconditionError(
                summary.account.summary(), hint=f"--faults {self._options.faults} makes the same faults again"
            )

    async def _feed(self, api: ApiClient, ours: Started) -> Summary:
        settings = self._plan.settings.for_run(self._run_id)
        if ours.simulator:
            settings = at_simulator(settings, ours.simulator)
        engine, runtime = Engine(self._options.engine), ""
        if self._plan.own_platform:
            engine, runtime = await asyncio.to_thread(local_engine, engine)
        await self._show_header(api, settings, engine, runtime)
        audit = account = None
        if ours.simulator and self._options.faults is not None:
            audit = self._audit = RunAudit(ours.simulator.control, self._options.faults)
            await audit.begin()
        async with open_feed(
            settings,
            api=api,
            engine=engine,
            credentials=credentials_for(self._plan, ours.simulator),
            run_id=self._run_id,
            keep=self._options.keep,
            dapr_endpoint=ours.platform.runtime if ours.platform else "",
            on_step=self._view.step,
            package_source=built_worker,
        ) as feed:
            tally = Tally(feed.info.opened_ns)
            self._interrupts.phase = Phase.LIVE
            self._view.live(feed.info)
            if audit is not None:
                await audit.disturb()
            try:
                await self._until_the_end(feed, tally, ours)
            finally:
                self._interrupts.phase = Phase.CLOSING
                tally.end(time.time_ns())
                self._view.ended()
            if audit is not None:
                with Steps(self._view.step).step("audit") as note:
                    account = await audit.finish(feed)
                    note.detail = "account closed" if account.is_closed else "account NOT closed"
        return Summary(
            run_id=self._run_id,
            tally=tally,
            engine=str(feed.info.engine),
            runtime=feed.info.worker.runtime,
            platform=self._platform(api, feed),
            simulated=feed.info.simulated,
            kept=self._options.keep,
            account=account,
        )

    def _platform(self, api: ApiClient, feed: Feed) -> str:
        """What the topic was read from: Dapr, whoever started it; else ours, or the gateway's address."""
        if feed.on_dapr:
            return str(Platform.DAPR)
        return str(Platform.EMBEDDED) if self._plan.own_platform else api.endpoint

    async def _show_header(
        self, api: ApiClient, settings: FeedSettings, engine: Engine, runtime: str
    ) -> None:
        package = await packed_worker(engine)
        source = "yours"
        if self._plan.own_platform:
            source = "on Dapr" if self._plan.platform is Platform.DAPR else "embedded platform"
        url = settings.url.partition("?")[0]
        self._view.header(
            Header(
                title=self._title,
                simulated=self._plan.simulated or None,
                run_id=self._run_id,
                gateway=f"{api.endpoint} ({source})",
                upstream=f"simulator, {url}" if self._plan.simulated else url,
                package=f"{package.name} {package.version}",
                engine=f"{engine} on {runtime}" if runtime else "",
                symbols=settings.symbols,
                channel=settings.channel,
                topic=settings.topic,
            )
        )

    async def _until_the_end(self, feed: Feed, tally: Tally, ours: Started) -> None:
        """Hand items on until enough, Ctrl-C, the time is up, or something has failed."""
        reading = asyncio.create_task(self._read(feed, tally), name="frames")
        asked = asyncio.create_task(self._interrupts.asked.wait(), name="interrupt")
        ticking = asyncio.create_task(self._tick(), name="display")
        following = asyncio.create_task(self._follow_edits(feed), name="settings")
        books = asyncio.create_task(self._fetch_books(feed), name="books")
        deaths = [asyncio.create_task(child.ended(), name="child") for child in ours.children]
        tasks = (reading, asked, ticking, *deaths)
        helpers = (following, books)
        try:
            await asyncio.wait(
                (*tasks, *helpers),
                timeout=self._options.duration_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for death in deaths:
                if death.done():
                    raise death.result()
            for own in (reading, ticking, *helpers):
                if own.done():
                    own.result()
        finally:
            for task in (*tasks, *helpers):
                task.cancel()
            await asyncio.gather(*tasks, *helpers, return_exceptions=True)

    async def _read(self, feed: Feed, tally: Tally) -> None:
        async for item in feed:
            tally.add(item, time.time_ns())
            if self._audit is not None:
                self._audit.received(item)
            self._view.item(item)
            if tally.frames == self._options.frames:
                return

    async def _follow_edits(self, feed: Feed) -> None:
        """Change the feed's symbols as the settings file is edited; what cannot be done is told."""
        path = self._options.settings
        current = self._plan.settings
        saves = Saves()  # it is read once in any case: it may have been saved while the run began
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not saves.look(signature_of(path)):
                continue
            try:
                edited = FeedSettings.load(path)
                added, removed = symbol_changes(current, edited, where=str(path))
                if added or removed:
                    unchecked = (await feed.symbols.change(added, removed)).unchecked
            except VirtufinError as error:
                self._view.refused(error)
                continue
            current = edited
            if added or removed:
                connections, workers = len(feed.symbols.connection_ids), feed.symbols.workers
                self._view.changed(SymbolsChanged(added, removed, connections, workers, unchecked))

    async def _fetch_books(self, feed: Feed) -> None:
        """Fetch the snapshots that the books of a view want, one after the other."""
        if not isinstance(self._view, LinesView):
            await asyncio.Event().wait()
            return
        reader = self._view.market.reader
        url, venue = feed.info.settings.url, feed.info.settings.venue
        while True:
            for symbol in reader.wants_snapshots():
                try:
                    answer = await fetch(venue.book_url(url, symbol))
                    reader.take_snapshot(symbol, answer.body)
                except VirtufinError as error:
                    self._view.note(f"no book of {symbol}: {error.message}")
                    await asyncio.sleep(_BOOK_PAUSE_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    async def _tick(self) -> None:
        while True:
            self._view.tick()
            await asyncio.sleep(TICK_SECONDS)
