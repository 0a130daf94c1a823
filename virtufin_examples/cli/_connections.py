"""`virtufin connections list|disconnect`: what a WebSocketManager holds open."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
import typer

from virtufin_examples.cli._gateway_client import AsJson, Gateway, api_client
from virtufin_examples.cli._outcome import print_json, print_rows, run

connections = typer.Typer(
    help="List and end connections.",
    epilog="Example: virtufin connections list",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(connections, name="connections")


@connections.command("list", epilog="Example: virtufin connections list --json")
def list_(gateway: Gateway = None, as_json: AsJson = False) -> None:
    """List the connections: state, topic, frames, and how long ago the last one came."""

    async def work() -> None:
        from virtufin_examples.client import WebSocketManagerClient

        async with api_client(gateway) as api:
            found = await WebSocketManagerClient(api).list_connections()
        if as_json:
            for item in found:
                print_json({"event": "connection", **msgspec.to_builtins(item)})
            return
        now_ns = time.time_ns()
        rows = [
            {
                "id": item.id,
                "status": item.status,
                "topic": item.topic,
                "epoch": item.epoch,
                "frames": item.frames,
                "age": f"{(now_ns - item.last_received_ns) / 1e9:.1f}s" if item.last_received_ns else "",
                "note": item.reason or ("SIMULATED" if item.simulated else ""),
            }
            for item in found
        ]
        print_rows(rows, ("id", "status", "topic", "epoch", "frames", "age", "note"), empty="no connections")

    run(work(), as_json=as_json)


@connections.command(epilog="Example: virtufin connections disconnect 0b6e...")
def disconnect(
    connection_id: Annotated[str, typer.Argument(metavar="ID", help="From `connections list`.")],
    gateway: Gateway = None,
    as_json: AsJson = False,
) -> None:
    """End a connection."""

    async def work() -> None:
        from virtufin_examples.client import WebSocketManagerClient

        async with api_client(gateway) as api:
            await WebSocketManagerClient(api).disconnect(connection_id)
        if as_json:
            print_json({"event": "disconnected", "connection": connection_id})
        else:
            typer.echo(f"connection {connection_id} ended")

    run(work(), as_json=as_json)
