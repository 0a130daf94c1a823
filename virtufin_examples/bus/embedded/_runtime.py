"""The runtime: its servers, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import ParamSpec, TypeVar

import grpc.aio

from virtufin_examples.bus.embedded._callers import Callers
from virtufin_examples.bus.embedded._http import http_api
from virtufin_examples.bus.embedded._http_platform import PlatformRoutes
from virtufin_examples.bus.embedded._http_pubsub import PubsubRoutes
from virtufin_examples.bus.embedded._http_state import StateRoutes
from virtufin_examples.bus.embedded._message import PUBSUB_NAME
from virtufin_examples.bus.embedded._methods import method_handlers
from virtufin_examples.bus.embedded._platform import SECRET_STORE_NAME, PlatformService
from virtufin_examples.bus.embedded._pubsub import PubsubService
from virtufin_examples.bus.embedded._state import LOCK_STORE_NAME, STATE_STORE_NAME, StateService
from virtufin_examples.bus.embedded._storage import Storage
from virtufin_examples.service import MAX_MESSAGE_BYTES, Addresses, HttpServer, check_free, listen

GRPC_PORT_SETTING = "VIRTUFIN_RUNTIME_GRPC_PORT"
HTTP_PORT_SETTING = "VIRTUFIN_RUNTIME_HTTP_PORT"
STOP_GRACE_SECONDS = 1.0

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
    ) -> None:
        self._host = host
        self._grpc_port = grpc_port
        self._http_port = http_port
        self._callers = Callers(app_id, api_token)
        self._secrets = secrets
        self._data_dir = data_dir
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="runtime-disk")
        self._strict = strict
        self._http: HttpServer | None = None
        self._grpc: grpc.aio.Server | None = None
        self._storage: Storage | None = None
        self._pubsub: PubsubService | None = None

    async def start(self) -> Addresses:
        """Listen; raises `UnavailableError` when a port, the address or `data_dir` cannot be used."""
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all subscriptions, let other calls end (at most 1 s), close the state."""
        if self._http is not None:
            await self._http.stop()
        if self._pubsub is not None:
            self._pubsub.end_subscriptions()
        if self._grpc is not None:
            await self._grpc.stop(STOP_GRACE_SECONDS)
        storage, self._storage = self._storage, None
        if storage is not None:
            await self._run(storage.close)
        self._disk.shutdown()

    async def _start(self) -> Addresses:
        storage = self._storage = await self._run(Storage, self._data_dir, time.time)
        pubsub = self._pubsub = PubsubService(strict=self._strict)
        components = {
            PUBSUB_NAME: "pubsub.in-memory",
            STATE_STORE_NAME: "state.in-memory" if self._data_dir is None else "state.sqlite",
            LOCK_STORE_NAME: "lock.in-memory" if self._data_dir is None else "lock.sqlite",
            SECRET_STORE_NAME: "secretstores.local.env",
        }
        platform = PlatformService(components, self._secrets, pubsub.subscriptions)
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
        await server.start()
        api = http_api(
            self._callers,
            PlatformRoutes(platform, lambda: ""),
            PubsubRoutes(pubsub),
            StateRoutes(state, strict=self._strict),
        )
        listener = listen("runtime", "HTTP", self._host, self._http_port, setting=HTTP_PORT_SETTING)
        http_port = int(listener.getsockname()[1])
        self._http = HttpServer(api, "runtime")
        await self._http.start(listener)
        return Addresses(grpc=f"{host}:{grpc_port}", http=f"{host}:{http_port}")

    async def _run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call of the storage: in memory at once, with a file where it may wait for the disk."""
        if self._data_dir is None:
            return call(*args, **kwargs)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, lambda: call(*args, **kwargs))
