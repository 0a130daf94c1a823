"""`virtufin status [FEED|TOPIC]`: which link of a feed is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from virtufin_examples.cli._gateway_client import AsJson, Gateway, api_client
from virtufin_examples.cli._outcome import FAILED, print_json, print_rows, run
from virtufin_examples.errors import UnavailableError

if TYPE_CHECKING:
    from virtufin_examples.client import Diagnosis


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: virtufin status alpaca-ticks")(status)


def status(
    name: Annotated[
        str, typer.Argument(metavar="[FEED|TOPIC]", help="A run, topic, connection or worker; default: all.")
    ] = "",
    seconds: Annotated[
        float, typer.Option(min=0.1, max=60, help="How long the topics are listened to.")
    ] = 3.0,
    gateway: Gateway = None,
    as_json: AsJson = False,
) -> None:
    """Walk a feed from market hours to subscriber, and name the first broken link (exit status 1)."""

    async def work() -> tuple[Diagnosis, ...]:
        from virtufin_examples.client import feed_status, unreachable

        try:
            async with api_client(gateway) as api:
                return await feed_status(api, name, listen_seconds=seconds)
        except UnavailableError as error:
            return (unreachable(error, name),)

    found = run(work(), as_json=as_json)
    for diagnosis in found:
        _show(diagnosis, as_json=as_json)
    if not found and not as_json:
        typer.echo("nothing runs, so nothing is broken; start a feed: virtufin feed start FILE")
    if any(diagnosis.broken for diagnosis in found):
        raise typer.Exit(FAILED)


def _show(diagnosis: Diagnosis, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        for finding in diagnosis.findings:
            fields = msgspec.to_builtins(finding)
            fields["symbol_ages"] = dict(finding.symbol_ages)
            print_json({"event": "finding", "feed": diagnosis.name, **fields})
        print_json(
            {
                "event": "status",
                "feed": diagnosis.name,
                "healthy": diagnosis.broken is None,
                "broken": diagnosis.broken.link.value if diagnosis.broken else None,
                "sentence": diagnosis.sentence,
            }
        )
        return
    rows = [
        {"link": finding.link, "health": finding.health, "finding": finding.text}
        for finding in diagnosis.findings
    ]
    print_rows(rows, ("link", "health", "finding"), empty="")
    typer.echo(diagnosis.sentence)
