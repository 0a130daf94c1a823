"""Persistence, recovery, leases, tags, keys: what outlives a request."""

from __future__ import annotations

import asyncio
import json

import grpc
import httpx
import msgspec
import pytest

from tests.workmanager.conftest import TOPIC, Platform, Platforms
from tests.workmanager.fakes import ECHO, FakeBus
from virtufin_examples._generated.virtufin.v1 import gateway_pb2
from virtufin_examples._generated.virtufin.v1 import workmanager_pb2 as pb
from virtufin_examples.errors import UnavailableError
from virtufin_examples.workmanager._recovery import LEASE_KEY, LEASE_SECONDS, recovery_lease


async def test_stored_workers_are_taken_up_by_the_next_workmanager(platforms: Platforms) -> None:
    first = await platforms.start()
    running = await first.run(config={"venue": "alpaca"}, tags={"run": "1"})
    stopped = await first.create(topic="others")
    before = {running: await first.info(running), stopped: await first.info(stopped)}
    await platforms.stop(first)

    second = await platforms.start(first.bus)

    for worker_id, status in ((running, pb.WORKER_STATUS_RUNNING), (stopped, pb.WORKER_STATUS_STOPPED)):
        info = await second.info(worker_id)
        assert info.status == status
        before[worker_id].status = status
        before[worker_id].runtime = info.runtime
        assert info == before[worker_id]
    second.bus.deliver(TOPIC, 1)
    assert (await second.bus.next_published("replies"))["data"]["got"] == 1
    assert not any(method == "DisconnectOwned" for _, method, _ in second.gateway.calls)


async def test_one_record_that_cannot_be_read_is_reported_and_stops_no_other(platforms: Platforms) -> None:
    first = await platforms.start()
    good = await first.run()
    broken = await first.create()
    newer = await first.create()
    missing = await first.create()
    await platforms.stop(first)
    bus = first.bus
    bus.state[f"workmanager.worker.{broken}"] = (b'{"id": 1', 1)
    del bus.state[f"workmanager.worker.{missing}"]
    record = json.loads(bus.state[f"workmanager.worker.{newer}"][0])
    bus.state[f"workmanager.worker.{newer}"] = (json.dumps({**record, "format_version": 99}).encode(), 1)

    second = await platforms.start(bus)

    workers = (await second.stub.ListWorkers(pb.ListWorkersRequest())).workers
    assert [worker.id for worker in workers] == [good]
    async with httpx.AsyncClient() as client:
        ready = await client.get(f"http://{second.http}/health/ready")
    assert ready.status_code == 200
    for worker_id in (broken, newer, missing):
        assert worker_id in ready.json()["checks"]["skipped records"]


async def test_a_recovered_worker_that_cannot_start_fails_alone(platforms: Platforms) -> None:
    first = await platforms.start()
    bad, good = await first.run(), await first.run()
    await platforms.stop(first)
    key = f"workmanager.worker.{bad}"
    record = msgspec.json.decode(first.bus.state[key][0])
    first.bus.state[key] = (msgspec.json.encode({**record, "code": b"x = 1"}), 1)

    second = await platforms.start(first.bus)

    assert (await second.info(bad)).status == pb.WORKER_STATUS_FAILED
    assert (await second.info(good)).status == pb.WORKER_STATUS_RUNNING


async def test_recovery_is_tried_again_when_the_bus_is_back(
    platforms: Platforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("virtufin_examples.workmanager._service.UPKEEP_SECONDS", 0.01)
    first = await platforms.start()
    worker_id = await first.run()
    await platforms.stop(first)
    first.bus.down = True
    second = await platforms.start(first.bus)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://{second.http}/health/ready")).status_code == 503

        first.bus.down = False
        while (await client.get(f"http://{second.http}/health/ready")).status_code == 503:
            pass

    assert (await second.info(worker_id)).status == pb.WORKER_STATUS_RUNNING
    answer = await second.stub.RecoverWorkers(pb.RecoverWorkersRequest())
    assert answer.recovered_count == 0


async def test_one_workmanager_recovers_at_a_time() -> None:
    bus = FakeBus()
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    async with recovery_lease(bus, now=lambda: now, sleep=sleep):
        with pytest.raises(UnavailableError, match="another WorkManager"):
            async with recovery_lease(bus, now=lambda: now, sleep=sleep):
                pass
        now += LEASE_SECONDS  # the first one is taken for dead
        async with recovery_lease(bus, now=lambda: now, sleep=sleep):
            assert LEASE_KEY in bus.state
    assert LEASE_KEY not in bus.state


async def test_a_worker_whose_lease_lapses_is_deleted_with_its_connections(platform: Platform) -> None:
    manager = platform.service._manager
    now = 100.0
    manager._clock = lambda: now
    leased = await platform.run(lease_seconds=30)
    lasting = await platform.run()

    now = 129.0
    answer = await platform.stub.RenewLease(pb.RenewWorkerLeaseRequest(id=leased))
    assert answer.lease_seconds == 30
    assert ("websocketmanager", "RenewLease", {"owner": leased}) in platform.gateway.calls
    now = 158.0
    await manager.delete_lapsed()
    assert (await platform.info(leased)).status == pb.WORKER_STATUS_RUNNING

    now = 159.0
    await manager.delete_lapsed()

    workers = (await platform.stub.ListWorkers(pb.ListWorkersRequest())).workers
    assert [worker.id for worker in workers] == [lasting]
    assert ("websocketmanager", "DisconnectOwned", {"owner": leased}) in platform.gateway.calls
    assert (await platform.stub.RenewLease(pb.RenewWorkerLeaseRequest(id=lasting))).lease_seconds == 0


async def test_tags_are_set_read_replaced_and_kept(platforms: Platforms) -> None:
    platform = await platforms.start()
    worker_id = await platform.create(tags={"a": "1"})
    stub = platform.stub

    await stub.SetTag(pb.SetWorkerTagRequest(id=worker_id, key="b", value="2"))
    assert (await stub.GetTag(pb.GetWorkerTagRequest(id=worker_id, key="b"))).value == "2"
    assert dict((await stub.GetTags(pb.GetWorkerTagsRequest(id=worker_id))).tags) == {"a": "1", "b": "2"}
    await stub.SetTags(pb.SetWorkerTagsRequest(id=worker_id, tags={"c": "3"}))
    with pytest.raises(grpc.aio.AioRpcError, match="no tag 'a'"):
        await stub.GetTag(pb.GetWorkerTagRequest(id=worker_id, key="a"))
    with pytest.raises(grpc.aio.AioRpcError, match="51 tags, at most 50"):
        await stub.SetTags(pb.SetWorkerTagsRequest(id=worker_id, tags={f"t{n}": "" for n in range(51)}))

    await platforms.stop(platform)
    again = await platforms.start(platform.bus)
    assert dict((await again.info(worker_id)).tags) == {"c": "3"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"topic": ""}, "topic: empty"),
        ({"topic": "a b"}, "holds a space"),
        ({"topic": "", "topics": ["a", "b"]}, "topics: 2 entries"),
        ({"mime_type": "text/x-cobol"}, "'text/x-cobol' has no engine"),
        ({"config": {"Venue": "x"}}, "config: 'Venue' is no CloudEvent attribute name"),
        ({"config": {"type": "x"}}, "config: 'type' is an attribute"),
        ({"tags": {"": "x"}}, "tags: a key is empty"),
        ({"tags": {"k" * 129: "x"}}, "129 characters, at most 128"),
        ({"tags": {"k": "v" * 1025}}, "1025 characters, at most 1024"),
        ({"code_source": pb.CodeSource()}, "neither url nor content"),
        ({"code_source": pb.CodeSource(content=b"")}, "the code is empty"),
        ({"code_source": pb.CodeSource(content=ECHO, sha256="00")}, "'00' is not the hash"),
        ({"code_source": pb.CodeSource(url="ftp://x/y")}, "no http or https URL"),
        ({"code_source": pb.CodeSource(url="https://u:canary@x/y")}, "user name or password"),
    ],
)
async def test_a_bad_request_is_refused_and_changes_nothing(
    platform: Platform, fields: dict, reason: str
) -> None:
    good = {"code_source": pb.CodeSource(content=ECHO), "mime_type": "text/x-python", "topic": TOPIC}

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await platform.stub.CreateWorker(pb.CreateWorkerRequest(**{**good, **fields}))

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason in caught.value.details()
    assert "canary" not in caught.value.details()
    assert not (await platform.stub.ListWorkers(pb.ListWorkersRequest())).workers
    assert not platform.bus.state


async def test_the_older_spelling_of_topic_is_read(platform: Platform) -> None:
    worker_id = await platform.create(topic="", topics=[TOPIC])

    assert (await platform.info(worker_id)).topic == TOPIC


async def test_code_that_is_too_large_is_refused(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtufin_examples.workmanager._code.MAX_CODE_BYTES", 10)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await platform.create(ECHO)

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_without_any_runtime_a_dll_is_refused_with_what_to_do(
    platforms: Platforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = await platforms.start(dotnet_runtime="dotnet")
    monkeypatch.setattr("virtufin_examples.workmanager.engines._runtimes.dotnet_roots", lambda _environ: [])

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await platform.create(b"MZ", mime_type="application/x-dotnet-dll")

    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "install .NET 8 or newer" in caught.value.details()
    assert "--engine python" in caught.value.details()


async def test_workers_calls_carry_the_platforms_key_and_errors_come_back(platforms: Platforms) -> None:
    platform = await platforms.start()
    platform.service._gateway._metadata = (("x-api-key", "k1"),)
    code = b"""
def Start(worker_id, topic, gateway):
    global call
    call = gateway.invoke
def Process(event):
    try:
        return {"type": "replies", "data": call("websocketmanager", "List", "{}")}
    except RuntimeError as error:
        return {"type": "replies", "data": str(error)}
"""
    await platform.run(code)
    refused = gateway_pb2.InvokeJsonResponse(success=False, status="NOT_FOUND", message='no connection "x"')
    platform.gateway.answers["List"] = refused

    platform.bus.deliver(TOPIC, 1)

    assert (await platform.bus.next_published("replies"))["data"] == 'NOT_FOUND: no connection "x"'
    assert platform.gateway.keys == ["k1"]


async def test_many_workers_created_at_once_are_all_in_the_index(platform: Platform) -> None:
    ids = await asyncio.gather(*(platform.create() for _ in range(10)))

    assert sorted(json.loads(platform.bus.state["workmanager.workers"][0])) == sorted(ids)
