"""Real brokers, each with its data in a folder of the test run."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.get_brokers import find_kafka, find_program
from deploy.processes import Process, accepts, answers, free_port, running
from deploy.redis_server import redis

__all__ = ["STREAMS", "kafka", "nats", "redis"]

_NS_PER_SECOND = 1_000_000_000
STREAMS = {"CONFORMANCE": "conformance.>", "DEAD": "dead.>"}
"""JetStream's streams of the suite's topics. Dead letters need their own: a stream takes an event id once."""


@contextlib.contextmanager
def nats(folder: Path) -> Iterator[str]:
    """Run nats-server with JetStream and a memory stream for the suite's topics; yield its address."""
    process, port, ready = nats_process(folder)
    with running(process, ready):
        create_streams(port, storage="memory")
        yield f"127.0.0.1:{port}"


def nats_process(folder: Path) -> tuple[Process, int, Callable[[], bool]]:
    """Return a nats-server with JetStream, not started yet, its port, and what tells that it is ready."""
    port, monitor = free_port(), free_port()
    command = [find_program("nats-server"), "-a", "127.0.0.1", "-p", str(port), "-m", str(monitor)]
    process = Process("nats", [*command, "-js", "-sd", folder], folder)
    return process, port, lambda: answers(f"http://127.0.0.1:{monitor}/healthz")


def create_streams(port: int, *, storage: str) -> None:
    """Create the streams of the suite's topics."""
    for name, subjects in STREAMS.items():
        _create_stream(port, name, subjects, storage)


@contextlib.contextmanager
def kafka(folder: Path) -> Iterator[str]:
    """Run Kafka as one process, broker and controller; yield its address."""
    process, port = kafka_process(folder)
    with running(process, lambda: accepts(port)):
        yield f"127.0.0.1:{port}"


def kafka_process(folder: Path, partitions: int = 1) -> tuple[Process, int]:
    """Return a Kafka whose folders are made and that is not started yet, and its port.

    Topics that it makes have `partitions`, each with a folder `kafka-data/<topic>-<number>`.
    """
    port, controller = free_port(), free_port()
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(folder / "kafka-data"),
        "num.partitions": str(partitions),
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "message.max.bytes": "23068672",
        "replica.fetch.max.bytes": "23068672",
    }
    config = folder / "server.properties"
    config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    java = [str(find_program("java")), "-Xmx512m", "-cp", f"{find_kafka()}/*"]
    storage = [*java, "kafka.tools.StorageTool"]
    cluster = subprocess.run(
        [*storage, "random-uuid"], capture_output=True, text=True, check=True, cwd=folder
    )
    cluster_id = cluster.stdout.strip().splitlines()[-1]
    subprocess.run(
        [*storage, "format", "-t", cluster_id, "-c", str(config)], capture_output=True, check=True, cwd=folder
    )
    return Process("kafka", [*java, "kafka.Kafka", config], folder), port


def _create_stream(port: int, name: str, subjects: str, storage: str) -> None:
    """Ask for a stream in NATS' own protocol: a request is a publish that names where to answer."""
    stream = {
        "name": name,
        "subjects": [subjects],
        "retention": "limits",
        "discard": "old",
        "storage": storage,
        "max_age": 60 * _NS_PER_SECOND,
        "max_bytes": 256 * 1024 * 1024,
        "duplicate_window": _NS_PER_SECOND // 10,
        "num_replicas": 1,
    }
    body = json.dumps(stream).encode()
    request = b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB answer 1\r\n'
    request += f"PUB $JS.API.STREAM.CREATE.{name} answer {len(body)}\r\n".encode() + body + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as lines:
            while not (line := lines.readline()).startswith(b"MSG"):
                assert line, "nats-server closed the connection"
            answer = json.loads(lines.readline())
    assert "error" not in answer, answer
