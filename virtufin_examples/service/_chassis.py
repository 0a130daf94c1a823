"""One service's servers: gRPC (reflection, health, keys, errors) and HTTP (health, metrics, own routes)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from virtufin_examples.service._channel import MAX_MESSAGE_BYTES
from virtufin_examples.service._http_server import HttpServer
from virtufin_examples.service._interceptors import ErrorInterceptor, KeyInterceptor
from virtufin_examples.service._keys import HttpKeyGuard
from virtufin_examples.service._listening import check_free, listen

STOP_GRACE_SECONDS = 3.0
KEEPALIVE_MS = 20_000
KEEPALIVE_TIMEOUT_MS = 10_000
"""A caller whose machine is gone is noticed, and its streams freed, within half a minute."""
MIN_CLIENT_PING_MS = 10_000
"""Quiet subscribers may ping this often; gRPC by itself hangs up on more than one in five minutes."""

AddServicer = Callable[[object, grpc.aio.Server], None]


@dataclass(frozen=True, slots=True)
class GrpcService:
    """One gRPC service: its full name, the generated `add_..._to_server`, and the implementation."""

    full_name: str
    add: Callable[..., None]
    servicer: object


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a service listens, as `host:port`."""

    grpc: str
    http: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a service can do its work, and what is missing."""

    ready: bool
    checks: Mapping[str, str]


async def _http_error(request: Request, error: Exception) -> Response:
    """Answer what no route takes as every other error is answered."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as it is registered
    status = "UNIMPLEMENTED" if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else "NOT_FOUND"
    message = f"{error.detail}: {request.method} {request.url.path}"
    return JSONResponse({"error": status, "message": message}, error.status_code, error.headers)


def _always_ready() -> Readiness:
    return Readiness(ready=True, checks={})


class Chassis:
    """Starts and stops one service's servers on the running loop.

    `grpc_port` and `http_port` 0 take free ports; the error for one that is taken names its setting.
    `api_keys` are the accepted secrets; none switches the check off. `open_paths` need no key besides health.
    """

    def __init__(
        self,
        name: str,
        services: Sequence[GrpcService],
        *,
        host: str = "127.0.0.1",
        grpc_port: int = 0,
        http_port: int = 0,
        grpc_port_setting: str = "",
        http_port_setting: str = "",
        api_keys: Sequence[str] = (),
        routes: Sequence[BaseRoute] = (),
        open_paths: Sequence[str] = (),
        readiness: Callable[[], Readiness] = _always_ready,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._name = name
        self._services = services
        self._host = host
        self._grpc_port = grpc_port
        self._http_port = http_port
        self._grpc_port_setting = grpc_port_setting
        self._http_port_setting = http_port_setting
        self._keys = tuple(api_keys)
        self._routes = list(routes)
        self._open_paths = tuple(open_paths)
        self._readiness = readiness
        self.registry = registry or CollectorRegistry()
        self._grpc: grpc.aio.Server | None = None
        self._http: HttpServer | None = None
        self._health = health_aio.HealthServicer()

    async def start(self) -> Addresses:
        """Listen; raises `UnavailableError` naming the port or address that is no good, and its setting."""
        http_socket = listen(self._name, "HTTP", self._host, self._http_port, setting=self._http_port_setting)
        try:
            grpc_port = await self._start_grpc()
        except BaseException:
            http_socket.close()
            raise
        http_port = int(http_socket.getsockname()[1])
        try:
            await self._start_http(http_socket)
        except BaseException:
            await self.stop()
            raise
        return Addresses(grpc=self._address(grpc_port), http=self._address(http_port))

    async def stop(self) -> None:
        """Take no new work, let calls in flight end (at most 3 s), close."""
        await self._health.enter_graceful_shutdown()
        if self._grpc is not None:
            await self._grpc.stop(STOP_GRACE_SECONDS)
        if self._http is not None:
            await self._http.stop()

    async def _start_grpc(self) -> int:
        check_free(self._name, "gRPC", self._host, self._grpc_port, setting=self._grpc_port_setting)
        server = grpc.aio.server(
            interceptors=[ErrorInterceptor(), KeyInterceptor(self._keys)],
            options=[
                ("grpc.so_reuseport", 0),  # otherwise a taken port is shared silently
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                ("grpc.keepalive_time_ms", KEEPALIVE_MS),
                ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
                ("grpc.http2.min_ping_interval_without_data_ms", MIN_CLIENT_PING_MS),
            ],
        )
        names = [service.full_name for service in self._services]
        for service in self._services:
            service.add(service.servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            [*names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME],
            server,
        )
        port = server.add_insecure_port(self._address(self._grpc_port))
        await server.start()
        self._grpc = server
        for name in ("", *names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return port

    def _address(self, port: int) -> str:
        return f"[{self._host}]:{port}" if ":" in self._host else f"{self._host}:{port}"

    async def _start_http(self, listener: socket.socket) -> None:
        app = Starlette(
            routes=[
                Route("/health/live", self._live),
                Route("/health/ready", self._ready),
                Route("/metrics", self._metrics),
                *self._routes,
            ],
            exception_handlers={HTTPException: _http_error},
        )
        guarded = HttpKeyGuard(app, self._keys, open_paths=self._open_paths)
        self._http = HttpServer(guarded, self._name)
        await self._http.start(listener)

    async def _live(self, _request: Request) -> Response:
        return JSONResponse({"status": "live", "service": self._name})

    async def _ready(self, _request: Request) -> Response:
        state = self._readiness()
        body = {"status": "ready" if state.ready else "not ready", "checks": dict(state.checks)}
        return JSONResponse(body, status_code=200 if state.ready else 503)

    async def _metrics(self, _request: Request) -> Response:
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)
