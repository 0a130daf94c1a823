"""The WorkManager on the real bus: Dapr's API, spoken by the embedded runtime."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import grpc.aio
import pytest

from tests.workmanager.conftest import PYTHON, make_settings
from tests.workmanager.fakes import ECHO, GatewayServer
from virtufin_examples._generated.virtufin.v1 import workmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import workmanager_pb2_grpc
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.bus.embedded import EmbeddedRuntime
from virtufin_examples.workmanager import WorkManagerService


@pytest.fixture
async def target() -> AsyncIterator[str]:
    runtime = EmbeddedRuntime()
    addresses = await runtime.start()
    yield addresses.grpc
    await runtime.stop()


async def test_two_lives_on_one_runtime(target: str) -> None:
    """Create and start; answer; end; be recovered; answer again; be deleted without a trace."""
    client = DaprBus(target=target, app_id="test")
    replies = await client.subscribe("replies")
    answers = aiter(replies)
    worker_id = ""
    async with GatewayServer() as gateway:
        for life in range(2):
            bus = DaprBus(target=target, app_id="workmanager")
            service = WorkManagerService(make_settings(), bus=bus, gateway_endpoint=gateway.endpoint)
            async with grpc.aio.insecure_channel((await service.start()).grpc) as channel:
                stub = workmanager_pb2_grpc.WorkManagerStub(channel)
                if life == 0:
                    request = pb.CreateWorkerRequest(
                        code_source=pb.CodeSource(content=ECHO), mime_type=PYTHON, topic="commands"
                    )
                    worker_id = (await stub.CreateWorker(request)).id
                    await stub.StartWorker(pb.StartWorkerRequest(id=worker_id))
                command = {
                    "specversion": "1.0", "id": f"c{life}", "source": "test", "type": "command",
                    "datacontenttype": "application/json", "data": {"life": life},
                    "correlationid": f"x{life}",
                }  # fmt: skip
                await client.publish(
                    f"commands.{worker_id}",
                    json.dumps(command).encode(),
                    content_type="application/cloudevents+json",
                    metadata={"ttlInSeconds": "30"},
                )
                delivery = await anext(answers)
                assert json.loads(delivery.event.data) == {"got": {"life": life}, "id": f"c{life}"}
                assert delivery.event.extensions["correlationid"] == f"x{life}"
                if life == 1:
                    await stub.DeleteWorker(pb.DeleteWorkerRequest(id=worker_id))
                    assert await bus.get_state(f"workmanager.worker.{worker_id}") is None
            await service.stop()
            await bus.close()
    await client.close()
