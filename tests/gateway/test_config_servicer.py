"""Config over real gRPC."""

from __future__ import annotations

import grpc
import pytest

from tests.gateway.conftest import channel_to, served_gateway
from virtufin_examples._generated.virtufin.v1 import config_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import config_pb2_grpc
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.gateway import ServiceEntry


async def test_tells_each_service_and_the_sidecar(bus: DaprBus) -> None:
    entries = [
        ServiceEntry(name="a", host="127.0.0.1", port=1, dapr_app_id="app-a"),
        ServiceEntry(name="b", host="::1", port=2, pubsub_name="other", state_store_name="store"),
    ]
    async with (
        served_gateway(bus, entries, dapr_grpc="127.0.0.1:50001", dapr_http="127.0.0.1:3500") as (_, at),
        channel_to(at.grpc) as channel,
    ):
        stub = config_pb2_grpc.ConfigStub(channel)
        assert list((await stub.ListServices(pb.ListConfigServicesRequest())).services) == ["a", "b"]
        a = (await stub.GetService(pb.GetConfigServiceRequest(name="a"))).service
        assert a == pb.ConfigService(
            name="a",
            dapr_app_id="app-a",
            grpc=pb.GrpcConfig(host="127.0.0.1", port=1, reflection_enabled=True),
            pubsub=pb.PubsubConfig(pubsub_name="pubsub"),
            state=pb.StateConfig(store_name="statestore"),
            dapr=pb.DaprEndpoint(grpc_endpoint="127.0.0.1:50001", http_endpoint="http://127.0.0.1:3500"),
        )
        b = (await stub.GetService(pb.GetConfigServiceRequest(name="b"))).service
        assert (b.dapr_app_id, b.pubsub.pubsub_name, b.state.store_name) == ("b", "other", "store")
        with pytest.raises(grpc.aio.AioRpcError, match="services: a, b") as caught:
            await stub.GetService(pb.GetConfigServiceRequest(name="workmanager"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
