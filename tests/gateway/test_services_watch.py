"""Hot reload of services.json."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
import structlog

from tests.gateway.conftest import channel_to, served_gateway
from virtufin_examples._generated.virtufin.v1 import gateway_pb2, gateway_pb2_grpc
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.gateway._services_watch import POLL_SECONDS, ServicesWatch


def write(path: Path, *names: str) -> None:
    entries = [{"name": name, "grpc": {"host": "127.0.0.1", "port": 1}} for name in names]
    replacement = path.with_suffix(".new")
    replacement.write_text(json.dumps({"services": entries}))
    replacement.replace(path)


class Applied:
    def __init__(self) -> None:
        self.names: list[tuple[str, ...]] = []

    def __call__(self, entries) -> None:
        self.names.append(tuple(entry.name for entry in entries))


def test_a_change_is_applied_once(tmp_path: Path) -> None:
    path, applied = tmp_path / "services.json", Applied()
    write(path, "a")
    watch = ServicesWatch(path, applied)
    watch.load()
    watch.poll()
    write(path, "a", "b")
    watch.poll()
    watch.poll()
    assert applied.names == [("a",), ("a", "b")]


def test_a_change_of_the_same_size_is_noticed(tmp_path: Path) -> None:
    path, applied = tmp_path / "services.json", Applied()
    write(path, "a")
    watch = ServicesWatch(path, applied)
    watch.load()
    text = path.read_text()
    path.write_text(text.replace('"a"', '"b"'))
    os.utime(path, ns=(1, 1))
    watch.poll()
    assert applied.names == [("a",), ("b",)]


def test_a_broken_or_missing_file_is_logged_once_and_the_old_one_stays(tmp_path: Path) -> None:
    path, applied = tmp_path / "services.json", Applied()
    write(path, "a")
    watch = ServicesWatch(path, applied)
    watch.load()
    with structlog.testing.capture_logs() as logs:
        path.write_text("{")
        watch.poll()
        watch.poll()
        path.unlink()
        watch.poll()
        watch.poll()
    assert [entry["log_level"] for entry in logs] == ["error", "error"]
    assert "line 1, column 2" in logs[0]["error"]
    assert applied.names == [("a",)]
    write(path, "b")
    watch.poll()
    assert applied.names == [("a",), ("b",)]


async def test_polls_every_second(tmp_path: Path) -> None:
    path, applied = tmp_path / "services.json", Applied()
    write(path, "a")
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise asyncio.CancelledError
        write(path, "a", str(len(waits)))

    watch = ServicesWatch(path, applied, sleep=sleep)
    watch.load()
    with pytest.raises(asyncio.CancelledError):
        await watch.run()
    assert waits == [POLL_SECONDS] * 3
    assert applied.names == [("a",), ("a", "1"), ("a", "2")]


async def test_a_broken_file_at_the_start_is_an_error(bus: DaprBus, tmp_path: Path) -> None:
    path = tmp_path / "services.json"
    path.write_text('{"services": 1}')
    with pytest.raises(InvalidInputError, match="services: Expected `array`"):
        async with served_gateway(bus, services_file=path):
            pass


async def test_the_file_decides_over_the_services_given_in_code(bus: DaprBus, tmp_path: Path) -> None:
    path = tmp_path / "services.json"
    write(path, "from-file")
    async with served_gateway(bus, services_file=path) as (service, at), channel_to(at.grpc) as channel:
        stub = gateway_pb2_grpc.GatewayStub(channel)
        answer = await stub.ListServices(gateway_pb2.ListServicesRequest())
        assert list(answer.services) == ["from-file"]
        write(path, "changed")
        service._watch.poll()
        answer = await stub.ListServices(gateway_pb2.ListServicesRequest())
        assert list(answer.services) == ["changed"]
