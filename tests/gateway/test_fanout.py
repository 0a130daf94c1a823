"""Broadcast inside the gateway, on a bus that the test holds in its hand."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from virtufin_examples.bus import Ack, Event
from virtufin_examples.errors import NotFoundError, ResourceLimitError, UnavailableError
from virtufin_examples.gateway._fanout import ENTRY_OVERHEAD_BYTES, Fanout
from virtufin_examples.gateway._metrics import GatewayMetrics


class HeldDelivery:
    def __init__(self, event: Event) -> None:
        self.event = event
        self.answered: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()

    async def answer(self, ack: Ack) -> None:
        self.answered.set_result(ack)


class HeldSubscription:
    breaks = 0

    def __init__(self) -> None:
        self.queue: asyncio.Queue[object] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def __aiter__(self):
        while (item := await self.queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    async def close(self) -> None:
        self.closed.set()
        self.queue.put_nowait(None)


class HeldBus:
    """Only what Fanout uses of a bus."""

    def __init__(self) -> None:
        self.subscriptions: list[HeldSubscription] = []
        self.refuse: Exception | None = None

    async def subscribe(self, topic: str) -> HeldSubscription:
        await asyncio.sleep(0)
        if self.refuse is not None:
            raise self.refuse
        self.subscriptions.append(HeldSubscription())
        return self.subscriptions[-1]

    def send(self, data: bytes = b"x") -> HeldDelivery:
        delivery = HeldDelivery(Event("1", "ticks", data, "text/plain", "t", "s"))
        self.subscriptions[-1].queue.put_nowait(delivery)
        return delivery


@pytest.fixture
def bus() -> HeldBus:
    return HeldBus()


def fanout_on(bus: HeldBus, *, room_for: int = 3) -> Fanout:
    return Fanout(bus, GatewayMetrics(CollectorRegistry()), queue_bytes=room_for * (ENTRY_OVERHEAD_BYTES + 1))


async def test_every_caller_gets_every_event_over_one_subscription(bus: HeldBus) -> None:
    fanout = fanout_on(bus)
    callers = await asyncio.gather(*(fanout.join("ticks") for _ in range(5)))
    assert len(bus.subscriptions) == 1
    firsts = [await anext(caller) for caller in callers]
    assert all(not first.HasField("cloudevent") for first in firsts)
    assert len({first.subscription_id for first in firsts}) == 5
    delivery = bus.send(b"hello")
    assert await delivery.answered is Ack.SUCCESS
    assert [(await anext(caller)).cloudevent.text_data for caller in callers] == ["hello"] * 5
    await fanout.close()


async def test_a_slow_caller_is_cut_and_the_others_go_on(bus: HeldBus) -> None:
    fanout = fanout_on(bus)
    slow, quick = await fanout.join("ticks"), await fanout.join("ticks")
    await anext(quick)
    for _ in range(6):
        await bus.send().answered
        assert (await anext(quick)).cloudevent.text_data == "x"
    with pytest.raises(ResourceLimitError, match="reads too slowly"):
        await anext(slow)
    assert not bus.subscriptions[0].closed.is_set()
    await fanout.close()


async def test_one_event_larger_than_the_queue_passes(bus: HeldBus) -> None:
    fanout = fanout_on(bus, room_for=1)
    caller = await fanout.join("ticks")
    await anext(caller)
    await bus.send(b"x" * 100_000).answered
    assert len((await anext(caller)).cloudevent.text_data) == 100_000
    await fanout.close()


async def test_the_last_to_leave_closes_the_subscription_and_the_next_opens_another(bus: HeldBus) -> None:
    fanout = fanout_on(bus)
    first, second = await fanout.join("ticks"), await fanout.join("ticks")
    fanout.leave(first)
    fanout.leave(first)
    await asyncio.sleep(0)
    assert not bus.subscriptions[0].closed.is_set()
    fanout.leave(second)
    await bus.subscriptions[0].closed.wait()
    third = await fanout.join("ticks")
    assert len(bus.subscriptions) == 2
    await anext(third)
    bus.send(b"again")
    assert (await anext(third)).cloudevent.text_data == "again"
    await fanout.close()


async def test_who_joins_while_the_last_one_leaves_still_gets_events(bus: HeldBus) -> None:
    fanout = fanout_on(bus)
    first = await fanout.join("ticks")
    fanout.leave(first)
    second = await fanout.join("ticks")
    await anext(second)
    bus.send(b"here")
    assert (await anext(second)).cloudevent.text_data == "here"
    await fanout.close()


async def test_a_refused_subscription_is_the_callers_error_and_leaves_nothing(bus: HeldBus) -> None:
    fanout = fanout_on(bus)
    bus.refuse = UnavailableError("no broker")
    with pytest.raises(UnavailableError, match="no broker"):
        await fanout.join("ticks")
    bus.refuse = None
    await anext(await fanout.join("ticks"))
    await fanout.close()


async def test_a_caller_that_gives_up_waiting_leaves_nothing(bus: HeldBus) -> None:
    fanout = fanout_on(bus)
    joining = asyncio.create_task(fanout.join("ticks"))
    await asyncio.sleep(0)
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    await fanout.close()
    assert all(subscription.closed.is_set() for subscription in bus.subscriptions)


@pytest.mark.parametrize("end", [None, RuntimeError("boom")])
async def test_the_end_of_the_bus_is_told_and_the_next_caller_subscribes_anew(bus: HeldBus, end) -> None:
    fanout = fanout_on(bus)
    caller = await fanout.join("ticks")
    await anext(caller)
    bus.subscriptions[0].queue.put_nowait(end)
    with pytest.raises(UnavailableError, match="topic ticks: "):
        await anext(caller)
    await anext(await fanout.join("ticks"))
    assert len(bus.subscriptions) == 2
    await fanout.close()


async def test_a_stream_can_be_ended_by_its_id_once(bus: HeldBus) -> None:
    fanout = fanout_on(bus)
    caller = await fanout.join("ticks")
    first = await anext(caller)
    fanout.end(first.subscription_id)
    assert [message async for message in caller] == []
    with pytest.raises(NotFoundError, match="no such subscription"):
        fanout.end(first.subscription_id)
    await bus.subscriptions[0].closed.wait()
    await fanout.close()


async def test_a_stopping_gateway_says_so_and_takes_no_callers(bus: HeldBus) -> None:
    fanout = fanout_on(bus)
    caller = await fanout.join("ticks")
    await anext(caller)
    await fanout.close()
    with pytest.raises(UnavailableError, match="stopping"):
        await anext(caller)
    with pytest.raises(UnavailableError, match="stopping"):
        await fanout.join("ticks")
    assert bus.subscriptions[0].closed.is_set()
