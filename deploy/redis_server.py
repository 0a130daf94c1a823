"""redis-server as a child process: on a free port of this machine, with its data in a folder of the run."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from deploy.get_brokers import find_program
from deploy.processes import Process, free_port, running


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run redis-server, all in memory; yield its address."""
    process, port = redis_process(folder)
    with running(process, lambda: speaks_redis("127.0.0.1", port)):
        yield f"127.0.0.1:{port}"


def redis_process(folder: Path, *, durable: bool = False) -> tuple[Process, int]:
    """Return a redis-server, not started yet, and its port; a `durable` one keeps what it acknowledged."""
    port = free_port()
    place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    kept = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
    return Process("redis", [find_program("redis-server"), *place, *kept], folder), port


def speaks_redis(host: str, port: int) -> bool:
    """Whether a Redis answers there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith(b"+PONG")
    return False
