"""`virtufin up --shards 2`: one address, one topic, two WebSocketManagers, one of which is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import urllib.error
import urllib.request

import grpc.aio
import pytest

from tests.programs import eventually_none, processes_in, programs, start_binance_simulator
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.client import ApiClient, Frame, Gap, Silent, subscribe

TOPIC = "shared"
SECONDS = 20


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with programs(tmp_path_factory.mktemp("shards")) as run:
        simulator = start_binance_simulator(run)
        program = run("-m", "virtufin_examples.cli", "up", "--ephemeral", "--shards", "2")
        yield {**program.until(lambda line: "gateway" in line), "url": simulator["url"], "program": program}


@pytest.fixture
async def stub(machine):
    async with grpc.aio.insecure_channel(machine["websocketmanager"]) as channel:
        yield pb_grpc.WebSocketManagerStub(channel)


async def _open(stub, machine, symbol, owner="worker"):
    answer = await stub.Connect(
        pb.ConnectRequest(
            url=f"{machine['url']}/ws",
            auto_reconnect=True,
            connector="binance",
            owner=owner,
            tags={"s": symbol},
        )
    )
    message = json.dumps({"method": "SUBSCRIBE", "params": [f"{symbol}@trade"], "id": 1}).encode()
    await stub.SendRaw(
        pb.SendRawRequest(id=answer.id, message=message, content_type="application/json", secrets=True)
    )
    await stub.StartPublish(pb.StartPublishRequest(id=answer.id, topic=TOPIC, encoding="batch"))
    return answer.id


def _read(machine, path):
    with urllib.request.urlopen(f"http://{machine['websocketmanager_http']}{path}", timeout=5) as answer:
        return answer.read().decode()


def _checks(machine):
    try:
        return json.loads(_read(machine, "/health/ready"))["checks"]
    except urllib.error.HTTPError as error:
        with error:
            return json.loads(error.read())["checks"]


async def _until(items, matches):
    async with asyncio.timeout(SECONDS):
        async for item in items:
            if matches(item):
                return item
    raise AssertionError("the subscription ended")


async def test_the_other_shards_frames_go_on_and_those_of_the_killed_one_resume_behind_a_gap(machine, stub):
    first = await _open(stub, machine, "btcusdt")
    second = await _open(stub, machine, "ethusdt")
    listed = (await stub.List(pb.ListConnectionsRequest())).connections
    shard = {each.id: each.instance_id for each in listed}
    assert set(shard) == {first, second}
    assert shard[second].endswith("shard-2")
    assert not shard[first].endswith("shard-2")
    async with subscribe(TOPIC, dapr=machine["runtime"]) as items:
        seen = set()
        await _until(
            items, lambda item: seen.add(getattr(item, "connection_id", "")) or {first, second} <= seen
        )

        (victim,) = processes_in(machine["program"].folder, "--shard 2/2")
        os.kill(victim, signal.SIGKILL)

        others = 0
        async with asyncio.timeout(SECONDS):
            async for item in items:
                if isinstance(item, Frame) and item.connection_id == first:
                    others += 1
                elif isinstance(item, Gap) and item.connection_id == second:
                    break
                elif isinstance(item, Gap):
                    pytest.fail(f"a gap of the shard that lived: {item}")
        assert others > 20, "while the other shard was away"
        assert item.cause == "restart"
        frame = await _until(items, lambda item: isinstance(item, Frame) and item.connection_id == second)
        assert (frame.epoch, frame.sequence > item.last_sequence) == (2, True)
    assert len(processes_in(machine["program"].folder, "--shard 2/2")) == 1
    await stub.DisconnectOwned(pb.DisconnectOwnedRequest(owner="worker"))


async def test_a_shard_that_is_not_heard_any_more_is_told_by_its_connections_while_another_goes_on(
    machine, stub
):
    await _open(stub, machine, "btcusdt", owner="w4")
    second = await _open(stub, machine, "ethusdt", owner="w4")
    async with subscribe(TOPIC, dapr=machine["runtime"], silent_seconds=3) as items:
        frame = await _until(items, lambda item: isinstance(item, Frame) and item.connection_id == second)
        beaten_ns = frame.received_ns + 3 * 10**9  # a heartbeat has named it by then
        await _until(items, lambda item: isinstance(item, Frame) and item.received_ns > beaten_ns)
        (victim,) = processes_in(machine["program"].folder, "--shard 2/2")
        os.kill(victim, signal.SIGSTOP)  # it neither ends, so that it would be restarted, nor does anything
        try:
            silent = await _until(items, lambda item: isinstance(item, Silent))
            assert silent.connections == (second,)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(4):
                    await _until(items, lambda item: isinstance(item, Silent | Gap))
        finally:
            os.kill(victim, signal.SIGCONT)
        back = await _until(items, lambda item: getattr(item, "connection_id", "") == second)
        assert isinstance(back, Frame | Gap)
    await stub.DisconnectOwned(pb.DisconnectOwnedRequest(owner="w4"))


async def test_a_call_waits_for_the_shard_that_is_being_restarted(machine, stub):
    await _open(stub, machine, "btcusdt", owner="w2")
    second = await _open(stub, machine, "ethusdt", owner="w2")
    (victim,) = processes_in(machine["program"].folder, "--shard 2/2")
    os.kill(victim, signal.SIGKILL)
    assert not eventually_none(lambda: _checks(machine)["websocketmanager_2"] == "ok")

    answer = await stub.SetTag(pb.SetConnectionTagRequest(id=second, key="a", value="b"), timeout=SECONDS)

    assert answer == pb.SetConnectionTagResponse()
    ended = await stub.DisconnectOwned(pb.DisconnectOwnedRequest(owner="w2"))
    assert second in ended.ids
    assert len(ended.ids) == 2


async def test_connections_are_spread_and_named_by_their_shard_through_the_gateway(machine, stub):
    async with ApiClient(machine["gateway"]) as api:
        ids = []
        for _ in range(4):
            answer = await api.invoke_json(
                "websocketmanager", "Connect", {"url": f"{machine['url']}/ws", "owner": "w3"}
            )
            ids.append(answer["id"])
        assert sorted(each.endswith(".s2") for each in ids) == [False, False, True, True]
        for each in ids:
            await api.invoke_json("websocketmanager", "SetTag", {"id": each, "key": "k", "value": "v"})
        tagged = await api.invoke_json("websocketmanager", "List", {"filters": [{"key": "k", "value": "v"}]})
        assert {each["id"] for each in tagged["connections"]} == set(ids)
        ended = await api.invoke_json("websocketmanager", "DisconnectOwned", {"owner": "w3"})
    assert set(ended["ids"]) == set(ids)


async def test_an_id_of_a_shard_that_there_is_not_is_not_found(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Disconnect(pb.DisconnectRequest(id="abc.s7"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert "shard 7" in caught.value.details()


def test_the_router_says_which_shards_run(machine):
    assert _checks(machine) == {"websocketmanager_1": "ok", "websocketmanager_2": "ok"}
    assert 'shard_up{shard="websocketmanager_2"} 1.0' in _read(machine, "/metrics")
