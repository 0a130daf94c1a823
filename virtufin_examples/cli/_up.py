"""`virtufin up`: the whole platform on one machine, the composition root of development."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from virtufin_examples.cli._outcome import print_json, run
from virtufin_examples.cli._services import (
    AsJson,
    Ephemeral,
    Host,
    LogLevel,
    Strict,
    announce,
    embedded_runtime,
    open_bus,
    start_logs,
)
from virtufin_examples.cli._settings import load_settings

if TYPE_CHECKING:
    from virtufin_examples.bus.dapr import DaprBus
    from virtufin_examples.cli._shards import WebSocketManagers
    from virtufin_examples.gateway import GatewayService, ServiceEntry
    from virtufin_examples.service import Addresses
    from virtufin_examples.settings import PlatformSettings

MAX_SHARDS = 64
Up = Mapping[str, "Addresses"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: virtufin up --data ./state")(up)


def up(
    host: Host = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of a SQLite file; without it all is in memory.")
    ] = None,
    free_ports: Annotated[bool, typer.Option(help="Take free ports instead of the usual ones.")] = False,
    strict: Strict = None,
    shards: Annotated[
        int, typer.Option(min=1, max=MAX_SHARDS, help="How many WebSocketManager processes share the feeds.")
    ] = 1,
    log_level: LogLevel = None,
    as_json: AsJson = False,
    ephemeral: Ephemeral = False,
) -> None:
    """Run all services and the embedded runtime on this machine."""

    async def work() -> None:
        from virtufin_examples.cli._shards import WebSocketManagers

        ports = dict.fromkeys(_PORTS, 0) if free_ports or ephemeral else {}
        flags = {"--host": host, "--data": None if data is None else str(data), "--log-level": log_level}
        websockets = WebSocketManagers(shards, flags, free_ports=bool(ports))
        try:
            await websockets.spawn()  # first of all: what it has to load is what the start takes longest for
            settings = load_settings(
                host=host, data_dir=data, runtime_strict=strict, log_level=log_level, **ports
            )
            start_logs(settings, "up")
            await serve_platform(settings, websockets)
        finally:
            await websockets.stop()

    async def serve_platform(settings: PlatformSettings, websockets: WebSocketManagers) -> None:
        from virtufin_examples.service import keep_memory, run_until_stopped

        keep_memory()
        async with platform(settings, websockets) as addresses:
            if as_json or ephemeral:
                print_json(_address_line(addresses))
            else:
                for name, where in addresses.items():
                    announce(name, where, as_json=False)
                typer.echo(f"ready: export VIRTUFIN_API_URL={addresses['gateway'].grpc}; Ctrl-C stops it")
            await run_until_stopped(stdin_closes=ephemeral)

    run(work(), as_json=as_json)


_PORTS = tuple(
    f"{service}_{kind}_port"
    for service in ("gateway", "websocketmanager", "workmanager", "runtime")
    for kind in ("grpc", "http")
)


def _address_line(addresses: Up) -> dict[str, str]:
    line: dict[str, str] = {}
    for name, where in addresses.items():
        line[name] = where.grpc
        line[f"{name}_http"] = where.http
    return line


@contextlib.asynccontextmanager
async def platform(settings: PlatformSettings, websockets: WebSocketManagers) -> AsyncIterator[Up]:
    """Start runtime, WebSocketManager, gateway and WorkManager; stop them in the opposite order."""
    async with contextlib.AsyncExitStack() as stack:
        runtime = embedded_runtime(settings)
        runtime_at = await runtime.start()
        stack.push_async_callback(runtime.stop)
        stack.push_async_callback(websockets.stop)  # before the runtime: it has something to flush
        settings = settings.model_copy(update={"dapr_grpc_endpoint": runtime_at.grpc})
        starting = asyncio.create_task(websockets.start(settings), name="start-websocketmanager")
        try:
            gateway, workers_at, gateway_at = await _start_control_path(settings, runtime_at, stack)
        finally:
            websockets_at = await starting
        gateway.set_services([_entry("workmanager", workers_at), _entry("websocketmanager", websockets_at)])
        yield {
            "gateway": gateway_at,
            "workmanager": workers_at,
            "websocketmanager": websockets_at,
            **websockets.shards,
            "runtime": runtime_at,
        }


async def _start_control_path(
    settings: PlatformSettings, runtime_at: Addresses, stack: contextlib.AsyncExitStack
) -> tuple[GatewayService, Addresses, Addresses]:
    """Start gateway and WorkManager, each on a bus of its own."""
    from virtufin_examples.gateway import GatewayService
    from virtufin_examples.workmanager import WorkManagerService

    gateway_bus = await _joined_bus(settings, "virtufin-api", stack)
    gateway = GatewayService(settings, bus=gateway_bus, dapr_grpc=runtime_at.grpc, dapr_http=runtime_at.http)
    gateway_at = await gateway.start()
    stack.push_async_callback(gateway.stop)
    workers_bus = await _joined_bus(settings, "workmanager", stack)
    workers = WorkManagerService(settings, bus=workers_bus, gateway_endpoint=gateway_at.grpc)
    workers_at = await workers.start()
    stack.push_async_callback(workers.stop)
    return gateway, workers_at, gateway_at


async def _joined_bus(settings: PlatformSettings, app_id: str, stack: contextlib.AsyncExitStack) -> DaprBus:
    """Return a bus that knows the runtime, and so its lane."""
    bus = open_bus(settings, app_id)
    stack.push_async_callback(bus.close)
    await bus.sidecar()
    return bus


def _entry(name: str, where: Addresses) -> ServiceEntry:
    from virtufin_examples.gateway import ServiceEntry

    host, _, port = where.grpc.rpartition(":")
    return ServiceEntry(name=name, host=host, port=int(port), dapr_app_id=name)
