"""`virtufin workers ...`: what runs on a WorkManager."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from virtufin_examples.cli._gateway_client import AsJson, Gateway, api_client
from virtufin_examples.cli._outcome import print_json, print_rows, run
from virtufin_examples.errors import InvalidInputError

if TYPE_CHECKING:
    from virtufin_examples.worker_packages import WorkerPackage

workers = typer.Typer(
    help="Create, list, start, stop and delete workers.",
    epilog="Example: virtufin workers list",
    no_args_is_help=True,
)

WorkerId = Annotated[str, typer.Argument(metavar="ID", help="The worker's id, from `workers list`.")]


_MIME_TYPES = {
    ".py": "text/x-python",
    ".dll": "application/x-dotnet-dll",
    ".nupkg": "application/x-dotnet-dll",
}


class _CodeSource(msgspec.Struct, frozen=True):
    url: str = ""
    sha256: str = ""


class _HistoryEntry(msgspec.Struct, frozen=True):
    code_source: _CodeSource = _CodeSource()
    created_at: str = ""


class _WorkerHistory(msgspec.Struct, frozen=True):
    entries: tuple[_HistoryEntry, ...] = ()


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


@workers.command(epilog="Example: virtufin workers create worker.py --topic orders --start")
def create(
    file: Annotated[Path, typer.Argument(help="The code: .py, .dll or .nupkg.")],
    topic: Annotated[str, typer.Option(help="The topic whose events it takes.")],
    start: Annotated[bool, typer.Option("--start", help="Start it as well.")] = False,
    gateway: Gateway = None,
    as_json: AsJson = False,
) -> None:
    """Create a worker from a file of code."""

    async def work() -> None:
        from virtufin_examples.client import WorkManagerClient

        package = _package(file)
        async with api_client(gateway) as api:
            client = WorkManagerClient(api)
            worker_id = await client.create_worker(package, topic=topic)
            _say("created", worker_id, as_json=as_json)
            if start:
                await client.start_worker(worker_id)
                _say("started", worker_id, as_json=as_json)

    run(work(), as_json=as_json)


def _package(file: Path) -> WorkerPackage:
    from virtufin_examples.worker_packages import WorkerPackage, package_version

    mime_type = _MIME_TYPES.get(file.suffix.lower())
    if mime_type is None:
        raise InvalidInputError(f"{file} is no worker's code", hint=f"give one of {', '.join(_MIME_TYPES)}")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    return WorkerPackage(file.stem, package_version(digest), mime_type, content, digest, digest)


@workers.command(epilog="Example: virtufin workers history 0b6e...")
def history(worker_id: WorkerId, gateway: Gateway = None, as_json: AsJson = False) -> None:
    """List the versions of a worker's code, oldest first."""

    async def work() -> None:
        async with api_client(gateway) as api:
            found = await api.invoke_json(
                "workmanager", "GetWorkerHistory", {"id": worker_id}, reply=_WorkerHistory
            )
        rows = [
            {
                "created_at": entry.created_at,
                "sha256": entry.code_source.sha256,
                "url": entry.code_source.url,
            }
            for entry in found.entries
        ]
        if as_json:
            for row in rows:
                print_json({"event": "version", "worker": worker_id, **row})
        else:
            print_rows(rows, ("created_at", "sha256", "url"), empty="no versions")

    run(work(), as_json=as_json)


def _say(done: str, worker_id: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"event": done, "worker": worker_id})
    else:
        typer.echo(f"worker {worker_id} {done}")


def _act(method: str, done: str, worker_id: str, gateway: str | None, *, as_json: bool) -> None:
    async def work() -> None:
        async with api_client(gateway) as api:
            await api.invoke_json("workmanager", method, {"id": worker_id})
        _say(done, worker_id, as_json=as_json)

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
