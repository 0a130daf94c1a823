"""State over real gRPC and the embedded runtime."""

from __future__ import annotations

import json

import grpc
import pytest

from virtufin_examples._generated.virtufin.v1 import state_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import state_pb2_grpc
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.errors import UnavailableError
from virtufin_examples.gateway._state_servicer import StateServicer


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> state_pb2_grpc.StateStub:
    return state_pb2_grpc.StateStub(channel)


async def save(stub, key: str, value: bytes, **fields) -> pb.SaveStateResponse:
    return await stub.SaveState(pb.SaveStateRequest(service="examples", key=key, value=value, **fields))


async def test_an_etag_guards_a_value(stub) -> None:
    first = await save(stub, "k", b"1")
    assert first.status.success
    got = await stub.GetState(pb.GetStateRequest(service="examples", key="k"))
    assert (got.key, got.value, got.etag) == ("k", b"1", first.etag)
    second = await save(stub, "k", b"2", etag=first.etag)
    assert second.etag not in {"", first.etag}
    for call in (
        save(stub, "k", b"3", etag=first.etag),
        stub.DeleteState(pb.DeleteStateRequest(key="k", etag=first.etag)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.ABORTED
    assert (await save(stub, "k", b"4")).status.success
    await stub.DeleteState(pb.DeleteStateRequest(key="k"))
    gone = await stub.GetState(pb.GetStateRequest(key="k"))
    assert (gone.value, gone.etag) == (b"", "")


async def test_services_share_their_keys(stub) -> None:
    await save(stub, "k", b"1")
    assert (await stub.GetState(pb.GetStateRequest(service="another", key="k"))).value == b"1"


async def test_bulk_calls_take_many_keys(stub) -> None:
    for number in range(40):
        await save(stub, f"k{number}", b"%d" % number)
    keys = [f"k{number}" for number in range(50)]
    got = await stub.GetBulkState(pb.GetBulkStateRequest(keys=keys))
    assert [item.key for item in got.items] == keys[:40]
    assert got.items[7].value == b"7"
    assert got.items[7].etag
    deleted = await stub.DeleteBulkState(pb.DeleteBulkStateRequest(keys=keys))
    assert (deleted.status.success, deleted.status.message) == (True, "deleted 50 of 50")
    assert not (await stub.GetBulkState(pb.GetBulkStateRequest(keys=keys))).items


async def test_changes_are_told_where_asked_for(stub, bus: DaprBus) -> None:
    changes = aiter(await bus.subscribe("state.change"))
    await save(stub, "silent", b"1")
    await save(stub, "k", b"1", publish_change=True)
    await save(stub, "k", b"2", publish_change=True, include_value=True)
    await stub.DeleteState(
        pb.DeleteStateRequest(service="examples", key="k", publish_change=True, include_value=True)
    )
    await stub.DeleteBulkState(
        pb.DeleteBulkStateRequest(service="examples", keys=["a", "b"], publish_change=True)
    )
    seen = []
    for _ in range(4):
        event = (await anext(changes)).event
        assert event.source == "urn:com.virtufin.api"
        seen.append((event.type.removeprefix("com.virtufin.state.change."), json.loads(event.data)))
    assert seen == [
        ("saved", {"service": "examples", "key": "k", "action": "save"}),
        ("saved", {"service": "examples", "key": "k", "action": "save", "value": "Mg=="}),
        ("deleted", {"service": "examples", "key": "k", "action": "delete", "value": "Mg=="}),
        ("deleted", {"service": "examples", "keys": ["a", "b"], "action": "delete"}),
    ]


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("SaveState", pb.SaveStateRequest(), "key is empty"),
        ("GetState", pb.GetStateRequest(), "key is empty"),
        ("DeleteState", pb.DeleteStateRequest(), "key is empty"),
        ("GetBulkState", pb.GetBulkStateRequest(), "keys is empty"),
        ("DeleteBulkState", pb.DeleteBulkStateRequest(keys=["a", ""]), r"keys\[1\] is empty"),
    ],
)
async def test_a_missing_key_is_refused(stub, method: str, request_, field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=field) as caught:
        await getattr(stub, method)(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


class FlakyBus:
    """A bus on which some keys and the publishing fail."""

    def __init__(self) -> None:
        self.published: list[dict[str, object]] = []
        self.publishing = True

    async def publish(self, topic, data, *, content_type, metadata=None) -> None:
        if not self.publishing:
            raise UnavailableError("broker down")
        self.published.append(json.loads(data))

    async def delete_state(self, key, *, etag=None) -> None:
        if key.startswith("bad"):
            raise UnavailableError("store down")

    async def save_state(self, key, value, **options) -> None:
        pass

    async def get_state(self, key):
        raise UnavailableError("store down")


async def test_a_partial_bulk_delete_names_what_failed_and_tells_only_what_is_gone() -> None:
    bus = FlakyBus()
    answer = await StateServicer(bus).DeleteBulkState(
        pb.DeleteBulkStateRequest(keys=["a", "bad1", "b", "bad2"], publish_change=True), None
    )
    assert not answer.status.success
    assert (answer.status.status, list(answer.failed_keys)) == ("UNAVAILABLE", ["bad1", "bad2"])
    assert answer.status.message == "deleted 2 of 4: store down"
    assert bus.published[0]["data"]["keys"] == ["a", "b"]


async def test_a_written_value_stays_written_though_etag_and_event_fail() -> None:
    bus = FlakyBus()
    bus.publishing = False
    answer = await StateServicer(bus).SaveState(pb.SaveStateRequest(key="k", publish_change=True), None)
    assert (answer.status.success, answer.etag) == (True, "")
