"""`virtufin feed start|list|stop|symbols` and `virtufin check`: feeds that last beyond a script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from virtufin_examples.cli._gateway_client import AsJson, Gateway, api_client
from virtufin_examples.cli._outcome import print_json, print_rows, run
from virtufin_examples.errors import NotFoundError

if TYPE_CHECKING:
    from virtufin_examples.client import Step

feed = typer.Typer(
    help="Start, list and stop feeds that last beyond a script.",
    epilog="Example: virtufin feed start settings/settings.alpaca.json",
    no_args_is_help=True,
)

symbols = typer.Typer(
    help="Change the symbols of a feed while it runs; the others flow on.",
    epilog="Example: virtufin feed symbols add 5f0c2a9e SOLUSDT XRPUSDT",
    no_args_is_help=True,
)

FeedName = Annotated[
    str, typer.Argument(metavar="FEED", help="A run's id (see `feed list`), a topic or a connection.")
]
Symbols = Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="As the venue spells them.")]
Channel = Annotated[
    str, typer.Option(help="Channel of the symbols, where the feed was not opened with a settings file.")
]
SettingsFile = Annotated[Path, typer.Argument(help="A feed's settings: url, channel, symbols, topic.")]


def register(app: typer.Typer) -> None:
    """Add the group and `check`."""
    feed.add_typer(symbols, name="symbols")
    app.add_typer(feed, name="feed")
    app.command(epilog="Example: virtufin check settings/settings.alpaca.json")(check)


def check(settings: SettingsFile, as_json: AsJson = False) -> None:
    """Check a feed's settings file without starting anything."""

    async def work() -> None:
        from virtufin_examples.client import FeedSettings

        found = FeedSettings.load(settings)
        if as_json:
            print_json(
                {
                    "event": "check",
                    "ok": True,
                    "file": str(settings),
                    "url": found.url,
                    "channel": found.channel,
                    "symbols": list(found.symbols),
                    "topic": found.topic,
                }
            )
        else:
            count = len(found.symbols)
            typer.echo(
                f"{settings}: ok ({count} symbols of {found.channel} at {found.url} onto {found.topic})"
            )

    run(work(), as_json=as_json)


@feed.command(epilog="Example: virtufin feed start settings/settings.alpaca.json")
def start(
    settings: SettingsFile,
    engine: Annotated[str, typer.Option(help="auto, dotnet or python.")] = "auto",
    gateway: Gateway = None,
    as_json: AsJson = False,
) -> None:
    """Start a feed and leave it running; `virtufin feed stop RUN` ends it."""

    def show(step: Step) -> None:
        if as_json:
            print_json({"event": "step", "step": step.name, "ok": step.ok, "ms": step.ms})
        else:
            outcome = step.detail if step.ok else step.error
            typer.echo(f"{'ok' if step.ok else 'FAILED':<7}{step.name:<20}{step.ms:>8.1f} ms  {outcome}")

    async def work() -> None:
        from virtufin_examples.client import Engine, FeedSettings, open_feed
        from virtufin_examples.errors import InvalidInputError

        wanted = FeedSettings.load(settings)
        if engine not in {item.value for item in Engine}:
            raise InvalidInputError(f"--engine is {engine!r}", hint="choose auto, dotnet or python")
        async with (
            api_client(gateway) as api,
            open_feed(wanted, api=api, engine=Engine(engine), keep=True, on_step=show) as opened,
        ):
            info = opened.info
            if as_json:
                print_json(
                    {
                        "event": "feed",
                        "run": info.run_id,
                        "worker": info.worker.id,
                        "connection": info.connection_id,
                        "topic": info.settings.topic,
                    }
                )
            else:
                typer.echo(
                    f"feed {info.run_id} runs onto {info.settings.topic}; "
                    f"end it: virtufin feed stop {info.run_id}"
                )

    run(work(), as_json=as_json)


@feed.command("list", epilog="Example: virtufin feed list --json")
def list_(gateway: Gateway = None, as_json: AsJson = False) -> None:
    """List the feeds of a gateway with their connections."""

    async def work() -> None:
        from virtufin_examples.client import RUN_TAG, WebSocketManagerClient, WorkManagerClient

        async with api_client(gateway) as api:
            workers = await WorkManagerClient(api).list_workers()
            connections = await WebSocketManagerClient(api).list_connections()
        rows = [
            {
                "run": worker.tags[RUN_TAG],
                "worker": worker.id,
                "worker_status": worker.status.removeprefix("WORKER_STATUS_").lower(),
                "connection": item.id if item else "",
                "status": item.status if item else "",
                "topic": item.topic if item else "",
                "frames": item.frames if item else 0,
                "reconnects": item.reconnects if item else 0,
                "lease_seconds": worker.lease_seconds,
                "reason": worker.failure or (item.reason if item else ""),
            }
            for worker in workers
            if RUN_TAG in worker.tags
            for item in ([*(one for one in connections if one.owner == worker.id)] or (None,))
        ]
        if as_json:
            for row in rows:
                print_json({"event": "feed", **row})
        else:
            print_rows(
                rows,
                ("run", "worker_status", "status", "topic", "frames", "reconnects", "reason"),
                empty="no feeds; start one: virtufin feed start settings/settings.alpaca.json",
            )

    run(work(), as_json=as_json)


@feed.command(epilog="Example: virtufin feed stop 5f0c2a9e")
def stop(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, from `feed list`.")],
    gateway: Gateway = None,
    as_json: AsJson = False,
) -> None:
    """End a feed: its connections and its worker."""

    async def work() -> None:
        from virtufin_examples.client import RUN_TAG, WebSocketManagerClient, WorkManagerClient, close_feed

        async with api_client(gateway) as api:
            tags = {RUN_TAG: run_id}
            workers = await WorkManagerClient(api).list_workers(tags)
            connections = await WebSocketManagerClient(api).list_connections(tags)
            if not workers and not connections:
                raise NotFoundError(f"no feed of run {run_id!r}", hint="see `virtufin feed list`")
            await close_feed(api, run_id)
        if as_json:
            print_json({"event": "stopped", "run": run_id})
        else:
            typer.echo(f"feed {run_id} stopped")

    run(work(), as_json=as_json)


@symbols.command(epilog="Example: virtufin feed symbols add 5f0c2a9e SOLUSDT XRPUSDT")
def add(
    name: FeedName, names: Symbols, channel: Channel = "", gateway: Gateway = None, as_json: AsJson = False
) -> None:
    """Add symbols; returns when the venue has confirmed them."""
    _change(name, channel, gateway, as_json=as_json, added=names)


@symbols.command(epilog="Example: virtufin feed symbols remove binance-depth-5f0c2a9e SOLUSDT")
def remove(
    name: FeedName, names: Symbols, channel: Channel = "", gateway: Gateway = None, as_json: AsJson = False
) -> None:
    """Remove symbols; returns when the venue has confirmed it. The last one stays."""
    _change(name, channel, gateway, as_json=as_json, removed=names)


def _change(
    name: str,
    channel: str,
    gateway: str | None,
    *,
    as_json: bool,
    added: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> None:
    async def work() -> None:
        from virtufin_examples.client import change_symbols

        async with api_client(gateway) as api:
            plan = await change_symbols(api, name, add=added, remove=removed, channel=channel)
        if as_json:
            print_json(
                {
                    "event": "symbols",
                    "feed": name,
                    "added": plan.added,
                    "removed": plan.removed,
                    "unchecked": plan.unchecked,
                }
            )
            return
        done = [f"added {', '.join(plan.added)}"] if plan.added else []
        done += [f"removed {', '.join(plan.removed)}"] if plan.removed else []
        typer.echo(f"feed {name}: {'; '.join(done) or 'it has them already'}")
        if plan.unchecked:
            typer.echo(f"whether they exist was not checked: {plan.unchecked}", err=True)

    run(work(), as_json=as_json)
