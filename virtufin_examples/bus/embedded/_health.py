"""The health endpoint of a sidecar over HTTP/1.1: 204 for its two paths, 404 for everything else.

A web framework takes longer to import than the rest of the runtime takes to start, for two answers.
"""

from __future__ import annotations

import asyncio

import structlog

HEALTHY_PATHS = frozenset(("/v1.0/healthz", "/v1.0/healthz/outbound"))
MAX_HEAD_BYTES = 16 * 1024
IDLE_SECONDS = 30.0

_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

_log = structlog.get_logger(__name__)


class HealthServer:
    """Answers health probes on the running loop."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port; raises `OSError` when it is taken."""
        self._server = await asyncio.start_server(
            self._accept, host, port, limit=MAX_HEAD_BYTES, reuse_port=False
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(reader, writer), name="runtime-health")
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            async with asyncio.timeout(IDLE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            answer = _answer(head)
            writer.write(answer)
            await writer.drain()
            if answer is not _NO_CONTENT or b"\r\nconnection: close\r\n" in head.lower():
                return
    except asyncio.LimitOverrunError:
        writer.write(_BAD_REQUEST)
    except (asyncio.IncompleteReadError, TimeoutError, ConnectionError) as error:
        _log.debug("health probe left", reason=type(error).__name__)
    finally:
        writer.close()


def _answer(head: bytes) -> bytes:
    parts = head.split(b"\r\n", 1)[0].split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
        return _BAD_REQUEST
    method, target, _version = parts
    path = target.partition(b"?")[0].decode("latin-1")
    return _NO_CONTENT if method == b"GET" and path in HEALTHY_PATHS else _NOT_FOUND
