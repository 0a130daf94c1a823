"""`DaprBus` against a small Dapr of the test's own, which can fail, hang and restart on demand."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from dapr.proto.runtime.v1 import (
    appcallback_pb2,
    dapr_pb2_grpc,
    pubsub_pb2,
    secret_pb2,
    state_pb2,
)
from google.protobuf import empty_pb2
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.bus import Ack
from virtufin_examples.bus import _dapr_subscription as subscription_module
from virtufin_examples.bus._dapr_channel import parse_target
from virtufin_examples.bus._dapr_subscription import BACKOFF_LIMIT_SECONDS, backoff_seconds
from virtufin_examples.bus._inbox import ENTRY_OVERHEAD_BYTES, Inbox
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.errors import (
    AccessDeniedError,
    ConflictError,
    DeadlineError,
    InvalidInputError,
    NotFoundError,
    PreconditionError,
    ResourceLimitError,
    UnavailableError,
)


class FakeDapr(dapr_pb2_grpc.DaprServicer):
    """Fans out what is published, keeps every answer, stores state in a dict."""

    def __init__(self) -> None:
        self.subscribers: dict[str, list[asyncio.Queue]] = {}
        self.initial: list = []
        self.acks: asyncio.Queue = asyncio.Queue()
        self.published: list = []
        self.metadata: list[dict] = []
        self.state: dict[str, tuple[bytes, str]] = {}
        self.saved: list = []
        self.refuse: tuple[grpc.StatusCode, str] | None = None
        self.hang = False
        self.failing: tuple[str, ...] = ()
        self.found_status = grpc.StatusCode.ABORTED
        self.calls: asyncio.Queue = asyncio.Queue()
        self.in_force: asyncio.Queue = asyncio.Queue()
        self.ended = asyncio.Event()
        self.half_closed = asyncio.Event()

    async def _gate(self, context) -> None:
        self.metadata.append(dict(context.invocation_metadata()))
        self.calls.put_nowait(None)
        if self.refuse:
            await context.abort(*self.refuse)
        if self.hang:
            await asyncio.Event().wait()

    async def PublishEvent(self, request, context):  # noqa: N802
        await self._gate(context)
        self.published.append(request)
        event = appcallback_pb2.TopicEventRequest(
            id=str(uuid.uuid4()),
            topic=request.topic,
            data=request.data,
            data_content_type=request.data_content_type,
            type=request.metadata.get("cloudevent.type", "com.dapr.event.sent"),
            source="fake",
        )
        event.extensions.update({"sequence": "7", "nested": {"a": [1, None, True]}, "number": 2.5})
        for queue in self.subscribers.get(request.topic, ()):
            queue.put_nowait(event)
        return empty_pb2.Empty()

    async def BulkPublishEvent(self, request, context):  # noqa: N802
        await self._gate(context)
        self.published += [entry.event for entry in request.entries]
        return pubsub_pb2.BulkPublishResponse(
            failedEntries=[
                pubsub_pb2.BulkPublishResponseFailedEntry(entry_id=each, error="broker is full")
                for each in self.failing
            ]
        )

    async def SubscribeTopicEventsAlpha1(self, request_iterator, context):  # noqa: N802
        await self._gate(context)
        initial = (await anext(request_iterator)).initial_request
        self.initial.append(initial)
        queue: asyncio.Queue = asyncio.Queue()
        self.subscribers.setdefault(initial.topic, []).append(queue)

        async def read_acks() -> None:
            async for message in request_iterator:
                self.acks.put_nowait((message.event_processed.id, message.event_processed.status.status))
            self.half_closed.set()
            queue.put_nowait(None)

        reader = asyncio.create_task(read_acks())
        try:
            yield pubsub_pb2.SubscribeTopicEventsResponseAlpha1(
                initial_response=pubsub_pb2.SubscribeTopicEventsResponseInitialAlpha1()
            )
            self.in_force.put_nowait(initial.topic)
            while (event := await queue.get()) is not None:
                if isinstance(event, tuple):
                    await context.abort(*event)
                yield pubsub_pb2.SubscribeTopicEventsResponseAlpha1(event_message=event)
        finally:
            reader.cancel()
            self.subscribers[initial.topic].remove(queue)
            self.ended.set()

    async def GetState(self, request, context):  # noqa: N802
        await self._gate(context)
        value, etag = self.state.get(request.key, (b"", ""))
        return state_pb2.GetStateResponse(data=value, etag=etag)

    async def SaveState(self, request, context):  # noqa: N802
        await self._gate(context)
        item = request.states[0]
        self.saved.append(item)
        now = self.state.get(item.key, (b"", ""))[1]
        first = item.options.concurrency == item.options.CONCURRENCY_FIRST_WRITE
        if first and now != item.etag.value:
            status = grpc.StatusCode.ABORTED if item.etag.value else self.found_status
            await context.abort(status, "possible etag mismatch")
        self.state[item.key] = (item.value, uuid.uuid4().hex)
        return empty_pb2.Empty()

    async def DeleteState(self, request, context):  # noqa: N802
        await self._gate(context)
        if request.HasField("etag") and request.etag.value != self.state.get(request.key, (b"", ""))[1]:
            await context.abort(grpc.StatusCode.ABORTED, "possible etag mismatch")
        self.state.pop(request.key, None)
        return empty_pb2.Empty()

    async def GetSecret(self, request, context):  # noqa: N802
        await self._gate(context)
        if request.key == "alpaca":
            return secret_pb2.GetSecretResponse(data={"key": "k", "hosts": "*.alpaca.markets"})
        if request.key == "empty":
            return secret_pb2.GetSecretResponse()
        return await context.abort(grpc.StatusCode.INTERNAL, f"secret {request.key} not found")


class Served:
    """The fake on a port that it keeps through restarts."""

    def __init__(self, dapr: FakeDapr) -> None:
        self.dapr = dapr
        self.port = 0
        self._server: grpc.aio.Server | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = grpc.aio.server(options=[("grpc.max_receive_message_length", 16 * 1024 * 1024)])
        dapr_pb2_grpc.add_DaprServicer_to_server(self.dapr, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served(FakeDapr())
    await served.start()
    yield served
    await served.stop()


@asynccontextmanager
async def opened(target: str, **options) -> AsyncIterator[DaprBus]:
    bus = DaprBus(target=target, app_id="tests", **options)
    try:
        yield bus
    finally:
        await bus.close()


@pytest.fixture
async def bus(served: Served) -> AsyncIterator[DaprBus]:
    async with opened(served.target) as bus:
        yield bus


async def test_delivers_what_was_published_with_its_attributes(bus: DaprBus) -> None:
    subscription = await bus.subscribe("ticks")
    await bus.publish(
        "ticks", b"\x00\xff", content_type="application/octet-stream", metadata={"cloudevent.type": "t"}
    )
    delivery = await anext(aiter(subscription))
    event = delivery.event
    assert (event.topic, event.data, event.type) == ("ticks", b"\x00\xff", "t")
    assert event.content_type == "application/octet-stream"
    assert event.extensions == {"sequence": "7", "nested": {"a": [1.0, None, True]}, "number": 2.5}


async def test_names_app_id_token_pubsub_and_dead_letter_topic(served: Served) -> None:
    async with opened(served.target, api_token="secret-token", pubsub_name="other") as bus:
        await bus.subscribe("ticks", dead_letter_topic="ticks-dead", metadata={"a": "b"})
    initial = served.dapr.initial[0]
    assert (initial.pubsub_name, initial.topic, initial.dead_letter_topic) == ("other", "ticks", "ticks-dead")
    assert dict(initial.metadata) == {"a": "b"}
    assert (
        served.dapr.metadata[0].items() >= {"dapr-app-id": "tests", "dapr-api-token": "secret-token"}.items()
    )


async def test_answers_go_back_in_any_order_and_only_once(served: Served, bus: DaprBus) -> None:
    subscription = await bus.subscribe("ticks")
    for data in (b"1", b"2", b"3"):
        await bus.publish("ticks", data, content_type="text/plain")
    reader = aiter(subscription)
    deliveries = [await anext(reader) for _ in range(3)]
    await deliveries[2].answer(Ack.DROP)
    await deliveries[0].answer(Ack.SUCCESS)
    await deliveries[0].answer(Ack.RETRY)
    await deliveries[1].answer(Ack.RETRY)
    answered = [await served.dapr.acks.get() for _ in range(3)]
    assert answered == [
        (deliveries[2].event.id, 2),
        (deliveries[0].event.id, 0),
        (deliveries[1].event.id, 1),
    ]
    assert served.dapr.acks.empty()


async def test_answers_from_many_tasks_at_once_all_arrive(served: Served, bus: DaprBus) -> None:
    subscription = await bus.subscribe("ticks")
    for number in range(50):
        await bus.publish("ticks", str(number).encode(), content_type="text/plain")
    reader = aiter(subscription)
    deliveries = [await anext(reader) for _ in range(50)]
    await asyncio.gather(*(delivery.answer(Ack.SUCCESS) for delivery in deliveries))
    answered = {(await served.dapr.acks.get())[0] for _ in range(50)}
    assert answered == {delivery.event.id for delivery in deliveries}


async def test_close_writes_the_answers_given_and_ends_the_call(served: Served, bus: DaprBus) -> None:
    subscription = await bus.subscribe("ticks")
    await bus.publish("ticks", b"1", content_type="text/plain")
    delivery = await anext(aiter(subscription))
    await delivery.answer(Ack.SUCCESS)
    await subscription.close()
    assert (await served.dapr.acks.get())[0] == delivery.event.id
    await served.dapr.ended.wait()
    assert served.dapr.half_closed.is_set()
    assert [event async for event in subscription] == []
    assert subscription.breaks == 0


async def test_close_stops_a_waiting_reader(bus: DaprBus) -> None:
    subscription = await bus.subscribe("ticks")

    async def read() -> int:
        return len([delivery async for delivery in subscription])

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    await subscription.close()
    assert await reader == 0


async def test_heals_after_the_sidecar_restarted(
    served: Served, bus: DaprBus, caplog: pytest.LogCaptureFixture
) -> None:
    subscription = await bus.subscribe("ticks")
    await served.dapr.in_force.get()
    await served.stop()
    await served.start()
    await served.dapr.in_force.get()
    await bus.publish("ticks", b"after", content_type="text/plain")
    assert (await anext(aiter(subscription))).event.data == b"after"
    assert subscription.breaks == 1
    assert "broke" in caplog.text


async def test_heals_when_the_sidecar_ends_the_stream_and_hands_out_what_came_before(
    served: Served, bus: DaprBus
) -> None:
    subscription = await bus.subscribe("ticks")
    await served.dapr.in_force.get()
    await bus.publish("ticks", b"before", content_type="text/plain")
    for queue in served.dapr.subscribers["ticks"]:
        queue.put_nowait(None)
    reader = aiter(subscription)
    before = await anext(reader)
    await served.dapr.in_force.get()
    await before.answer(Ack.SUCCESS)  # its stream is gone: nothing to tell, no error
    await bus.publish("ticks", b"after", content_type="text/plain")
    assert (before.event.data, (await anext(reader)).event.data) == (b"before", b"after")
    assert served.dapr.acks.empty()


async def test_keeps_trying_while_resubscribing_is_refused(served: Served, bus: DaprBus) -> None:
    subscription = await bus.subscribe("ticks")
    await served.dapr.in_force.get()
    await served.dapr.calls.get()
    served.dapr.refuse = (grpc.StatusCode.PERMISSION_DENIED, "not now")
    served.dapr.subscribers["ticks"][0].put_nowait((grpc.StatusCode.INTERNAL, "broker failed"))
    for _ in range(2):
        await served.dapr.calls.get()
    served.dapr.refuse = None
    await served.dapr.in_force.get()
    await bus.publish("ticks", b"x", content_type="text/plain")
    assert (await anext(aiter(subscription))).event.data == b"x"
    assert subscription.breaks == 1


async def test_subscribe_raises_when_the_first_try_is_refused(served: Served, bus: DaprBus) -> None:
    served.dapr.refuse = (grpc.StatusCode.PERMISSION_DENIED, "topic ticks is not allowed")
    with pytest.raises(AccessDeniedError, match="subscribe to ticks: topic ticks is not allowed"):
        await bus.subscribe("ticks")


async def test_subscribe_raises_when_no_answer_comes(
    served: Served, bus: DaprBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription_module, "SUBSCRIBE_TIMEOUT_SECONDS", 0.2)
    served.dapr.hang = True
    with pytest.raises(DeadlineError, match=r"no answer in 0\.2 s"):
        await bus.subscribe("ticks")


async def test_a_slow_reader_holds_the_stream_back(
    served: Served, bus: DaprBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription_module, "INBOX_BYTES", 4 * ENTRY_OVERHEAD_BYTES)
    subscription = await bus.subscribe("ticks")
    for number in range(100):
        await bus.publish("ticks", str(number).encode(), content_type="text/plain")
    reader = aiter(subscription)
    assert [(await anext(reader)).event.data for _ in range(100)] == [b"%d" % n for n in range(100)]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.ABORTED, ConflictError),
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidInputError),
        (grpc.StatusCode.FAILED_PRECONDITION, PreconditionError),
        (grpc.StatusCode.INTERNAL, UnavailableError),
        (grpc.StatusCode.UNAVAILABLE, UnavailableError),
        (grpc.StatusCode.UNAUTHENTICATED, AccessDeniedError),
    ],
)
async def test_a_failed_call_becomes_the_error_of_its_status(
    served: Served, bus: DaprBus, status: grpc.StatusCode, error: type
) -> None:
    served.dapr.refuse = (status, "because")
    with pytest.raises(error, match=r"publish to ticks: because"):
        await bus.publish("ticks", b"", content_type="text/plain")


@pytest.mark.parametrize(
    ("details", "fix"),
    [
        ("grpc: received message larger than max (5000056 vs. 4194304)", "--max-body-size"),
        ("error when publishing: nats: maximum payload exceeded", "max_payload"),
        ("nats: API error: message size exceeds maximum allowed", "max_msg_size"),
        ("message larger than configured Producer.MaxMessageBytes: 1200333 > 1048588", "maxMessageBytes"),
        ("kafka server: Message was too large, server rejected it", "message.max.bytes"),
    ],
)
async def test_a_message_that_is_too_large_is_not_a_bus_that_is_down(
    served: Served, bus: DaprBus, details: str, fix: str
) -> None:
    served.dapr.refuse = (grpc.StatusCode.INTERNAL, details)
    with pytest.raises(ResourceLimitError, match="publish to ticks") as refused:
        await bus.publish("ticks", b"", content_type="text/plain")
    assert fix in refused.value.hint


async def test_a_call_without_an_answer_ends_at_its_deadline(served: Served) -> None:
    served.dapr.hang = True
    async with opened(served.target, timeout_seconds=0.1) as bus:
        with pytest.raises(DeadlineError, match="publish to ticks"):
            await bus.publish("ticks", b"", content_type="text/plain")


async def test_a_subscription_is_renewed(served: Served, bus: DaprBus) -> None:
    subscription = await bus.subscribe("ticks")
    reader = aiter(subscription)
    await bus.publish("ticks", b"1", content_type="text/plain")
    assert (await anext(reader)).event.data == b"1"
    await served.dapr.in_force.get()
    assert subscription.received == 1

    await subscription.renew()
    await served.dapr.in_force.get()

    await bus.publish("ticks", b"2", content_type="text/plain")
    assert (await anext(reader)).event.data == b"2"
    assert (subscription.received, subscription.breaks) == (1, 1)


async def test_nothing_listens(unused_tcp_port_factory) -> None:
    async with opened(f"127.0.0.1:{unused_tcp_port_factory()}") as bus:
        with pytest.raises(UnavailableError, match="is the sidecar or the embedded runtime running"):
            await bus.publish("ticks", b"", content_type="text/plain")
        with pytest.raises(UnavailableError, match="subscribe to ticks"):
            await bus.subscribe("ticks")


async def test_a_message_of_fifteen_megabytes_passes(served: Served, bus: DaprBus) -> None:
    subscription = await bus.subscribe("ticks")
    data = bytes(15 * 1024 * 1024)
    await bus.publish("ticks", data, content_type="application/octet-stream")
    assert (await anext(aiter(subscription))).event.data == data


async def test_publish_without_a_content_type_is_refused(bus: DaprBus) -> None:
    with pytest.raises(InvalidInputError, match="content_type is empty"):
        await bus.publish("ticks", b"", content_type="")


async def test_of_messages_published_together_those_before_the_first_failure_are_taken(
    served: Served, bus: DaprBus
) -> None:
    assert not bus.keeps_bulk_order
    messages = [b"0", b"1", b"2", b"3"]
    assert await bus.publish_bulk("ticks", messages, content_type="text/plain") == 4
    assert served.dapr.published == messages
    served.dapr.failing = ("3", "1")
    assert await bus.publish_bulk("ticks", messages, content_type="text/plain") == 1
    served.dapr.failing = ("0",)
    with pytest.raises(UnavailableError, match="broker is full"):
        await bus.publish_bulk("ticks", messages, content_type="text/plain")


async def test_state_is_written_read_and_deleted(bus: DaprBus) -> None:
    assert await bus.get_state("k") is None
    await bus.save_state("k", b"1")
    entry = await bus.get_state("k")
    assert entry is not None
    assert (entry.value, bool(entry.etag)) == (b"1", True)
    await bus.delete_state("k")
    await bus.delete_state("k")
    assert await bus.get_state("k") is None


async def test_an_empty_value_is_a_value(bus: DaprBus) -> None:
    await bus.save_state("k", b"")
    assert (await bus.get_state("k")).value == b""


async def test_create_fails_where_a_value_is(bus: DaprBus) -> None:
    await bus.save_state("k", b"1", create=True)
    with pytest.raises(ConflictError):
        await bus.save_state("k", b"2", create=True)
    assert (await bus.get_state("k")).value == b"1"


async def test_create_fails_so_where_the_store_does_not_know_why(served: Served, bus: DaprBus) -> None:
    served.dapr.found_status = grpc.StatusCode.INTERNAL  # as Redis
    await bus.save_state("k", b"1", create=True)
    with pytest.raises(ConflictError):
        await bus.save_state("k", b"2", create=True)


async def test_create_in_a_store_that_is_down_is_no_conflict(served: Served, bus: DaprBus) -> None:
    served.dapr.refuse = (grpc.StatusCode.INTERNAL, "connection refused")
    with pytest.raises(UnavailableError):
        await bus.save_state("k", b"1", create=True)


async def test_a_stale_etag_fails(bus: DaprBus) -> None:
    await bus.save_state("k", b"1")
    old = (await bus.get_state("k")).etag
    await bus.save_state("k", b"2", etag=old)
    with pytest.raises(ConflictError):
        await bus.save_state("k", b"3", etag=old)
    with pytest.raises(ConflictError):
        await bus.delete_state("k", etag=old)
    assert (await bus.get_state("k")).value == b"2"


async def test_create_and_etag_exclude_each_other(bus: DaprBus) -> None:
    with pytest.raises(InvalidInputError, match="exclude each other"):
        await bus.save_state("k", b"", etag="1", create=True)


async def test_a_time_to_live_is_handed_on(served: Served, bus: DaprBus) -> None:
    await bus.save_state("k", b"", ttl_seconds=30)
    assert dict(served.dapr.saved[0].metadata) == {"ttlInSeconds": "30"}


async def test_secrets(bus: DaprBus) -> None:
    assert await bus.get_secret("alpaca") == {"key": "k", "hosts": "*.alpaca.markets"}
    for name in ("nothing", "empty"):
        with pytest.raises(NotFoundError, match=f"no secret '{name}' in store 'secretstore'") as caught:
            await bus.get_secret(name)
        assert f"VIRTUFIN_SECRET_{name.upper()}_<ENTRY>" in caught.value.hint


async def test_close_ends_every_subscription_and_refuses_later_calls(served: Served) -> None:
    bus = DaprBus(target=served.target, app_id="tests")
    subscriptions = [await bus.subscribe(topic) for topic in ("a", "b")]
    await bus.close()
    for subscription in subscriptions:
        assert [delivery async for delivery in subscription] == []
    with pytest.raises(PreconditionError, match="closed"):
        await bus.get_state("k")
    await bus.close()


@pytest.mark.parametrize(
    ("endpoint", "parsed"),
    [
        ("127.0.0.1:50001", ("127.0.0.1:50001", False)),
        ("[::1]:50001", ("[::1]:50001", False)),
        ("dapr.example.com:443?tls=true", ("dapr.example.com:443", True)),
        ("https://dapr.example.com:443/", ("dapr.example.com:443", True)),
        ("http://localhost:50001", ("localhost:50001", False)),
        ("dns:localhost:50001", ("dns:localhost:50001", False)),
        ("unix:///tmp/dapr.socket", ("unix:///tmp/dapr.socket", False)),
    ],
)
def test_reads_every_spelling_of_an_endpoint(endpoint: str, parsed: tuple[str, bool]) -> None:
    assert parse_target(endpoint) == parsed


@pytest.mark.parametrize(
    "endpoint", ["", "localhost", ":50001", "localhost:port", "a:1?tls=maybe", "a:1?x=1"]
)
def test_refuses_what_is_no_endpoint(endpoint: str) -> None:
    with pytest.raises(InvalidInputError, match="Dapr endpoint"):
        DaprBus(target=endpoint, app_id="tests")


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_back_off_is_jittered_and_capped(attempt: int, chance: float) -> None:
    wait = backoff_seconds(attempt, chance)
    assert backoff_seconds(attempt, 0) <= wait <= BACKOFF_LIMIT_SECONDS
    assert wait >= 0.05


async def test_inbox_waits_for_room_and_lets_one_large_entry_through() -> None:
    inbox: Inbox[int] = Inbox(1000)
    await inbox.put(1, 50_000)
    second = asyncio.create_task(inbox.put(2, 1))
    await asyncio.sleep(0)
    assert not second.done()
    assert await inbox.get() == 1
    await second
    assert await inbox.get() == 2
    inbox.close()
    await inbox.put(3, 1)
    assert await inbox.get() is None
