"""Workers over the real gRPC service, in real hosts, on an in-memory bus."""

from __future__ import annotations

import asyncio
import json

import grpc
import pytest

from tests.workmanager.conftest import TOPIC, Platform
from tests.workmanager.fakes import ECHO
from virtufin_examples._generated.virtufin.v1 import workmanager_pb2 as pb
from virtufin_examples.bus import Ack


async def test_a_worker_answers_the_events_of_its_topic(platform: Platform) -> None:
    worker_id = await platform.run()

    delivery = platform.bus.deliver(TOPIC, {"n": 1}, correlationid="c1")

    assert await delivery.answered is Ack.SUCCESS
    answer = await platform.bus.next_published("replies")
    assert answer["type"] == "replies"
    assert answer["correlationid"] == "c1"
    assert answer["data"] == {"got": {"n": 1}, "id": "e1"}
    info = await platform.info(worker_id)
    assert info.status == pb.WORKER_STATUS_RUNNING
    assert info.runtime.startswith("CPython 3.")
    assert info.language == "python"
    assert info.command_topic == f"{TOPIC}.{worker_id}"


async def test_a_worker_answers_on_its_own_command_topic_and_where_the_event_asks(platform: Platform) -> None:
    worker_id = await platform.run()

    delivery = platform.bus.deliver(f"{TOPIC}.{worker_id}", 1, replytopic="to.me")

    assert await delivery.answered is Ack.SUCCESS
    assert (await platform.bus.next_published("to.me"))["type"] == "to.me"


async def test_workers_of_one_topic_share_its_events_in_turn(platform: Platform) -> None:
    code = b"""
def Start(worker_id, topic, gateway):
    global me
    me = worker_id
def Process(event):
    return {"type": "replies", "data": {"worker": me, "n": event["data"]}}
"""
    ids = {await platform.run(code) for _ in range(2)}
    assert len(platform.bus.subscriptions[TOPIC]) == 1

    deliveries = [platform.bus.deliver(TOPIC, n, event_id=str(n)) for n in range(6)]
    for delivery in deliveries:
        await delivery.answered

    answers = [answer["data"] for answer in platform.bus.drain("replies")]
    assert sorted(answer["n"] for answer in answers) == list(range(6))
    for worker_id in ids:
        own = [answer["n"] for answer in answers if answer["worker"] == worker_id]
        assert len(own) == 3
        assert own == sorted(own)


async def test_config_is_stamped_on_events_and_their_own_attributes_win(platform: Platform) -> None:
    code = b"""
def Process(event):
    return {"type": "replies", "data": [event["venue"], event["account"]]}
"""
    worker_id = await platform.run(
        code, config={"venue": "alpaca", "account": "a1"}, tags={"secretnote": "x"}
    )

    platform.bus.deliver(TOPIC, 1, account="theirs")

    assert (await platform.bus.next_published("replies"))["data"] == ["alpaca", "theirs"]
    assert dict((await platform.info(worker_id)).config) == {"venue": "alpaca", "account": "a1"}


async def test_stop_ends_the_host_and_the_subscription_and_the_connections(platform: Platform) -> None:
    worker_id = await platform.run()
    host = platform.worker(worker_id)._host

    await platform.stub.StopWorker(pb.StopWorkerRequest(id=worker_id))
    await platform.stub.StopWorker(pb.StopWorkerRequest(id=worker_id))

    assert host.closed.done()
    assert platform.bus.subscriptions[TOPIC][0].closed
    assert (await platform.info(worker_id)).status == pb.WORKER_STATUS_STOPPED
    assert ("websocketmanager", "DisconnectOwned", {"owner": worker_id}) in platform.gateway.calls


async def test_delete_leaves_nothing(platform: Platform) -> None:
    worker_id = await platform.run()

    await platform.stub.DeleteWorker(pb.DeleteWorkerRequest(id=worker_id))

    assert not (await platform.stub.ListWorkers(pb.ListWorkersRequest())).workers
    assert f"workmanager.worker.{worker_id}" not in platform.bus.state
    assert json.loads(platform.bus.state["workmanager.workers"][0]) == []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await platform.stub.StartWorker(pb.StartWorkerRequest(id=worker_id))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert worker_id in caught.value.details()


async def test_lifecycle_events_tell_the_whole_life(platform: Platform) -> None:
    worker_id = await platform.run()
    await platform.stub.DeleteWorker(pb.DeleteWorkerRequest(id=worker_id))

    events = platform.bus.drain("workmanager.lifecycle")

    assert [event["type"].rpartition(".")[2] for event in events] == [
        "created", "starting", "online", "stopping", "stopped", "deleted",
    ]  # fmt: skip
    assert {event["type"].rpartition(".")[0] for event in events} == {"com.virtufin.workmanager.lifecycle"}
    assert all(event["data"]["worker_id"] == worker_id for event in events)
    assert all(event["data"]["topic"] == TOPIC and event["data"]["instance"] for event in events)


async def test_list_filters_by_all_tags(platform: Platform) -> None:
    one = await platform.create(tags={"run": "r1", "kind": "a"})
    await platform.create(tags={"run": "r1", "kind": "b"})

    async def ids(**tags: str) -> list[str]:
        filters = [pb.WorkerTagFilter(key=key, value=value) for key, value in tags.items()]
        answer = await platform.stub.ListWorkers(pb.ListWorkersRequest(filters=filters))
        return [worker.id for worker in answer.workers]

    assert len(await ids(run="r1")) == 2
    assert await ids(run="r1", kind="a") == [one]
    assert await ids(run="r2") == []


async def test_new_code_is_taken_up_in_place_and_noted_in_the_history(platform: Platform) -> None:
    worker_id = await platform.run()
    second = ECHO.replace(b'"got"', b'"second"')

    await platform.stub.LoadCode(pb.LoadCodeRequest(id=worker_id, code_source=pb.CodeSource(content=second)))
    platform.bus.deliver(TOPIC, 1)

    assert (await platform.bus.next_published("replies"))["data"]["second"] == 1
    history = (await platform.stub.GetWorkerHistory(pb.GetWorkerHistoryRequest(id=worker_id))).entries
    assert len({entry.code_source.sha256 for entry in history}) == 2
    assert history[0].created_at <= history[1].created_at
    assert (await platform.info(worker_id)).code_sha256 == history[1].code_source.sha256


async def test_new_code_that_cannot_be_run_changes_nothing(platform: Platform) -> None:
    worker_id = await platform.run()

    with pytest.raises(grpc.aio.AioRpcError, match="no function Process"):
        await platform.stub.LoadCode(
            pb.LoadCodeRequest(id=worker_id, code_source=pb.CodeSource(content=b"x = 1"))
        )

    platform.bus.deliver(TOPIC, 7)
    assert (await platform.bus.next_published("replies"))["data"]["got"] == 7
    history = (await platform.stub.GetWorkerHistory(pb.GetWorkerHistoryRequest(id=worker_id))).entries
    assert len(history) == 1


async def test_new_code_waits_for_the_call_in_flight(platform: Platform) -> None:
    slow = b"""
def Start(worker_id, topic, gateway):
    global call
    call = gateway.invoke
def Process(event):
    call("slow", "Wait", "{}")
    return {"type": "replies", "data": "old"}
"""
    worker_id = await platform.run(slow)
    called, release = asyncio.Event(), asyncio.Event()
    platform.gateway.hold["Wait"] = (called, release)
    first = platform.bus.deliver(TOPIC, 1)
    await called.wait()

    request = pb.LoadCodeRequest(id=worker_id, code_source=pb.CodeSource(content=ECHO))
    load = asyncio.ensure_future(platform.stub.LoadCode(request))
    while not platform.worker(worker_id).turn._waiters:  # noqa: ASYNC110 - no event for it
        await asyncio.sleep(0)
    assert not load.done()
    release.set()

    await first.answered
    assert (await platform.bus.next_published("replies"))["data"] == "old"
    await load
    platform.bus.deliver(TOPIC, 2)
    assert (await platform.bus.next_published("replies"))["data"] == {"got": 2, "id": "e1"}
