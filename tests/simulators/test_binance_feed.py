"""A Binance feed end to end: simulator, connector, core; books that survive a drop and a shutdown."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.websocketmanager.platform import running_platform
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples.books import Book, Outcome, State
from virtufin_examples.frames import decode_batch
from virtufin_examples.simulators import BinanceSimulator
from virtufin_examples.venues.binance import (
    DepthUpdate,
    diff_of,
    read_event,
    read_snapshot,
    subscribe_message,
)


class Feed:
    """A published feed with the books of what it carries."""

    def __init__(self, simulator, address, platform, topic):
        self.platform, self.topic = platform, topic
        self.rest = httpx.AsyncClient(base_url=f"http://{address}")
        self.control = httpx.AsyncClient(base_url=f"http://{simulator.control_address}")
        self.books = {symbol: Book(symbol) for symbol in ("BTCUSDT", "ETHUSDT")}
        self.epochs, self.outcomes = set(), set()

    async def read(self, enough):
        async with asyncio.timeout(20):
            while not enough():
                event = await self.topic.next()
                for frame in decode_batch("books", event.data) if event.type.endswith(".batch") else ():
                    self.epochs.add(frame.epoch)
                    await self.take(read_event(frame.data).message)

    async def take(self, message):
        if not isinstance(message, DepthUpdate):
            return
        book = self.books[message.s]
        self.outcomes.add(book.apply(diff_of(message)))
        if book.needs_snapshot:
            book.take_snapshot(
                read_snapshot((await self.rest.get("/api/v3/depth", params={"symbol": message.s})).content)
            )

    def true(self):
        return all(book.state is State.TRUE for book in self.books.values())

    async def status(self):
        (listed,) = (await self.platform.stub.List(pb.ListConnectionsRequest())).connections
        return listed


@asynccontextmanager
async def running_feed():
    simulator = BinanceSimulator(rate=200.0)
    address = await simulator.start()
    try:
        async with running_platform() as platform:
            topic = await platform.listen("books")
            url = f"ws://{address}/stream?streams=btcusdt@depth@100ms"
            answer = await platform.stub.Connect(
                pb.ConnectRequest(url=url, auto_reconnect=True, connector="binance")
            )
            message = subscribe_message(["ethusdt@depth@100ms"], 1)
            await platform.stub.SendRaw(
                pb.SendRawRequest(id=answer.id, message=message, content_type="application/json")
            )
            await platform.stub.StartPublish(
                pb.StartPublishRequest(id=answer.id, topic="books", encoding="batch")
            )
            feed = Feed(simulator, address, platform, topic)
            try:
                yield feed
            finally:
                await feed.rest.aclose()
                await feed.control.aclose()
    finally:
        await simulator.stop()


@pytest.mark.parametrize("event", ["drop", "shutdown"])
async def test_books_come_back_on_a_new_socket_with_all_streams(event):
    async with running_feed() as feed:
        await feed.read(feed.true)
        assert (await feed.control.post(f"/control/{event}")).status_code == 200
        await feed.read(lambda: 2 in feed.epochs and feed.true())
        for book in feed.books.values():
            before = book.last_id
            await feed.read(lambda book=book, before=before: feed.true() and book.last_id > before)
        listed = await feed.status()
        assert (listed.status, listed.simulated) == ("connected", True)


async def test_a_skipped_event_makes_the_book_untrue_until_it_has_a_new_snapshot():
    async with running_feed() as feed:
        await feed.read(feed.true)
        await feed.control.post("/control/faults", json={"faults": [{"kind": "skip"}]})
        await feed.read(lambda: Outcome.GAP in feed.outcomes)
        await feed.read(feed.true)
