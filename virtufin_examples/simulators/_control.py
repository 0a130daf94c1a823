"""A few HTTP endpoints on loopback for tests: look into a simulator, and disturb it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import msgspec

from virtufin_examples.errors import InvalidInputError, NotFoundError

_MAX_HEAD_BYTES = 16_384
_MAX_BODY_BYTES = 1_048_576
_REQUEST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    """What an action is given."""

    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Action = Callable[[Request], object]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, and what answers it with a JSON value; bytes are taken for JSON."""

    method: str
    path: str
    action: Action


class ControlServer:
    """Answers one request a connection with JSON."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._routes = {(route.method, route.path): route.action for route in routes}
        self._paths = {route.path for route in routes}
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises `OSError` when it is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_MAX_HEAD_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = _content_length(head)
                if length > _MAX_BODY_BYTES:
                    status, body = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _problem("the body is too large")
                else:
                    given = await reader.readexactly(length)
                    status, body = self._answer(head.partition("\r\n")[0], given)
                writer.write(_response(status, body))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone or never finished asking: there is nobody to tell
        finally:
            writer.close()

    def _answer(self, line: str, body: bytes) -> tuple[HTTPStatus, bytes]:
        method, _, rest = line.partition(" ")
        target = urlsplit(rest.partition(" ")[0])
        action = self._routes.get((method, target.path))
        if action is None:
            status = HTTPStatus.METHOD_NOT_ALLOWED if target.path in self._paths else HTTPStatus.NOT_FOUND
            return status, _problem(f"no {method} {target.path}")
        query = {name: values[-1] for name, values in parse_qs(target.query).items()}
        try:
            result = action(Request(query, body))
        except NotFoundError as error:
            return HTTPStatus.NOT_FOUND, _problem(str(error))
        except InvalidInputError as error:
            return HTTPStatus.BAD_REQUEST, _problem(str(error))
        return HTTPStatus.OK, result if isinstance(result, bytes) else msgspec.json.encode(result)


def _content_length(head: str) -> int:
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length" and value.strip().isdecimal():
            return int(value)
    return 0


def _problem(message: str) -> bytes:
    return msgspec.json.encode({"error": message})


def _response(status: HTTPStatus, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
