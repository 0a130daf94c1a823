"""What a subscriber is told of, within 10 s: a publisher that died, a lost last message, a wrong topic.

Real processes: a WebSocketManager on an embedded runtime; the venue is a socket of the test.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from tests.connections.raw_peer import TEXT, RawServer, frame
from tests.faults.machine import Venue, opened
from tests.faults.plan import Fault, Kind
from tests.faults.proxy import FaultProxy
from virtufin_examples.client import Frame, Gap, Silent, subscribe

REPORTED_SECONDS = 10
PLAIN = Venue("generic", "", "", (), ())


async def first_of(subscription, kind, seconds=REPORTED_SECONDS):
    """Return the first item of a kind; fail when it takes longer."""
    async with asyncio.timeout(seconds):
        while not isinstance(item := await anext(subscription), kind):
            pass
    return item


@asynccontextmanager
async def quiet_feed(machine, topic):
    """A feed whose venue says what the test says; yields the WebSocketManager and the venue's socket."""
    async with RawServer() as server:
        program, address = await machine.start_manager(machine.dapr)
        async with opened(address, server.url, PLAIN, topic, "batch"):
            yield program, await server.accept()
        await asyncio.to_thread(finish, program)


def finish(program):
    program.process.stdin.close()
    program.end()


async def test_a_websocketmanager_that_is_killed(machine):
    async with (
        subscribe("killed", dapr=machine.dapr) as subscription,
        quiet_feed(machine, "killed") as (program, peer),
    ):
        await peer.send(frame(TEXT, b"one"))
        await first_of(subscription, Frame)
        await asyncio.to_thread(program.process.kill)
        assert (await first_of(subscription, Silent)).topic == "killed"


async def test_a_last_message_that_the_bus_lost(machine):
    async with (
        FaultProxy(machine.dapr, seed=1) as proxy,
        quiet_feed(machine, "lossy") as (_, peer),
        subscribe("lossy", dapr=proxy.address) as subscription,
    ):
        await peer.send(frame(TEXT, b"one"))
        assert (await first_of(subscription, Frame)).text == "one"
        await proxy.strike(Fault(Kind.RESET, 0, 0.5))  # the bus keeps nothing for a reader that is away
        await peer.send(frame(TEXT, b"last"))
        gap = await first_of(subscription, Gap)
        assert (gap.first_sequence, gap.last_sequence) == (2, 2)


async def test_a_topic_that_nobody_publishes_on(machine):
    async with quiet_feed(machine, "right"), subscribe("wrong", dapr=machine.dapr) as subscription:
        assert (await first_of(subscription, Silent)).topic == "wrong"
