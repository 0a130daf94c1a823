"""`DaprBus` against the embedded runtime: both ends of the contract that are ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.bus.embedded.conftest import runtime_process
from virtufin_examples.bus import CLOUDEVENT_JSON, Ack
from virtufin_examples.bus._joined import MOST_BYTES
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.bus.embedded import EmbeddedRuntime, _pubsub
from virtufin_examples.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    ResourceLimitError,
)

TOKEN = "a-token-of-the-test"


@pytest.fixture
async def target() -> AsyncIterator[str]:
    runtime = EmbeddedRuntime(secrets={"alpaca": {"key": "k", "hosts": "*.alpaca.markets"}}, api_token=TOKEN)
    yield (await runtime.start()).grpc
    await runtime.stop()


def bus_of(target: str, app_id: str = "one", **options) -> DaprBus:
    return DaprBus(target=target, app_id=app_id, api_token=TOKEN, **options)


@pytest.fixture(params=["grpc", "lane"])
async def bus(request: pytest.FixtureRequest, target: str) -> AsyncIterator[DaprBus]:
    """A bus that has not asked what is there, which takes gRPC, and one that has, which takes the lane."""
    bus = bus_of(target)
    if request.param == "lane":
        assert (await bus.sidecar()).lane is not None
    yield bus
    await bus.close()


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("text/plain", '{"p":1.10,"n":9007199254740993} é\x00'.encode()),
        ("application/octet-stream", bytes(range(256))),
        ("application/octet-stream;schema=virtufin.v1.FrameBatch", b"\xff\x00"),
    ],
)
async def test_bytes_arrive_as_published(bus: DaprBus, content_type: str, data: bytes) -> None:
    subscription = await bus.subscribe("ticks")
    await bus.publish("ticks", data, content_type=content_type, metadata={"cloudevent.type": "a.type"})
    delivery = await anext(aiter(subscription))
    await delivery.answer(Ack.SUCCESS)
    event = delivery.event
    assert (event.data, event.content_type, event.type, event.topic) == (
        data,
        content_type,
        "a.type",
        "ticks",
    )


async def test_a_structured_event_keeps_its_attributes(bus: DaprBus) -> None:
    subscription = await bus.subscribe("ticks")
    body = (
        b'{"specversion":"1.0","type":"t","source":"s","id":"c-1","datacontenttype":"text/plain",'
        b'"connectionid":"c","sequence":"1732108308123456789","data":"x"}'
    )
    await bus.publish("ticks", body, content_type=CLOUDEVENT_JSON)
    event = (await anext(aiter(subscription))).event
    assert (event.id, event.type, event.source, event.data) == ("c-1", "t", "s", b"x")
    assert event.extensions["connectionid"] == "c"
    assert event.extensions["sequence"] == "1732108308123456789"


async def test_an_event_to_try_again_comes_again(bus: DaprBus) -> None:
    subscription = await bus.subscribe("commands")
    await bus.publish("commands", b"1", content_type="text/plain")
    reader = aiter(subscription)
    await (await anext(reader)).answer(Ack.RETRY)
    again = await anext(reader)
    assert again.event.data == b"1"
    await again.answer(Ack.SUCCESS)


async def test_a_dropped_event_goes_to_the_dead_letter_topic(bus: DaprBus) -> None:
    dead = aiter(await bus.subscribe("commands-dead"))
    subscription = await bus.subscribe("commands", dead_letter_topic="commands-dead")
    await bus.publish("commands", b"1", content_type="text/plain")
    await (await anext(aiter(subscription))).answer(Ack.DROP)
    assert (await anext(dead)).event.data == b"1"


async def test_app_ids_each_get_an_event_and_readers_of_one_share_them(target: str, bus: DaprBus) -> None:
    other = bus_of(target, "other")
    here, there = aiter(await bus.subscribe("ticks")), aiter(await other.subscribe("ticks"))
    await bus.publish("ticks", b"1", content_type="text/plain")
    assert (await anext(here)).event.data == (await anext(there)).event.data == b"1"
    await other.close()


async def test_many_deliveries_are_in_flight_in_order(bus: DaprBus) -> None:
    reader = aiter(await bus.subscribe("ticks"))
    for number in range(20):
        await bus.publish("ticks", b"%d" % number, content_type="text/plain")
    deliveries = [await anext(reader) for _ in range(20)]
    assert [delivery.event.data for delivery in deliveries] == [b"%d" % number for number in range(20)]
    await asyncio.gather(*(delivery.answer(Ack.SUCCESS) for delivery in deliveries))


async def test_what_is_published_together_arrives_in_order_and_together(bus: DaprBus) -> None:
    await bus.sidecar()
    assert bus.keeps_bulk_order
    subscription = await bus.subscribe("ticks")
    bodies = [
        b'{"specversion":"1.0","type":"t","source":"s","id":"%d","data":"%d"}' % (number, number)
        for number in range(300)
    ]
    assert await bus.publish_bulk("ticks", bodies, content_type=CLOUDEVENT_JSON) == 300
    ids, lists = [], 0
    async for deliveries in subscription.together():
        lists += 1
        for delivery in deliveries:
            ids.append(delivery.event.id)
            await delivery.answer(Ack.SUCCESS)
        if len(ids) == 300:
            break
    assert ids == [str(number) for number in range(300)]
    assert lists <= 3


async def test_each_of_those_that_came_together_has_its_own_answer(bus: DaprBus) -> None:
    dead = aiter(await bus.subscribe("dead"))
    subscription = await bus.subscribe("ticks", dead_letter_topic="dead")
    await bus.publish_bulk("ticks", [b"%d" % number for number in range(9)], content_type="text/plain")
    reader = aiter(subscription)
    for number in range(9):
        delivery = await anext(reader)
        assert delivery.event.data == b"%d" % number
        await delivery.answer({3: Ack.RETRY, 5: Ack.DROP}.get(number, Ack.SUCCESS))
    assert (await anext(dead)).event.data == b"5"
    assert (await anext(reader)).event.data == b"3"


async def test_large_messages_are_not_joined_beyond_the_limit(target: str) -> None:
    bus = bus_of(target)
    subscription = await bus.subscribe("ticks")
    await bus.publish_bulk("ticks", [b"x" * 100_000] * 5, content_type="text/plain")
    for size in (1, 15_900_000, 2):
        await bus.publish("ticks", b"x" * size, content_type="text/plain")
    sizes = []
    async for deliveries in subscription.together():
        sizes.append([len(delivery.event.data) for delivery in deliveries])
        for delivery in deliveries:
            await delivery.answer(Ack.SUCCESS)
        if sum(map(len, sizes)) == 8:
            break
    await bus.close()
    assert all(sum(each) <= MOST_BYTES or len(each) == 1 for each in sizes)
    assert [size for each in sizes for size in each] == [100_000] * 5 + [1, 15_900_000, 2]


async def test_a_strict_runtime_delivers_one_at_a_time_as_daprd_does() -> None:
    runtime = EmbeddedRuntime(strict=True)
    bus = DaprBus(target=(await runtime.start()).grpc, app_id="one")
    subscription = await bus.subscribe("ticks")
    publishing = asyncio.create_task(
        bus.publish_bulk("ticks", [b"%d" % number for number in range(5)], content_type="text/plain")
    )
    got = []
    async for deliveries in subscription.together():
        got.append([delivery.event.data for delivery in deliveries])
        await deliveries[0].answer(Ack.SUCCESS)
        if len(got) == 5:
            break
    assert got == [[b"%d" % number] for number in range(5)]
    assert await publishing == 5
    await bus.close()
    await runtime.stop()


async def test_of_a_bulk_call_without_room_for_all_the_first_are_taken(
    bus: DaprBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pubsub, "PUBLISH_WAIT_SECONDS", 0.05)
    subscription = await bus.subscribe("ticks")
    large = [b"x" * 5_000_000] * 3
    assert await bus.publish_bulk("ticks", large, content_type="text/plain") == 3
    assert await bus.publish_bulk("ticks", large, content_type="text/plain") == 3
    assert await bus.publish_bulk("ticks", large, content_type="text/plain") == 1
    with pytest.raises(ResourceLimitError, match="'ticks' is full"):
        await bus.publish_bulk("ticks", large, content_type="text/plain")
    await subscription.close()


async def test_state_is_compared_and_swapped(bus: DaprBus) -> None:
    assert await bus.get_state("k") is None
    await bus.save_state("k", b"1", create=True)
    with pytest.raises(ConflictError, match="save state k"):
        await bus.save_state("k", b"2", create=True)
    entry = await bus.get_state("k")
    assert entry is not None
    await bus.save_state("k", b"3", etag=entry.etag)
    with pytest.raises(ConflictError):
        await bus.save_state("k", b"4", etag=entry.etag)
    with pytest.raises(ConflictError):
        await bus.delete_state("k", etag=entry.etag)
    assert (await bus.get_state("k")).value == b"3"
    await bus.delete_state("k")
    await bus.delete_state("k")
    assert await bus.get_state("k") is None


async def test_an_empty_value_is_a_value(bus: DaprBus) -> None:
    await bus.save_state("k", b"")
    assert (await bus.get_state("k")).value == b""


async def test_one_of_many_writers_wins(bus: DaprBus) -> None:
    results = await asyncio.gather(
        *(bus.save_state("epoch", b"%d" % writer, create=True) for writer in range(8)), return_exceptions=True
    )
    assert sum(result is None for result in results) == 1
    assert all(result is None or isinstance(result, ConflictError) for result in results)


async def test_secrets(bus: DaprBus) -> None:
    assert await bus.get_secret("alpaca") == {"key": "k", "hosts": "*.alpaca.markets"}
    with pytest.raises(NotFoundError, match="no secret 'nothing'"):
        await bus.get_secret("nothing")


async def test_what_is_misnamed_is_refused(target: str) -> None:
    bus = bus_of(target, pubsub_name="nothing", state_store_name="nothing")
    with pytest.raises(InvalidInputError, match="nothing"):
        await bus.publish("ticks", b"", content_type="text/plain")
    with pytest.raises(InvalidInputError, match="nothing"):
        await bus.get_state("k")
    await bus.close()


async def test_a_wrong_token_is_refused_and_never_shown(target: str) -> None:
    bus = DaprBus(target=target, app_id="one", api_token="a-wrong-token")
    for call in (bus.publish("ticks", b"", content_type="text/plain"), bus.subscribe("ticks")):
        with pytest.raises(AccessDeniedError, match="DAPR_API_TOKEN") as caught:
            await call
        assert "a-wrong-token" not in str(caught.value)
        assert TOKEN not in str(caught.value)
    await bus.close()


async def test_a_refusal_keeps_its_reason_however_it_meets_the_first_write() -> None:
    with runtime_process(api_token=TOKEN) as addresses:
        bus = DaprBus(target=addresses.grpc, app_id="one")
        outcomes = await asyncio.gather(*(bus.subscribe("ticks") for _ in range(300)), return_exceptions=True)
        await bus.close()

    assert {type(outcome) for outcome in outcomes} == {AccessDeniedError}
