"""HTTP for sessions, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from virtufin_examples.connections import HttpxClient
from virtufin_examples.errors import UnavailableError
from virtufin_examples.venues import HttpRequest


@contextlib.asynccontextmanager
async def answering(answer: bytes):
    requests = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line), 0
        )
        requests.append((head, await reader.readexactly(length)))
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/login?key=CANARY", requests


async def test_a_request_goes_out_whole_and_its_answer_comes_back_whatever_its_status():
    async with answering(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nno") as (
        url,
        requests,
    ):
        response = await HttpxClient().request(HttpRequest("login", url, "POST", {"X-A": "b"}, b"body"))
    assert (response.status, response.headers["location"], response.body) == (302, "/x", b"no")
    head, body = requests[0]
    assert head.startswith(b"POST /login?key=CANARY ")
    assert b"x-a: b" in head.lower()
    assert body == b"body"


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
async def test_an_answer_that_is_none_is_an_error_without_the_url(answer):
    async with answering(answer) as (url, _):
        with pytest.raises(UnavailableError, match="'login' failed") as caught:
            await HttpxClient().request(HttpRequest("login", url))
    assert "CANARY" not in str(caught.value)


async def test_an_answer_without_end_is_cut(monkeypatch):
    monkeypatch.setattr("virtufin_examples.connections._http.MAX_BODY_BYTES", 1000)
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000) as (url, _):
        with pytest.raises(UnavailableError, match="over 1000 bytes"):
            await HttpxClient().request(HttpRequest("login", url))
