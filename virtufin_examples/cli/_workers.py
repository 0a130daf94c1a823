"""`virtufin workers ...`: what runs on a WorkManager."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from virtufin_examples.cli._gateway_client import AsJson, Gateway, api_client
from virtufin_examples.cli._outcome import print_json, print_rows, run

workers = typer.Typer(help="List, start, stop and delete workers.", no_args_is_help=True)

WorkerId = Annotated[str, typer.Argument(metavar="ID", help="The worker's id, from `workers list`.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(workers, name="workers")


@workers.command("list", epilog="Example: virtufin workers list")
def list_(gateway: Gateway = None, as_json: AsJson = False) -> None:
    """List the workers."""

    async def work() -> None:
        from virtufin_examples.client import WorkManagerClient

        async with api_client(gateway) as api:
            found = await WorkManagerClient(api).list_workers()
        if as_json:
            for worker in found:
                print_json({"event": "worker", **msgspec.to_builtins(worker)})
            return
        rows = [
            {
                "id": worker.id,
                "status": worker.status.removeprefix("WORKER_STATUS_").lower(),
                "runtime": worker.runtime,
                "restarts": worker.restarts,
                "topic": worker.topic,
                "failure": worker.failure,
            }
            for worker in found
        ]
        print_rows(rows, ("id", "status", "runtime", "restarts", "failure"), empty="no workers")

    run(work(), as_json=as_json)


def _act(method: str, done: str, worker_id: str, gateway: str | None, *, as_json: bool) -> None:
    async def work() -> None:
        async with api_client(gateway) as api:
            await api.invoke_json("workmanager", method, {"id": worker_id})
        if as_json:
            print_json({"event": done, "worker": worker_id})
        else:
            typer.echo(f"worker {worker_id} {done}")

    run(work(), as_json=as_json)


@workers.command(epilog="Example: virtufin workers start 0b6e...")
def start(worker_id: WorkerId, gateway: Gateway = None, as_json: AsJson = False) -> None:
    """Start a worker that was stopped."""
    _act("StartWorker", "started", worker_id, gateway, as_json=as_json)


@workers.command(epilog="Example: virtufin workers stop 0b6e...")
def stop(worker_id: WorkerId, gateway: Gateway = None, as_json: AsJson = False) -> None:
    """Stop a worker; its connections are closed."""
    _act("StopWorker", "stopped", worker_id, gateway, as_json=as_json)


@workers.command(epilog="Example: virtufin workers delete 0b6e...")
def delete(worker_id: WorkerId, gateway: Gateway = None, as_json: AsJson = False) -> None:
    """Delete a worker; its connections are closed."""
    _act("DeleteWorker", "deleted", worker_id, gateway, as_json=as_json)
