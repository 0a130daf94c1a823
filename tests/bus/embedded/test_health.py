from __future__ import annotations

import asyncio

import pytest

from tests.bus.embedded.calls import exchange
from virtufin_examples.bus.embedded import _health
from virtufin_examples.bus.embedded._health import MAX_HEAD_BYTES, HealthServer


@pytest.fixture
async def port():
    server = HealthServer()
    yield await server.start("127.0.0.1", 0)
    await server.stop()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /v1.0/healthz HTTP/1.1", b"204"),
        (b"GET /v1.0/healthz/outbound HTTP/1.1", b"204"),
        (b"GET /v1.0/healthz?appid=x HTTP/1.0", b"204"),
        (b"GET / HTTP/1.1", b"404"),
        (b"GET /v1.0/healthz/ HTTP/1.1", b"404"),
        (b"POST /v1.0/healthz HTTP/1.1", b"404"),
        (b"POST /v1.0/invoke/app/method/m HTTP/1.1", b"404"),
        (b"GET /v1.0/metadata HTTP/1.1", b"404"),
        (b"nonsense", b"400"),
        (b"GET / SPDY/3", b"400"),
    ],
)
async def test_only_the_two_paths_are_healthy(port, line, status):
    assert (await exchange(f"127.0.0.1:{port}", line + b"\r\nHost: x\r\n\r\n")).split(b" ")[1] == status


async def test_a_connection_serves_many_probes_until_it_is_closed(port):
    probe = b"GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\n"
    answer = await exchange(
        f"127.0.0.1:{port}", (probe + b"\r\n") * 2 + probe + b"Connection: close\r\n\r\n" + probe
    )

    assert answer.count(b"HTTP/1.1 204 No Content\r\n\r\n") == 3


async def test_a_head_without_end_is_refused(port):
    assert (await exchange(f"127.0.0.1:{port}", b"GET /" + b"x" * (2 * MAX_HEAD_BYTES))).startswith(
        b"HTTP/1.1 400 "
    )


async def test_a_silent_connection_is_closed(port, monkeypatch):
    monkeypatch.setattr(_health, "IDLE_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    await writer.wait_closed()


async def test_stopping_closes_open_connections():
    server = HealthServer()
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1.0/healthz HTTP/1.1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")

    await asyncio.wait_for(server.stop(), 10)

    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
