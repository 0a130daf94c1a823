"""One service by itself: `virtufin runtime|gateway|workmanager|websocketmanager`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from virtufin_examples.cli._lean import import_structlog_without_rich
from virtufin_examples.cli._outcome import print_json, run
from virtufin_examples.cli._own_sidecar import APP_IDS, check_sidecar
from virtufin_examples.cli._settings import load_settings, secret_environment, sidecar_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtufin_examples.bus.dapr import DaprBus
    from virtufin_examples.bus.embedded import EmbeddedRuntime
    from virtufin_examples.service import Addresses
    from virtufin_examples.settings import PlatformSettings
    from virtufin_examples.websocketmanager import Shard

_SHARD_PORT_STEP = 10
"""Shard 1 listens so far above the WebSocketManager's ports, shard 2 twice as far."""

Host = Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")]
GrpcPort = Annotated[int | None, typer.Option(min=0, max=65535, help="gRPC port; 0 takes a free one.")]
HttpPort = Annotated[int | None, typer.Option(min=0, max=65535, help="HTTP port; 0 takes a free one.")]
Dapr = Annotated[str | None, typer.Option(help="The sidecar's gRPC address, host:port.")]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the addresses as one JSON line.")]
Strict = Annotated[
    bool | None, typer.Option("--strict", help="Be no kinder than daprd's in-memory components.")
]
Ephemeral = Annotated[bool, typer.Option(hidden=True, help="End when stdin closes.")]


class Service(Protocol):
    """What every service offers to the composition root."""

    async def start(self) -> Addresses: ...

    async def stop(self) -> None: ...


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: virtufin runtime --data ./state")(runtime)
    app.command(epilog="Example: VIRTUFIN_SERVICES_FILE=services.json virtufin gateway")(gateway)
    app.command(epilog="Example: DAPR_GRPC_PORT=50002 virtufin workmanager")(workmanager)
    app.command(epilog="Example: DAPR_GRPC_PORT=50003 virtufin websocketmanager")(websocketmanager)


def announce(name: str, addresses: Addresses, *, as_json: bool) -> None:
    """Say on stdout where a service listens."""
    if as_json:
        print_json({"service": name, "grpc": addresses.grpc, "http": addresses.http})
    else:
        typer.echo(f"{name:<18} gRPC {addresses.grpc:<22} HTTP {addresses.http}")


async def serve(name: str, service: Service, *, as_json: bool, ephemeral: bool) -> None:
    """Start, announce, wait for the end, stop."""
    from virtufin_examples.service import allow_many_files, keep_memory, run_until_stopped

    allow_many_files()
    keep_memory()
    addresses = await service.start()
    try:
        announce(name, addresses, as_json=as_json or ephemeral)
        await run_until_stopped(stdin_closes=ephemeral)
    finally:
        await service.stop()


async def _serve_behind_sidecar(
    name: str,
    settings: PlatformSettings,
    make: Callable[[DaprBus], Service],
    *,
    as_json: bool,
    ephemeral: bool,
) -> None:
    """Serve what `make` returns for the bus of the service's own sidecar."""
    start_logs(settings, name)
    bus = open_bus(settings, APP_IDS[name])
    try:
        await check_sidecar(bus, settings, name)
        await serve(name, make(bus), as_json=as_json, ephemeral=ephemeral)
    finally:
        await bus.close()


def open_bus(settings: PlatformSettings, app_id: str) -> DaprBus:
    """Return the bus of one service, by its own sidecar."""
    from virtufin_examples.bus.dapr import DaprBus

    return DaprBus(
        target=settings.dapr_target,
        app_id=app_id,
        api_token=settings.dapr_api_token.get_secret_value(),
        pubsub_name=settings.pubsub_name,
        state_store_name=settings.state_store_name,
        secret_store_name=settings.secret_store_name,
    )


def embedded_runtime(settings: PlatformSettings) -> EmbeddedRuntime:
    """Return the runtime as the settings want it."""
    from virtufin_examples.bus.embedded import EmbeddedRuntime, secrets_from_environment

    return EmbeddedRuntime(
        host=settings.host,
        grpc_port=settings.runtime_grpc_port,
        http_port=settings.runtime_http_port,
        app_id=settings.runtime_app_id,
        secrets=secrets_from_environment(secret_environment()),
        data_dir=settings.data_dir,
        api_token=settings.dapr_api_token.get_secret_value(),
        strict=settings.runtime_strict,
        app_port=settings.runtime_app_port,
        app_protocol=settings.runtime_app_protocol,
        app_token=settings.app_api_token.get_secret_value(),
        resources_path=settings.runtime_resources_path,
    )


def start_logs(settings: PlatformSettings, name: str) -> None:
    """Configure this process's logs."""
    from virtufin_examples.service import configure_logging

    configure_logging(name, level=settings.log_level)


def runtime(
    *,
    host: Host = None,
    grpc_port: GrpcPort = None,
    http_port: HttpPort = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of a SQLite file; without it all is in memory.")
    ] = None,
    app_id: Annotated[
        str | None, typer.Option(help="App id of the app, and of calls that name none (default virtufin).")
    ] = None,
    app_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of an app that subscribes to topics.")
    ] = None,
    app_protocol: Annotated[str | None, typer.Option(help="What the app speaks: http or grpc.")] = None,
    resources_path: Annotated[
        Path | None, typer.Option(help="Folder with declarative subscriptions of the app.")
    ] = None,
    strict: Strict = None,
    log_level: LogLevel = None,
    as_json: AsJson = False,
    ephemeral: Ephemeral = False,
) -> None:
    """Run the embedded, Dapr-compatible runtime."""

    async def work() -> None:
        import_structlog_without_rich()
        settings = load_settings(
            host=host,
            runtime_grpc_port=grpc_port,
            runtime_http_port=http_port,
            runtime_app_id=app_id,
            runtime_app_port=app_port,
            runtime_app_protocol=app_protocol,
            runtime_resources_path=resources_path,
            runtime_strict=strict,
            data_dir=data,
            log_level=log_level,
        )
        start_logs(settings, "runtime")
        service = embedded_runtime(settings)
        await serve("runtime", service, as_json=as_json, ephemeral=ephemeral)

    run(work(), as_json=as_json)


def gateway(
    host: Host = None,
    grpc_port: GrpcPort = None,
    http_port: HttpPort = None,
    services: Annotated[Path | None, typer.Option(help="services.json: the back ends.")] = None,
    dapr: Dapr = None,
    log_level: LogLevel = None,
    as_json: AsJson = False,
    ephemeral: Ephemeral = False,
) -> None:
    """Run the API gateway."""

    async def work() -> None:
        import_structlog_without_rich()
        from virtufin_examples.gateway import GatewayService, ServiceEntry

        settings = load_settings(
            host=host,
            gateway_grpc_port=grpc_port,
            gateway_http_port=http_port,
            services_file=services,
            DAPR_GRPC_ENDPOINT=dapr,
            log_level=log_level,
        )
        entries = [
            ServiceEntry(name="workmanager", host=settings.host, port=settings.workmanager_grpc_port),
            ServiceEntry(
                name="websocketmanager", host=settings.host, port=settings.websocketmanager_grpc_port
            ),
        ]
        await _serve_behind_sidecar(
            "gateway",
            settings,
            lambda bus: GatewayService(settings, bus=bus, services=entries),
            as_json=as_json,
            ephemeral=ephemeral,
        )

    run(work(), as_json=as_json)


def workmanager(
    host: Host = None,
    grpc_port: GrpcPort = None,
    http_port: HttpPort = None,
    dapr: Dapr = None,
    gateway_endpoint: Annotated[
        str | None, typer.Option("--gateway", help="The gateway's gRPC address.")
    ] = None,
    log_level: LogLevel = None,
    as_json: AsJson = False,
    ephemeral: Ephemeral = False,
) -> None:
    """Run the WorkManager."""

    async def work() -> None:
        import_structlog_without_rich()
        from virtufin_examples.workmanager import WorkManagerService

        settings = load_settings(
            host=host,
            workmanager_grpc_port=grpc_port,
            workmanager_http_port=http_port,
            DAPR_GRPC_ENDPOINT=dapr,
            gateway_endpoint=gateway_endpoint,
            log_level=log_level,
        )
        await _serve_behind_sidecar(
            "workmanager",
            settings,
            lambda bus: WorkManagerService(settings, bus=bus, gateway_endpoint=settings.gateway_endpoint),
            as_json=as_json,
            ephemeral=ephemeral,
        )

    run(work(), as_json=as_json)


def websocketmanager(
    *,
    host: Host = None,
    grpc_port: GrpcPort = None,
    http_port: HttpPort = None,
    dapr: Dapr = None,
    data: Annotated[Path | None, typer.Option(help="Folder that holds the spool.")] = None,
    shard: Annotated[str | None, typer.Option(hidden=True, help="Which one of how many, as 2/4.")] = None,
    log_level: LogLevel = None,
    as_json: AsJson = False,
    ephemeral: Ephemeral = False,
) -> None:
    """Run the WebSocketManager."""

    async def work() -> None:
        import_structlog_without_rich()
        from virtufin_examples.websocketmanager import Shard, WebSocketManagerService

        which = Shard.parse(shard or "1/1")
        settings = load_settings(
            host=host,
            websocketmanager_grpc_port=grpc_port,
            websocketmanager_http_port=http_port,
            DAPR_GRPC_ENDPOINT=sidecar_address(dapr),
            data_dir=data,
            log_level=log_level,
        )
        if grpc_port is None and http_port is None:
            settings = settings.model_copy(update=_shard_ports(settings, which))
        await _serve_behind_sidecar(
            "websocketmanager",
            settings,
            lambda bus: WebSocketManagerService(settings, bus=bus, shard=which),
            as_json=as_json,
            ephemeral=ephemeral,
        )

    run(work(), as_json=as_json)


def _shard_ports(settings: PlatformSettings, shard: Shard) -> dict[str, int]:
    """Return the ports of one of several: the ports themselves are the router's."""
    above = _SHARD_PORT_STEP * shard.number if shard.count > 1 else 0
    return {
        name: port + above
        for name in ("websocketmanager_grpc_port", "websocketmanager_http_port")
        if (port := getattr(settings, name))
    }
