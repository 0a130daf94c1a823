"""The runtime over real gRPC and HTTP, on the test's own loop."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
import grpc.aio
import pytest
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import (
    dapr_pb2_grpc,
    lock_pb2,
    metadata_pb2,
    pubsub_pb2,
    state_pb2,
)

from tests.bus.embedded.calls import as_app, code_of, exchange, initial, publish, stream_requests, subscribed
from tests.bus.embedded.conftest import MAX_BYTES, channel, running
from virtufin_examples.bus._joined import SUBSCRIBE_METHOD
from virtufin_examples.bus.embedded import EmbeddedRuntime, _broker, _pubsub
from virtufin_examples.errors import UnavailableError


async def _until(condition):
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - the server's view, seen from outside
            await asyncio.sleep(0.005)


async def _topics(stub, app_id=""):
    answer = await stub.GetMetadata(metadata_pb2.GetMetadataRequest(), metadata=as_app(app_id))
    return [subscription.topic for subscription in answer.subscriptions]


async def test_a_call_names_its_app_id(stub):
    async with subscribed(stub, "t") as reader:
        await publish(stub, "t")
        await publish(stub, "t", app_id="other")
        assert [(await reader.event()).source for _ in range(2)] == ["virtufin", "other"]


async def test_keys_and_locks_belong_to_an_app_id(stub):
    item = common_pb2.StateItem(key="k", value=b"mine")
    await stub.SaveState(
        state_pb2.SaveStateRequest(store_name="statestore", states=[item]), metadata=as_app("one")
    )
    get = state_pb2.GetStateRequest(store_name="statestore", key="k")
    lock = lock_pb2.TryLockRequest(
        store_name="lockstore", resource_id="r", lock_owner="me", expiry_in_seconds=10
    )

    assert (await stub.GetState(get, metadata=as_app("one"))).data == b"mine"
    assert (await stub.GetState(get, metadata=as_app("two"))).data == b""
    assert (await stub.TryLockAlpha1(lock, metadata=as_app("one"))).success
    assert (await stub.TryLockAlpha1(lock, metadata=as_app("two"))).success
    assert not (await stub.TryLockAlpha1(lock, metadata=as_app("one"))).success


async def test_metadata_belong_to_an_app_id(stub):
    await stub.SetMetadata(metadata_pb2.SetMetadataRequest(key="a", value="1"), metadata=as_app("one"))
    await stub.SetMetadata(metadata_pb2.SetMetadataRequest(key="", value="1"), metadata=as_app("one"))
    async with subscribed(stub, "t", dead="d", app_id="one"):
        one = await stub.GetMetadata(metadata_pb2.GetMetadataRequest(), metadata=as_app("one"))
        two = await stub.GetMetadata(metadata_pb2.GetMetadataRequest(), metadata=as_app("two"))

    assert (one.id, two.id) == ("one", "two")
    assert one.extended_metadata["a"] == "1"
    assert set(two.extended_metadata) == {"daprRuntimeVersion", "virtufin.lane"}
    assert [(s.topic, s.dead_letter_topic, s.type) for s in one.subscriptions] == [
        ("t", "d", metadata_pb2.PubsubSubscriptionType.STREAMING)
    ]
    assert not two.subscriptions


async def test_a_value_says_when_it_expires(stub):
    item = common_pb2.StateItem(key="k", value=b"x", metadata={"ttlInSeconds": "60"})
    await stub.SaveState(state_pb2.SaveStateRequest(store_name="statestore", states=[item]))
    answer = await stub.GetState(state_pb2.GetStateRequest(store_name="statestore", key="k"))
    bulk = await stub.GetBulkState(state_pb2.GetBulkStateRequest(store_name="statestore", keys=["k"]))

    assert answer.metadata["ttlExpireTime"].endswith("Z")
    assert bulk.items[0].metadata == answer.metadata
    await stub.DeleteBulkState(state_pb2.DeleteBulkStateRequest(store_name="statestore", states=[item]))
    assert (await stub.GetState(state_pb2.GetStateRequest(store_name="statestore", key="k"))).etag == ""


async def test_a_subscription_ends_with_its_stream(stub):
    async with subscribed(stub, "t"):
        assert await _topics(stub) == ["t"]

    async def gone():
        return await _topics(stub) == []

    await _until(gone)


async def test_a_half_closed_stream_ends_the_subscription(stub):
    async with subscribed(stub, "t") as reader:
        await reader.call.done_writing()
        assert await reader.call.read() is grpc.aio.EOF
        assert await _topics(stub) == []


async def test_a_returning_reader_gets_what_was_left_unanswered(stub):
    async with contextlib.AsyncExitStack() as stack:
        old = await stack.enter_async_context(subscribed(stub, "t"))
        await publish(stub, "t", b"first")
        await old.event()
        new = await stack.enter_async_context(subscribed(stub, "t"))
        old.call.cancel()
        assert (await new.event()).data == b"first"


async def test_an_unknown_answer_status_is_a_retry(stub):
    async with subscribed(stub, "t") as reader:
        await publish(stub, "t")
        event = await reader.event()
        await reader.answer("unknown id")
        await reader.answer(event.id, status=7)
        assert (await reader.event()).id == event.id


async def test_an_expired_message_goes_to_the_dead_letter_topic(stub):
    async with subscribed(stub, "t", dead="d") as reader, subscribed(stub, "d") as dead:
        expired = (
            b'{"id":"old","datacontenttype":"text/plain","data":"x","expiration":"2020-01-01T00:00:00Z"}'
        )
        await publish(stub, "t", expired, content_type="application/cloudevents+json")
        await publish(stub, "t", b"new", ttlInSeconds="60")
        assert (await reader.event()).data == b"new"
        assert (await dead.event()).id == "old"


async def test_bulk_with_a_bad_entry_publishes_nothing(stub):
    async with subscribed(stub, "t") as reader:
        entries = [
            pubsub_pb2.BulkPublishRequestEntry(entry_id="1", event=b"good", content_type="text/plain"),
            pubsub_pb2.BulkPublishRequestEntry(
                entry_id="2", event=b"bad", content_type="application/cloudevents+json"
            ),
        ]
        request = pubsub_pb2.BulkPublishRequest(pubsub_name="pubsub", topic="t", entries=entries)
        for call in (stub.BulkPublishEvent, stub.BulkPublishEventAlpha1):
            assert (await code_of(call(request)))[0] is grpc.StatusCode.INVALID_ARGUMENT
        await publish(stub, "t", b"next")
        assert (await reader.event()).data == b"next"


async def test_messages_up_to_the_limit_pass_both_ways(stub):
    data = bytes(MAX_BYTES - 2048)
    async with subscribed(stub, "t") as reader:
        await publish(stub, "t", data, content_type="application/octet-stream")
        assert (await reader.event()).data == data
    code, _ = await code_of(publish(stub, "t", bytes(MAX_BYTES)))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_full_subscriber_makes_publishers_wait_then_fail(stub, monkeypatch):
    monkeypatch.setattr(_pubsub, "PUBLISH_WAIT_SECONDS", 0.2)
    data = bytes(8 * 1024 * 1024)
    async with subscribed(stub, "t", app_id="slow") as reader:
        for _ in range(4):
            await publish(stub, "t", data)
        code, details = await code_of(publish(stub, "t", b"too much"))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "'t'" in details
        assert "'slow'" in details
        await publish(stub, "other", b"another topic is free")

        monkeypatch.setattr(_pubsub, "PUBLISH_WAIT_SECONDS", 10)
        waiting = asyncio.create_task(publish(stub, "t", b"waited"))
        event = await reader.event()
        assert not waiting.done()
        await reader.answer(event.id)
        await waiting
        assert [len((await reader.event()).data) for _ in range(4)] == [len(data)] * 3 + [6]


async def test_a_bulk_publish_names_the_entries_that_found_no_room(stub, monkeypatch):
    monkeypatch.setattr(_pubsub, "PUBLISH_WAIT_SECONDS", 0.05)
    async with subscribed(stub, "t"):
        for _ in range(3):
            await publish(stub, "t", bytes(8 * 1024 * 1024))
        big = [
            pubsub_pb2.BulkPublishRequestEntry(entry_id=str(index), event=bytes(5 * 1024 * 1024))
            for index in range(3)
        ]
        request = pubsub_pb2.BulkPublishRequest(pubsub_name="pubsub", topic="t", entries=big)
        answer = await stub.BulkPublishEvent(request)
        assert [entry.entry_id for entry in answer.failedEntries] == ["2"]
        assert (await code_of(stub.BulkPublishEvent(request)))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_bulk_publish_waits_for_room_once_and_not_for_each_entry(stub, monkeypatch):
    deadlines = []

    async def note(_service, _topic, deadline):
        deadlines.append(deadline)

    monkeypatch.setattr(_pubsub.PubsubService, "_wait_for_room", note)
    async with subscribed(stub, "t"):
        for _ in range(4):
            await publish(stub, "t", bytes(8 * 1024 * 1024))
        entries = [pubsub_pb2.BulkPublishRequestEntry(entry_id=str(index)) for index in range(3)]
        await stub.BulkPublishEvent(
            pubsub_pb2.BulkPublishRequest(pubsub_name="pubsub", topic="t", entries=entries)
        )
    assert len(deadlines) == 3
    assert len(set(deadlines)) == 1


async def test_clients_that_do_not_ask_for_joined_messages_get_one_event_each(stub):
    async with subscribed(stub, "t") as reader:
        entries = [
            pubsub_pb2.BulkPublishRequestEntry(
                entry_id=str(index), event=b"%d" % index, content_type="text/plain"
            )
            for index in range(50)
        ]
        await stub.BulkPublishEvent(
            pubsub_pb2.BulkPublishRequest(pubsub_name="pubsub", topic="t", entries=entries)
        )
        assert [(await reader.event()).data for _ in range(50)] == [b"%d" % index for index in range(50)]


async def test_what_is_no_answer_ends_the_stream():
    async with running() as addresses, channel(addresses.grpc) as opened:
        call = opened.stream_stream(f"/dapr.proto.runtime.v1.Dapr/{SUBSCRIBE_METHOD}")()
        await call.write(initial("pubsub", "t").SerializeToString())
        await call.read()
        await call.write(b"\x12\x02\x0a\x05")  # an id of 5 bytes, of which none follow
        code, details = await code_of(call.read())
        assert code is grpc.StatusCode.UNKNOWN
        assert "SubscribeTopicEventsRequestProcessedAlpha1" in details


async def test_a_subscriber_that_stands_still_is_cut_off(stub, monkeypatch):
    monkeypatch.setattr(_broker, "STALL_SECONDS", 0.0)
    async with subscribed(stub, "t") as reader:
        for _ in range(5):
            await publish(stub, "t", bytes(8 * 1024 * 1024))

        async def drained():
            while await reader.call.read() is not grpc.aio.EOF:
                pass

        code, details = await code_of(drained())
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "'t'" in details
        assert await _topics(stub) == []


async def test_every_call_needs_the_token_and_health_does_not():
    async with (
        running(api_token="canary") as addresses,
        channel(addresses.grpc) as opened,
    ):
        stub = dapr_pb2_grpc.DaprStub(opened)
        get = metadata_pb2.GetMetadataRequest()
        missing = await code_of(stub.GetMetadata(get))
        wrong = await code_of(stub.GetMetadata(get, metadata=(("dapr-api-token", "wrong"),)))
        stream = await code_of(stream_requests(stub, initial("pubsub", "t")))
        right = await stub.GetMetadata(get, metadata=(("dapr-api-token", "canary"),))
        healthy = await exchange(addresses.http, b"GET /v1.0/healthz/outbound HTTP/1.0\r\n\r\n")

    for code, details in (missing, wrong, stream):
        assert code is grpc.StatusCode.UNAUTHENTICATED
        assert "canary" not in details
    assert right.id == "virtufin"
    assert healthy.startswith(b"HTTP/1.1 204 ")


async def test_a_taken_port_is_named_with_its_setting(capfd):
    async with running() as addresses:
        grpc_port = int(addresses.grpc.rpartition(":")[2])
        http_port = int(addresses.http.rpartition(":")[2])
        with pytest.raises(UnavailableError, match="VIRTUFIN_RUNTIME_GRPC_PORT") as caught:
            await EmbeddedRuntime(grpc_port=grpc_port).start()
        assert str(grpc_port) in str(caught.value)
        with pytest.raises(UnavailableError, match="VIRTUFIN_RUNTIME_HTTP_PORT") as caught:
            await EmbeddedRuntime(http_port=http_port).start()
        assert str(http_port) in str(caught.value)
    assert capfd.readouterr().err == ""  # gRPC would print its own


async def test_an_address_that_is_not_ours_is_named_with_its_setting():
    with pytest.raises(UnavailableError, match=r"999\.1\.1\.1 is no address of this machine") as caught:
        await EmbeddedRuntime(host="999.1.1.1").start()
    assert "VIRTUFIN_HOST" in caught.value.hint


async def test_a_data_folder_that_cannot_be_used_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(UnavailableError, match="VIRTUFIN_DATA_DIR"):
        await EmbeddedRuntime(data_dir=file).start()


async def test_stopping_ends_streams_with_unavailable():
    runtime = EmbeddedRuntime()
    addresses = await runtime.start()
    async with channel(addresses.grpc) as opened:
        stub = dapr_pb2_grpc.DaprStub(opened)
        async with subscribed(stub, "t") as reader:
            await runtime.stop()
            code, _ = await code_of(reader.call.read())
    assert code is grpc.StatusCode.UNAVAILABLE


async def test_state_survives_a_restart(tmp_path):
    item = common_pb2.StateItem(key="k", value=b"kept")
    async with running(data_dir=tmp_path) as addresses, channel(addresses.grpc) as opened:
        await dapr_pb2_grpc.DaprStub(opened).SaveState(
            state_pb2.SaveStateRequest(store_name="statestore", states=[item])
        )
    async with running(data_dir=tmp_path) as addresses, channel(addresses.grpc) as opened:
        answer = await dapr_pb2_grpc.DaprStub(opened).GetState(
            state_pb2.GetStateRequest(store_name="statestore", key="k")
        )
    assert answer.data == b"kept"
