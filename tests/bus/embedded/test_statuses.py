"""daprd's status codes, over real gRPC."""

from __future__ import annotations

import grpc
import pytest
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import dapr_pb2, invoke_pb2, lock_pb2, pubsub_pb2, secret_pb2, state_pb2

from tests.bus.embedded.calls import code_of, initial, stream_requests

_ANSWER = pubsub_pb2.SubscribeTopicEventsRequestAlpha1(
    event_processed=pubsub_pb2.SubscribeTopicEventsRequestProcessedAlpha1(id="1")
)


@pytest.mark.parametrize(
    ("requests", "code", "part"),
    [
        ((), grpc.StatusCode.UNKNOWN, "initial request is required"),
        ((_ANSWER,), grpc.StatusCode.UNKNOWN, "initial request is required"),
        ((initial("", "t"),), grpc.StatusCode.UNKNOWN, "pubsubName is required"),
        ((initial("pubsub", ""),), grpc.StatusCode.UNKNOWN, "topic is required"),
        ((initial("none", "t"),), grpc.StatusCode.INVALID_ARGUMENT, "none is not found"),
        (
            (initial("pubsub", "t"), initial("pubsub", "t")),
            grpc.StatusCode.UNKNOWN,
            "duplicate initial request",
        ),
    ],
)
async def test_a_stream_that_breaks_the_protocol_is_refused(stub, requests, code, part):
    seen, details = await code_of(stream_requests(stub, *requests))

    assert seen is code
    assert part in details


_STALE = common_pb2.StateItem(key="k", value=b"x", etag=common_pb2.Etag(value="stale"))


@pytest.mark.parametrize(
    ("method", "request_", "code"),
    [
        ("PublishEvent", pubsub_pb2.PublishEventRequest(topic="t"), "INVALID_ARGUMENT"),
        ("PublishEvent", pubsub_pb2.PublishEventRequest(pubsub_name="pubsub"), "INVALID_ARGUMENT"),
        (
            "PublishEvent",
            pubsub_pb2.PublishEventRequest(pubsub_name="pubsub", topic="t", metadata={"rawPayload": "maybe"}),
            "INVALID_ARGUMENT",
        ),
        (
            "BulkPublishEvent",
            pubsub_pb2.BulkPublishRequest(
                pubsub_name="pubsub", topic="t", entries=[pubsub_pb2.BulkPublishRequestEntry()]
            ),
            "INVALID_ARGUMENT",
        ),
        (
            "BulkPublishEvent",
            pubsub_pb2.BulkPublishRequest(
                pubsub_name="pubsub",
                topic="t",
                entries=[pubsub_pb2.BulkPublishRequestEntry(entry_id="1")] * 2,
            ),
            "INVALID_ARGUMENT",
        ),
        ("GetState", state_pb2.GetStateRequest(store_name="none", key="k"), "INVALID_ARGUMENT"),
        ("GetState", state_pb2.GetStateRequest(store_name="statestore", key="a||b"), "INVALID_ARGUMENT"),
        (
            "SaveState",
            state_pb2.SaveStateRequest(store_name="statestore", states=[common_pb2.StateItem()]),
            "INVALID_ARGUMENT",
        ),
        (
            "SaveState",
            state_pb2.SaveStateRequest(
                store_name="statestore",
                states=[common_pb2.StateItem(key="k", metadata={"ttlInSeconds": "soon"})],
            ),
            "INVALID_ARGUMENT",
        ),
        (
            "SaveState",
            state_pb2.SaveStateRequest(
                store_name="statestore",
                states=[common_pb2.StateItem(key="k", metadata={"ttlInSeconds": "9" * 30})],
            ),
            "INVALID_ARGUMENT",
        ),
        ("SaveState", state_pb2.SaveStateRequest(store_name="statestore", states=[_STALE]), "ABORTED"),
        (
            "DeleteState",
            state_pb2.DeleteStateRequest(
                store_name="statestore", key="k", etag=common_pb2.Etag(value="stale")
            ),
            "ABORTED",
        ),
        (
            "DeleteBulkState",
            state_pb2.DeleteBulkStateRequest(store_name="statestore", states=[_STALE]),
            "ABORTED",
        ),
        (
            "ExecuteStateTransaction",
            state_pb2.ExecuteStateTransactionRequest(
                storeName="statestore",
                operations=[state_pb2.TransactionalStateOperation(operationType="upsert", request=_STALE)],
            ),
            "INTERNAL",
        ),
        (
            "ExecuteStateTransaction",
            state_pb2.ExecuteStateTransactionRequest(
                storeName="statestore",
                operations=[state_pb2.TransactionalStateOperation(operationType="merge", request=_STALE)],
            ),
            "UNIMPLEMENTED",
        ),
        (
            "TryLockAlpha1",
            lock_pb2.TryLockRequest(store_name="none", resource_id="r", lock_owner="o", expiry_in_seconds=1),
            "INVALID_ARGUMENT",
        ),
        (
            "TryLockAlpha1",
            lock_pb2.TryLockRequest(store_name="lockstore", lock_owner="o", expiry_in_seconds=1),
            "INVALID_ARGUMENT",
        ),
        (
            "TryLockAlpha1",
            lock_pb2.TryLockRequest(store_name="lockstore", resource_id="r", expiry_in_seconds=1),
            "INVALID_ARGUMENT",
        ),
        (
            "TryLockAlpha1",
            lock_pb2.TryLockRequest(store_name="lockstore", resource_id="r", lock_owner="o"),
            "INVALID_ARGUMENT",
        ),
        (
            "UnlockAlpha1",
            lock_pb2.UnlockRequest(store_name="none", resource_id="r", lock_owner="o"),
            "INVALID_ARGUMENT",
        ),
        ("GetSecret", secret_pb2.GetSecretRequest(store_name="none", key="k"), "INVALID_ARGUMENT"),
        ("GetSecret", secret_pb2.GetSecretRequest(store_name="secretstore", key="none"), "INTERNAL"),
        ("GetBulkSecret", secret_pb2.GetBulkSecretRequest(store_name="none"), "INVALID_ARGUMENT"),
        ("InvokeService", invoke_pb2.InvokeServiceRequest(), "UNIMPLEMENTED"),
        ("Shutdown", dapr_pb2.ShutdownRequest(), "UNIMPLEMENTED"),
    ],
)
async def test_statuses_are_daprs(stub, method, request_, code):
    assert (await code_of(getattr(stub, method)(request_)))[0].name == code
