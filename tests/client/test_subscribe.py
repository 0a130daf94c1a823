"""`subscribe` against the embedded runtime: what is published comes out in order, or is told as missing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent import futures
from contextlib import asynccontextmanager

import grpc
import pytest

from virtufin_examples._generated.virtufin.v1 import (
    config_pb2,
    config_pb2_grpc,
    gateway_pb2,
    gateway_pb2_grpc,
)
from virtufin_examples.bus import CLOUDEVENT_JSON, Event
from virtufin_examples.bus._dapr_stream import DaprStream
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.bus.embedded import EmbeddedRuntime
from virtufin_examples.client import ApiClient, Subscription, _subscription, subscribe, subscribe_blocking
from virtufin_examples.client._sidecar import own_app_id
from virtufin_examples.errors import InvalidInputError, PreconditionError, UnavailableError
from virtufin_examples.frames import (
    BATCH_CONTENT_TYPE,
    BATCH_EVENT_TYPE,
    NOTE_CONTENT_TYPE,
    Cause,
    Frame,
    FrameFlag,
    Gap,
    Heartbeat,
    Item,
    Late,
    Note,
    Silent,
    encode_batch,
    encode_frame_event,
    encode_note,
)

TOPIC = "ticks"
VARIABLES = (
    "DAPR_GRPC_ENDPOINT",
    "DAPR_GRPC_PORT",
    "DAPR_API_TOKEN",
    "VIRTUFIN_API_URL",
    "VIRTUFIN_API_KEY",
    "VIRTUFIN_PUBSUB_NAME",
)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))


@pytest.fixture
async def runtime() -> AsyncIterator[str]:
    runtime = EmbeddedRuntime()
    addresses = await runtime.start()
    yield addresses.grpc
    await runtime.stop()


class Publisher:
    """Publishes as the WebSocketManager does."""

    def __init__(self, bus: DaprBus) -> None:
        self.bus = bus

    async def batch(self, *sequences: int, connection: str = "c", received_ns: int | None = None) -> None:
        frames = [frame(sequence, connection, received_ns) for sequence in sequences]
        await self.bus.publish(
            TOPIC,
            encode_batch(frames, instance="host-1"),
            content_type=BATCH_CONTENT_TYPE,
            metadata={"cloudevent.type": BATCH_EVENT_TYPE},
        )

    async def frame(self, frame: Frame) -> None:
        await self.bus.publish(TOPIC, encode_frame_event(frame), content_type=CLOUDEVENT_JSON)

    async def together(self, *sequences: int) -> None:
        events = [encode_frame_event(frame(sequence)) for sequence in sequences]
        assert await self.bus.publish_bulk(TOPIC, events, content_type=CLOUDEVENT_JSON) == len(events)

    async def note(self, note: Note, topic: str = TOPIC) -> None:
        event_type, data = encode_note(note)
        await self.bus.publish(
            topic, data, content_type=NOTE_CONTENT_TYPE, metadata={"cloudevent.type": event_type}
        )


def frame(sequence: int, connection: str = "c", received_ns: int | None = None) -> Frame:
    return Frame(TOPIC, connection, 1, sequence, received_ns or time.time_ns(), b"frame %d" % sequence)


def announced(sequence: int, first: int, last: int) -> Gap:
    return Gap(
        topic=TOPIC,
        connection_id="c",
        epoch_before=1,
        epoch_after=2,
        cause=Cause.RECONNECT,
        from_ns=1,
        to_ns=2,
        sequence=sequence,
        first_sequence=first,
        last_sequence=last,
    )


@pytest.fixture
async def publisher(runtime: str) -> AsyncIterator[Publisher]:
    bus = DaprBus(target=runtime, app_id="websocketmanager")
    yield Publisher(bus)
    await bus.close()


async def take(items: Subscription, count: int) -> list[Item]:
    return [await anext(items) for _ in range(count)]


def sequences(items: list[Item]) -> list[int]:
    return [item.sequence for item in items if isinstance(item, Frame)]


async def test_a_batch_comes_out_frame_by_frame(runtime: str, publisher: Publisher) -> None:
    async with subscribe(TOPIC, dapr=runtime) as items:
        await publisher.batch(1, 2, 3)
        received = await take(items, 3)
        assert [item.data for item in received] == [b"frame 1", b"frame 2", b"frame 3"]
        assert (items.frames, items.gaps, items.duplicates, items.breaks) == (3, 0, 0, 0)
        assert 0 <= items.lag < 60


async def test_frame_events_come_out_exact(runtime: str, publisher: Publisher) -> None:
    sent = [
        Frame(
            TOPIC,
            "c",
            1,
            1,
            1732108308123456789,
            '{"p":1.10,"n":9007199254740993,"s":"é€"}'.encode(),
            FrameFlag.SIMULATED,
            0,
            "wss://x",
        ),
        Frame(TOPIC, "c", 1, 2, 1732108308123456790, bytes(range(256)), FrameFlag.BINARY),
        Frame(TOPIC, "c", 1, 3, 1732108308123456791, b""),
    ]
    async with subscribe(TOPIC, dapr=runtime) as items:
        for entry in sent:
            await publisher.frame(entry)
        assert await take(items, 3) == sent


async def test_messages_out_of_order_and_repeated_come_out_in_order_once(
    runtime: str, publisher: Publisher
) -> None:
    async with subscribe(TOPIC, dapr=runtime) as items:
        await publisher.batch(1)
        await publisher.batch(3, 4)
        await publisher.batch(3, 4)
        await publisher.batch(2)
        assert sequences(await take(items, 4)) == [1, 2, 3, 4]
        assert items.duplicates == 2


async def test_a_hole_becomes_a_gap_and_what_comes_later_is_late(runtime: str, publisher: Publisher) -> None:
    async with subscribe(TOPIC, dapr=runtime, window_seconds=0.05, late=True) as items:
        await publisher.batch(1)
        await publisher.batch(3)
        first, gap, third = await take(items, 3)
        assert isinstance(gap, Gap)
        assert (gap.cause, gap.first_sequence, gap.last_sequence) == (Cause.BUS, 2, 2)
        assert sequences([first, third]) == [1, 3]
        await publisher.batch(2)
        late = await anext(items)
        assert isinstance(late, Late)
        assert late.frame.sequence == 2
        assert (items.gaps, items.late) == (1, 1)


async def test_a_program_that_is_back_goes_on_where_it_was(runtime: str, publisher: Publisher) -> None:
    async with subscribe(TOPIC, dapr=runtime, window_seconds=0.05, after={"c": 2}) as items:
        await publisher.batch(1, 2)
        await publisher.batch(5)
        gap, fifth = await take(items, 2)
        assert isinstance(gap, Gap)
        assert (gap.first_sequence, gap.last_sequence) == (3, 4)
        assert sequences([fifth]) == [5]
        assert items.duplicates == 2


async def test_its_place_is_that_of_the_item_handed_out_last(runtime: str, publisher: Publisher) -> None:
    async with subscribe(TOPIC, dapr=runtime, window_seconds=0.05, after={"gone": 7}) as items:
        assert items.place == {"gone": 7}
        await publisher.batch(1, 2, 5)
        await publisher.note(announced(9, 6, 8))
        await publisher.batch(10)
        places = []
        for _ in range(6):
            await anext(items)
            places.append(items.place["c"])
        assert places == [1, 2, 4, 5, 9, 10]
        assert items.place == {"gone": 7, "c": 10}


def test_a_number_below_zero_to_go_on_from_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"after: connection c has -1, below 0"):
        subscribe(TOPIC, after={"c": -1})


async def test_companion_markers_take_their_place_among_the_frames(
    runtime: str, publisher: Publisher
) -> None:
    async with subscribe(TOPIC, dapr=runtime) as items:
        await publisher.batch(1)
        await publisher.note(announced(6, 2, 5), f"{TOPIC}.events")
        await publisher.batch(7)
        received = await take(items, 3)
        assert [type(item) for item in received] == [Frame, Gap, Frame]
        assert received[1] == announced(6, 2, 5)
        assert items.gaps == 1


async def test_an_inline_marker_is_read_too(runtime: str, publisher: Publisher) -> None:
    async with subscribe(TOPIC, dapr=runtime) as items:
        await publisher.batch(1)
        await publisher.note(announced(2, 0, 0))
        received = await take(items, 2)
        assert sequences(received) == [1]
        assert received[1] == announced(2, 0, 0)


async def test_batches_come_as_lists(runtime: str, publisher: Publisher) -> None:
    async with subscribe(TOPIC, dapr=runtime) as items:
        await publisher.batch(1, 2, 3)
        batches = items.batches()
        assert sequences(await anext(batches)) == [1, 2, 3]
        await batches.aclose()
        assert items.lag >= 0


async def test_two_subscribers_both_get_every_frame(runtime: str, publisher: Publisher) -> None:
    async with subscribe(TOPIC, dapr=runtime) as one, subscribe(TOPIC, dapr=runtime) as other:
        await publisher.batch(1, 2)
        assert sequences(await take(one, 2)) == sequences(await take(other, 2)) == [1, 2]
        assert one.app_id != other.app_id


async def test_readers_of_one_app_id_are_told_that_they_share(
    runtime: str, publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    async with subscribe(TOPIC, dapr=runtime, app_id="same", window_seconds=0) as items:
        for sequence in range(1, 60, 2):
            await publisher.batch(sequence)
        while items.frames < 30:
            await anext(items)
    assert "does another program read with the same app id" in caplog.text


async def test_of_what_came_together_only_what_iteration_took_is_acknowledged(
    runtime: str, publisher: Publisher
) -> None:
    async with subscribe(TOPIC, dapr=runtime, app_id="mine") as first:
        await publisher.together(*range(1, 11))
        assert sequences(await take(first, 3)) == [1, 2, 3]
        place = first.place
        assert place == {"c": 3}
        second = await subscribe(TOPIC, dapr=runtime, app_id="mine", after=place)
    async with asyncio.timeout(10):
        assert sequences(await take(second, 7)) == [4, 5, 6, 7, 8, 9, 10]
    assert (second.gaps, second.duplicates) == (0, 0)
    await second.close()


async def test_the_lag_is_that_of_the_last_frame_of_those_that_came_together(
    runtime: str, publisher: Publisher
) -> None:
    async with subscribe(TOPIC, dapr=runtime) as items:
        now_ns = time.time_ns()
        old, new = (
            frame(1, received_ns=now_ns - 500_000_000_000),
            frame(2, received_ns=now_ns - 20_000_000_000),
        )
        events = [encode_frame_event(old), encode_frame_event(new)]
        await publisher.bus.publish_bulk(TOPIC, events, content_type=CLOUDEVENT_JSON)
        await anext(items)
        assert items.lag >= 500
        await anext(items)
        assert 20 <= items.lag < 500
        assert items.topics[TOPIC].lag == items.lag


async def test_a_subscription_that_kafka_ended_with_an_earlier_one_is_opened_anew(
    runtime: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: list[DaprStream] = []
    next_events = DaprStream.next_events

    async def mute_at_first(stream: DaprStream) -> list[Event] | None:
        if stream not in streams:
            streams.append(stream)
        events = await next_events(stream)
        while events is not None and stream in streams[:2]:
            events = await next_events(stream)
        return events

    monkeypatch.setattr(DaprStream, "next_events", mute_at_first)
    monkeypatch.setattr(_subscription, "_MUTE", {"pubsub.in-memory"})
    async with asyncio.timeout(15), subscribe(TOPIC, dapr=runtime, silent_seconds=0.1) as items:
        assert isinstance(await anext(items), Silent)
        for sequence in itertools.count(1):
            await publisher.batch(sequence)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    while not isinstance(item := await anext(items), Frame):
                        pass
                assert item.sequence == sequence
                return


async def test_a_foreign_message_is_counted_and_reported_once(
    runtime: str, publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    async with subscribe(TOPIC, dapr=runtime) as items:
        for _ in range(3):
            await publisher.bus.publish(TOPIC, b"{}", content_type="application/json")
        await publisher.batch(1)
        assert sequences(await take(items, 1)) == [1]
        assert items.foreign == 3
    assert caplog.text.count("left out, and not told again") == 1


async def test_a_cancelled_reader_loses_nothing(runtime: str, publisher: Publisher) -> None:
    async with subscribe(TOPIC, dapr=runtime) as items:
        reader = asyncio.create_task(anext(items))
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await publisher.batch(1, 2)
        assert sequences(await take(items, 2)) == [1, 2]


async def test_close_ends_a_waiting_iteration(runtime: str) -> None:
    items = await subscribe(TOPIC, dapr=runtime)

    async def read() -> list[Item]:
        return [item async for item in items]

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    await items.close()
    assert await reader == []
    await items.close()


async def test_what_one_reader_did_not_take_goes_to_the_next(runtime: str, publisher: Publisher) -> None:
    async with subscribe(TOPIC, dapr=runtime, app_id="same") as first:
        await publisher.batch(1)
        async with subscribe(TOPIC, dapr=runtime, app_id="same") as second:
            await first.close()
            assert sequences(await take(second, 1)) == [1]


async def test_heals_when_the_runtime_restarts(publisher: Publisher) -> None:
    first = EmbeddedRuntime()
    address = (await first.start()).grpc
    async with subscribe(TOPIC, dapr=address) as items:
        await publish(address, 1)
        assert sequences(await take(items, 1)) == [1]
        await first.stop()
        second = EmbeddedRuntime(grpc_port=int(address.rpartition(":")[2]))
        await second.start()
        try:
            sending = asyncio.create_task(keep_publishing(address, 2))
            assert sequences(await take(items, 1)) == [2]
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            assert 1 <= items.breaks <= 2  # the topic's stream and its companion's
        finally:
            await second.stop()


async def publish(address: str, *numbers: int) -> None:
    bus = DaprBus(target=address, app_id="websocketmanager")
    await Publisher(bus).batch(*numbers)
    await bus.close()


async def keep_publishing(address: str, sequence: int) -> None:
    """Publish the same frame until it is seen: a subscription that comes back starts at now."""
    while True:
        await publish(address, sequence)


async def test_a_handler_that_raises_is_reported_and_the_next_item_follows(
    runtime: str, publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []
    async with subscribe(TOPIC, dapr=runtime) as items:

        async def handler(item: Item) -> None:
            assert isinstance(item, Frame)
            seen.append(item.sequence)
            if item.sequence == 1:
                raise ValueError("in the handler")
            if item.sequence == 3:
                await items.close()

        await publisher.batch(1, 2, 3)
        await items.run(handler)
    assert seen == [1, 2, 3]
    assert "in the handler" in caplog.text
    assert any(record.levelno == logging.ERROR for record in caplog.records)


async def test_a_plain_function_is_a_handler_too(runtime: str, publisher: Publisher) -> None:
    seen: asyncio.Queue[Item] = asyncio.Queue()
    async with subscribe(TOPIC, dapr=runtime) as items:
        running = asyncio.create_task(items.run(seen.put_nowait))
        await publisher.batch(1, 2)
        assert sequences([await seen.get(), await seen.get()]) == [1, 2]
        await items.close()
        await running


async def test_silence_is_told_in_unix_time(runtime: str, publisher: Publisher) -> None:
    async with subscribe(TOPIC, dapr=runtime, silent_seconds=0.05) as items:
        await publisher.note(Heartbeat(topic=TOPIC, kind="start", sent_ns=1), f"{TOPIC}.events")
        silent = await anext(items)
        assert isinstance(silent, Silent)
        assert abs(silent.since_ns - time.time_ns()) < 20 * 10**9


async def test_silence_without_any_heartbeat_names_the_topics_that_have_one(runtime: str) -> None:
    async with (
        gateway(runtime) as address,
        ApiClient(address) as api,
        subscribe("tikcs", dapr=runtime, api=api, silent_seconds=0.05) as items,
    ):
        silent = await anext(items)
    assert isinstance(silent, Silent)
    assert silent.hint == "topics with a publisher: other, ticks"


async def test_silence_without_a_gateway_says_how_to_be_told(runtime: str) -> None:
    async with subscribe(TOPIC, dapr=runtime, silent_seconds=0.05) as items:
        silent = await anext(items)
    assert isinstance(silent, Silent)
    assert "VIRTUFIN_API_URL" in silent.hint


class Config(config_pb2_grpc.ConfigServicer):
    def __init__(self, dapr: str) -> None:
        self.dapr = dapr

    async def GetService(self, request, context):  # noqa: N802
        service = config_pb2.ConfigService(name=request.name)
        service.dapr.grpc_endpoint = self.dapr
        return config_pb2.GetConfigServiceResponse(service=service)


class Gateway(gateway_pb2_grpc.GatewayServicer):
    async def ListServices(self, request, context):  # noqa: N802
        return gateway_pb2.ListServicesResponse(services=["websocketmanager"])

    async def InvokeJson(self, request, context):  # noqa: N802
        assert (request.service, request.method) == ("websocketmanager", "List")
        connections = '{"connections":[{"topic":"ticks"},{"topic":"other"},{"topic":"ticks"},{"id":"idle"}]}'
        return gateway_pb2.InvokeJsonResponse(success=True, status="OK", response_data=connections)


@asynccontextmanager
async def gateway(dapr: str) -> AsyncIterator[str]:
    server = grpc.aio.server()
    config_pb2_grpc.add_ConfigServicer_to_server(Config(dapr), server)
    gateway_pb2_grpc.add_GatewayServicer_to_server(Gateway(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def test_finds_dapr_by_its_endpoint_before_its_port(
    runtime: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAPR_GRPC_PORT", "1")
    monkeypatch.setenv("DAPR_GRPC_ENDPOINT", runtime)
    async with subscribe(TOPIC) as items:
        await publisher.batch(1)
        assert sequences(await take(items, 1)) == [1]


async def test_finds_dapr_by_its_port(
    runtime: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAPR_GRPC_PORT", runtime.rpartition(":")[2])
    async with subscribe(TOPIC) as items:
        await publisher.batch(1)
        assert sequences(await take(items, 1)) == [1]


async def test_finds_dapr_by_the_gateway(
    runtime: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway(runtime) as address:
        monkeypatch.setenv("VIRTUFIN_API_URL", f"http://{address}")
        async with subscribe(TOPIC) as items:
            await publisher.batch(1)
            assert sequences(await take(items, 1)) == [1]
        async with subscribe(TOPIC, api=address) as items:
            await publisher.batch(2)
            assert sequences(await take(items, 1)) == [2]


async def test_a_gateway_that_names_no_dapr_is_an_error_that_says_what_to_set() -> None:
    async with gateway("") as address:
        with pytest.raises(UnavailableError, match=r"names none for websocketmanager.*DAPR_GRPC_ENDPOINT"):
            await subscribe(TOPIC, api=address)


async def test_no_gateway_and_no_dapr_is_an_error_that_says_what_to_set(unused_tcp_port: int) -> None:
    with pytest.raises(
        UnavailableError, match=r"no Dapr to subscribe at.*DAPR_GRPC_ENDPOINT.*VIRTUFIN_API_URL"
    ):
        await subscribe(TOPIC, api=f"127.0.0.1:{unused_tcp_port}")


async def test_a_dapr_that_is_not_there_is_an_error(unused_tcp_port: int) -> None:
    with pytest.raises(UnavailableError, match=f"Dapr at 127.0.0.1:{unused_tcp_port}"):
        await subscribe(TOPIC, dapr=f"127.0.0.1:{unused_tcp_port}")


@pytest.mark.parametrize("name", ["window_seconds", "silent_seconds"])
def test_a_negative_time_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} is -1"):
        subscribe(TOPIC, **{name: -1})


def test_a_bad_port_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAPR_GRPC_PORT", "many")
    with pytest.raises(InvalidInputError, match="DAPR_GRPC_PORT"):
        subscribe(TOPIC)


def test_app_ids_name_the_program_and_never_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/my scripts/my reader.py"])
    one, other = own_app_id(), own_app_id()
    assert one.startswith("my-reader-")
    assert one != other
    monkeypatch.setattr(sys, "argv", [""])
    assert own_app_id().startswith("python-")


CHILD = """
import asyncio, sys, time
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.bus.embedded import EmbeddedRuntime
from virtufin_examples.frames import BATCH_CONTENT_TYPE, BATCH_EVENT_TYPE, Frame, encode_batch

async def main():
    runtime = EmbeddedRuntime()
    address = (await runtime.start()).grpc
    bus = DaprBus(target=address, app_id="websocketmanager")
    print(address, flush=True)
    while line := (await asyncio.to_thread(sys.stdin.readline)).split():
        frames = [Frame("ticks", "c", 1, int(number), time.time_ns(), b"x") for number in line]
        await bus.publish(
            "ticks",
            encode_batch(frames, instance="i"),
            content_type=BATCH_CONTENT_TYPE,
            metadata={"cloudevent.type": BATCH_EVENT_TYPE},
        )
    await bus.close()
    await runtime.stop()

asyncio.run(main())
"""


class Child:
    """A runtime in a process of its own that publishes the numbers written to it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.address = process.stdout.readline().strip()

    def publish(self, *numbers: int) -> None:
        self.process.stdin.write(" ".join(map(str, numbers)) + "\n")
        self.process.stdin.flush()


@pytest.fixture
def child() -> Iterator[Child]:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Child(process)
        process.stdin.close()
        assert process.wait(20) == 0


def test_the_blocking_form_is_a_plain_iterator(child: Child) -> None:
    with subscribe_blocking(TOPIC, dapr=child.address) as items:
        child.publish(1, 2, 3)
        child.publish(4)
        assert [item.sequence for item in itertools.islice(items, 4)] == [1, 2, 3, 4]
        assert items.subscription.frames == 4
    assert list(items) == []
    assert "virtufin-subscription" not in {thread.name for thread in threading.enumerate()}


def test_the_blocking_form_starts_with_the_first_item(child: Child) -> None:
    items = subscribe_blocking(TOPIC, dapr=child.address)
    with pytest.raises(PreconditionError, match="has not started"):
        _ = items.subscription
    with futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(next, items)
        items._started.result(20)
        child.publish(7)
        assert first.result().sequence == 7
    items.close()


def test_closing_from_another_thread_ends_the_blocking_iteration(child: Child) -> None:
    items = subscribe_blocking(TOPIC, dapr=child.address)
    with items, futures.ThreadPoolExecutor(1) as pool:
        reading = pool.submit(list, items)
        child.publish(1)
        items.close()
        assert all(isinstance(item, Frame) for item in reading.result())


def test_the_blocking_form_raises_what_subscribing_raises(unused_tcp_port: int) -> None:
    items = subscribe_blocking(TOPIC, dapr=f"127.0.0.1:{unused_tcp_port}")
    with pytest.raises(UnavailableError, match="Dapr at 127"):
        next(items)
    items.close()
