"""A WorkManager on an in-memory bus, with a real gRPC server and real hosts."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass

import grpc.aio
import pytest

from tests.workmanager.fakes import ECHO, FakeBus, GatewayServer, RecordingGateway
from virtufin_examples._generated.virtufin.v1 import workmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import workmanager_pb2_grpc
from virtufin_examples.errors import PreconditionError
from virtufin_examples.settings import PlatformSettings
from virtufin_examples.workmanager import WorkManagerService
from virtufin_examples.workmanager._worker import Worker
from virtufin_examples.workmanager.engines import RUNTIME_VARIABLE, find_dotnet_runtime

TOPIC = "commands"
PYTHON = "text/x-python"


def make_settings(**changes) -> PlatformSettings:
    return PlatformSettings(
        _env_file=None, workmanager_grpc_port=0, workmanager_http_port=0, api_keys="", **changes
    )


@dataclass
class Platform:
    """What a test works with."""

    bus: FakeBus
    gateway: RecordingGateway
    stub: workmanager_pb2_grpc.WorkManagerStub
    service: WorkManagerService
    http: str

    async def create(
        self, code: bytes = ECHO, *, mime_type: str = PYTHON, topic: str = TOPIC, **fields
    ) -> str:
        request = pb.CreateWorkerRequest(
            code_source=pb.CodeSource(content=code), mime_type=mime_type, topic=topic, **fields
        )
        return (await self.stub.CreateWorker(request)).id

    async def run(self, code: bytes = ECHO, **fields) -> str:
        worker_id = await self.create(code, **fields)
        await self.stub.StartWorker(pb.StartWorkerRequest(id=worker_id))
        return worker_id

    async def info(self, worker_id: str) -> pb.WorkerInfo:
        workers = (await self.stub.ListWorkers(pb.ListWorkersRequest())).workers
        return next(worker for worker in workers if worker.id == worker_id)

    def worker(self, worker_id: str) -> Worker:
        return self.service._manager.find(worker_id)

    def without_delays(self) -> None:
        """Make retries and restarts follow at once."""

        async def at_once(_seconds: float) -> None:
            await asyncio.sleep(0)

        self.service._manager._dispatcher._sleep = at_once
        for worker in self.service._manager._workers.values():
            worker._sleep = at_once


class Platforms:
    """Starts WorkManagers and stops them at the end of the test."""

    def __init__(self, gateway: GatewayServer) -> None:
        self._gateway = gateway
        self._running: list[tuple[WorkManagerService, grpc.aio.Channel]] = []

    async def start(self, bus: FakeBus | None = None, **settings) -> Platform:
        bus = bus or FakeBus()
        service = WorkManagerService(
            make_settings(**settings), bus=bus, gateway_endpoint=self._gateway.endpoint
        )
        addresses = await service.start()
        channel = grpc.aio.insecure_channel(addresses.grpc)
        self._running.append((service, channel))
        stub = workmanager_pb2_grpc.WorkManagerStub(channel)
        return Platform(bus, self._gateway.servicer, stub, service, addresses.http)

    async def stop(self, platform: Platform) -> None:
        for pair in list(self._running):
            service, channel = pair
            if service is platform.service:
                self._running.remove(pair)
                await channel.close()
                await service.stop()

    async def stop_all(self) -> None:
        for service, channel in self._running:
            await channel.close()
            await service.stop()


@pytest.fixture
async def platforms():
    async with GatewayServer() as gateway:
        started = Platforms(gateway)
        yield started
        await started.stop_all()


@pytest.fixture
async def platform(platforms: Platforms) -> Platform:
    return await platforms.start()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run .NET tests on each runtime that is here; with --ci on all, so that a missing one fails."""
    if "dotnet_runtime" in metafunc.fixturenames:
        here = [kind for kind in ("wheel", "mono") if metafunc.config.option.ci or runtime_is_here(kind)]
        metafunc.parametrize("dotnet_runtime", here)


def runtime_is_here(kind: str) -> bool:
    try:
        find_dotnet_runtime({RUNTIME_VARIABLE: kind})
    except PreconditionError:
        return False
    return True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a C# compiler where there is none; with --ci it stays, and fails."""
    if not config.option.ci and shutil.which("mcs") is None:
        items[:] = [item for item in items if not item.name.startswith("test_ci_builds_")]
