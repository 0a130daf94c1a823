"""The runtime: its servers, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Literal, ParamSpec, TypeVar

import grpc.aio

from virtufin_examples.bus._lane import LANE_METADATA
from virtufin_examples.bus.embedded._app_channel import AppChannel
from virtufin_examples.bus.embedded._app_client import AppClient
from virtufin_examples.bus.embedded._app_subscriptions import AppSubscription
from virtufin_examples.bus.embedded._callers import Callers
from virtufin_examples.bus.embedded._http import http_api
from virtufin_examples.bus.embedded._http_platform import PlatformRoutes
from virtufin_examples.bus.embedded._http_pubsub import PubsubRoutes
from virtufin_examples.bus.embedded._http_state import StateRoutes
from virtufin_examples.bus.embedded._lane import LaneServer
from virtufin_examples.bus.embedded._message import PUBSUB_NAME
from virtufin_examples.bus.embedded._methods import method_handlers
from virtufin_examples.bus.embedded._platform import SECRET_STORE_NAME, PlatformService
from virtufin_examples.bus.embedded._pubsub import PubsubService
from virtufin_examples.bus.embedded._state import LOCK_STORE_NAME, STATE_STORE_NAME, StateService
from virtufin_examples.bus.embedded._storage import Storage
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.service import MAX_MESSAGE_BYTES, Addresses, HttpServer, check_free, listen

GRPC_PORT_SETTING = "VIRTUFIN_RUNTIME_GRPC_PORT"
HTTP_PORT_SETTING = "VIRTUFIN_RUNTIME_HTTP_PORT"
APP_PORT_SETTING = "VIRTUFIN_RUNTIME_APP_PORT"
STOP_GRACE_SECONDS = 1.0

AppProtocol = Literal["http", "grpc"]

P = ParamSpec("P")
T = TypeVar("T")


class EmbeddedRuntime:
    """A Dapr-compatible runtime for one machine, on the running loop.

    It speaks the Dapr runtime's gRPC API (components `pubsub`, `statestore`, `lockstore`, `secretstore`) and
    publish, state, metadata and health of its HTTP API. Port 0 takes a free one. `app_id` is that of calls
    that name none in their `dapr-app-id` metadata. State and locks are kept in `data_dir` across restarts,
    in memory when it is None. A non-empty `api_token` has to come as `dapr-api-token` with every call save
    health.
    `strict` does without what is kinder here than with daprd's in-memory components.

    With an `app_port` the runtime is the sidecar of an app on this machine, under `app_id`: it waits for it,
    asks it for its subscriptions, adds those of the files in `resources_path`, and delivers. `app_token` goes
    along as `dapr-api-token`.

    Do not build a `dapr` SDK client on this loop: its constructor waits for the health endpoint, blocking.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        grpc_port: int = 0,
        http_port: int = 0,
        app_id: str = "virtufin",
        secrets: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
        data_dir: Path | None = None,
        api_token: str = "",
        strict: bool = False,
        app_port: int | None = None,
        app_protocol: AppProtocol = "http",
        app_token: str = "",
        resources_path: Path | None = None,
    ) -> None:
        self._host = host
        self._grpc_port = grpc_port
        self._http_port = http_port
        self._callers = Callers(app_id, api_token)
        self._secrets = secrets
        self._data_dir = data_dir
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="runtime-disk")
        self._strict = strict
        self._app_id = app_id
        self._app_port = app_port
        self._app_protocol: AppProtocol = app_protocol
        self._app_token = app_token
        self._resources_path = resources_path
        self._app: AppChannel | None = None
        self._http: HttpServer | None = None
        self._grpc: grpc.aio.Server | None = None
        self._lane: LaneServer | None = None
        self._storage: Storage | None = None
        self._pubsub: PubsubService | None = None

    async def start(self) -> Addresses:
        """Listen; the app is waited for in the background.

        Raises `UnavailableError` when a port, the address or `data_dir` cannot be used, and
        `InvalidInputError` for a resource that cannot be served.
        """
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all subscriptions, let other calls end (at most 1 s), close the state."""
        if self._http is not None:
            await self._http.stop()
        if self._app is not None:
            await self._app.stop()
        if self._pubsub is not None:
            self._pubsub.end_subscriptions()
        if self._lane is not None:
            await self._lane.stop()
        if self._grpc is not None:
            await self._grpc.stop(STOP_GRACE_SECONDS)
        storage, self._storage = self._storage, None
        if storage is not None:
            await self._run(storage.close)
        self._disk.shutdown()

    async def _start(self) -> Addresses:
        declared = self._declared()
        storage = self._storage = await self._run(Storage, self._data_dir, time.time)
        pubsub = self._pubsub = PubsubService(strict=self._strict)
        components = {
            PUBSUB_NAME: "pubsub.in-memory",
            STATE_STORE_NAME: "state.in-memory" if self._data_dir is None else "state.sqlite",
            LOCK_STORE_NAME: "lock.in-memory" if self._data_dir is None else "lock.sqlite",
            SECRET_STORE_NAME: "secretstores.local.env",
        }
        app = self._app = self._app_channel(pubsub, declared)
        platform = PlatformService(
            components, self._secrets, pubsub.subscriptions, self._app_port, self._app_protocol
        )
        server = self._grpc = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 0),  # otherwise a taken port is shared silently
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ],
        )
        state = StateService(storage, self._run)
        server.add_generic_rpc_handlers((method_handlers(self._callers, pubsub, state, platform),))
        host = f"[{self._host}]" if ":" in self._host else self._host  # an IPv6 address
        check_free("runtime", "gRPC", self._host, self._grpc_port, setting=GRPC_PORT_SETTING)
        grpc_port = server.add_insecure_port(f"{host}:{self._grpc_port}")
        if not self._strict:
            self._lane = LaneServer(self._callers, pubsub)
            platform.shared[LANE_METADATA] = await self._lane.start(grpc_port)
        await server.start()
        api = http_api(
            self._callers,
            PlatformRoutes(platform, lambda: "" if app is None else app.unready),
            PubsubRoutes(pubsub),
            StateRoutes(state, strict=self._strict),
        )
        listener = listen("runtime", "HTTP", self._host, self._http_port, setting=HTTP_PORT_SETTING)
        http_port = int(listener.getsockname()[1])
        self._http = HttpServer(api, "runtime")
        await self._http.start(listener)
        if app is not None:
            app.start()
        return Addresses(grpc=f"{host}:{grpc_port}", http=f"{host}:{http_port}")

    def _declared(self) -> list[AppSubscription]:
        if self._resources_path is None:
            return []
        from virtufin_examples.bus.embedded._resources import read_subscriptions  # noqa: PLC0415 - loads YAML

        declared = read_subscriptions(self._resources_path, self._app_id)
        if declared and self._app_port is None:
            raise InvalidInputError(
                f"{self._resources_path} has subscriptions, but there is no app to deliver to",
                hint=f"set {APP_PORT_SETTING} or --app-port",
            )
        return declared

    def _app_channel(self, pubsub: PubsubService, declared: Sequence[AppSubscription]) -> AppChannel | None:
        if self._app_port is None:
            return None
        # Whoever has no app need not load what calls one.
        client: AppClient
        if self._app_protocol == "http":
            from virtufin_examples.bus.embedded._app_http import HttpApp  # noqa: PLC0415

            client = HttpApp(self._app_port, self._app_id, self._app_token, exact=not self._strict)
        else:
            from virtufin_examples.bus.embedded._app_grpc import GrpcApp  # noqa: PLC0415

            client = GrpcApp(self._app_port, self._app_token)
        return AppChannel(
            client,
            pubsub.broker,
            declared,
            app_id=self._app_id,
            port=self._app_port,
            http=self._app_protocol == "http",
        )

    async def _run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call of the storage: in memory at once, with a file where it may wait for the disk."""
        if self._data_dir is None:
            return call(*args, **kwargs)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, lambda: call(*args, **kwargs))
