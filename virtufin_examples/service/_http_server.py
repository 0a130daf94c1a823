"""An ASGI application on a listening socket, on the running loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers: stopping is the composition root's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class HttpServer:
    """Serves `app` by HTTP/1.1; `name` is that of its task."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._name = name
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=2,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve; returns when connections are answered. The socket is the server's from now on."""
        serving = self._server.serve(sockets=[listener])
        self._task = asyncio.create_task(serving, name=f"{self._name}-http")
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.005)
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Let requests in flight end (at most 2 s), close."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
