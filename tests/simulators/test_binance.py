"""The Binance simulator on real sockets: protocol, limits, bans, the day, faults."""

import asyncio
import contextlib
import dataclasses
import json

import httpx
import pytest
import websockets
import websockets.asyncio.client

from tests.books.naive import levels_of
from virtufin_examples.audit import VenueAccount, content_digest
from virtufin_examples.books import Book, Diff, State
from virtufin_examples.errors import InvalidInputError, UnavailableError
from virtufin_examples.simulators import SIMULATED_HEADER, BinanceSimulator, parse_recording
from virtufin_examples.venues.binance import (
    LIMITS,
    BinanceConnector,
    DepthUpdate,
    Market,
    diff_of,
    encode,
    list_message,
    peek,
    read_event,
    read_snapshot,
    rule_of,
    snapshot_url,
    subscribe_message,
    unsubscribe_message,
)


class Running:
    def __init__(self, simulator, address):
        self.simulator = simulator
        self.address = address
        self.control = httpx.AsyncClient(base_url=f"http://{simulator.control_address}")
        self.rest = httpx.AsyncClient(base_url=f"http://{address}")

    @contextlib.asynccontextmanager
    async def connect(self, path, **options):
        url = f"ws://{self.address}{path}"
        options = {"compression": None, "max_queue": None, **options}
        async with websockets.asyncio.client.connect(url, **options) as ws:
            yield Client(ws)

    async def post(self, path, **arguments):
        response = await self.control.post(f"/control/{path}", **arguments)
        assert response.status_code == 200, response.text
        return response.json()


class Client:
    def __init__(self, ws):
        self.ws = ws

    async def frame(self):
        return (await self.ws.recv()).encode()

    async def event(self):
        return read_event(await self.frame())

    async def ask(self, payload):
        """Send, and return the answer; data in between is dropped."""
        await self.ws.send(payload.decode())
        while True:
            value = json.loads(await self.frame())
            if isinstance(value, dict) and ("result" in value or "error" in value):
                return value

    async def closed(self):
        await self.ws.wait_closed()
        return self.ws.close_code


@pytest.fixture
async def simulate():
    running = []

    async def start(**arguments):
        simulator = BinanceSimulator(**arguments)
        running.append(Running(simulator, await simulator.start()))
        return running[-1]

    yield start
    for each in running:
        await each.control.aclose()
        await each.rest.aclose()
        await each.simulator.stop()


def limits(**changes):
    return {market: dataclasses.replace(limit, **changes) for market, limit in LIMITS.items()}


async def refused(venue, path="/ws"):
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with venue.connect(path):
            pass
    return caught.value.response


async def test_streams_of_the_url_and_of_messages_arrive(simulate):
    venue = await simulate(rate=500)
    async with venue.connect("/stream?streams=btcusdt@trade/ethusdt@depth@100ms") as client:
        assert client.ws.response.headers[SIMULATED_HEADER] == "1"
        seen = {(await client.event()).stream for _ in range(20)}
        assert seen == {"btcusdt@trade", "ethusdt@depth@100ms"}
        assert await client.ask(subscribe_message(["bnbusdt@bookTicker"], 7)) == {"result": None, "id": 7}
        while (await client.event()).stream != "bnbusdt@bookTicker":
            pass
        await client.ask(unsubscribe_message(["btcusdt@trade", "ethusdt@depth@100ms"], 8))
        listed = await client.ask(list_message(9))
        assert listed == {"result": ["bnbusdt@bookTicker"], "id": 9}
        assert (await client.ask(subscribe_message(["a@nope"], 10)))["error"]["code"] == 2


EVERY = {
    "/ws": ["btcusdt@depth", "btcusdt@depth5", "btcusdt@depth20@100ms", "btcusdt@trade", "btcusdt@aggTrade",
            "btcusdt@bookTicker", "btcusdt@kline_1m", "btcusdt@miniTicker", "btcusdt@ticker"],
    "/public/ws": ["btcusdt@depth@500ms", "btcusdt@depth5", "btcusdt@bookTicker", "!bookTicker"],
    "/market/ws": ["btcusdt@aggTrade", "btcusdt@kline_1h", "btcusdt@miniTicker", "btcusdt@ticker"],
}  # fmt: skip


@pytest.mark.parametrize("path", EVERY)
async def test_every_channel_is_sent_as_documented(simulate, path):
    venue = await simulate(rate=2000)
    for name in EVERY[path]:
        async with venue.connect(f"{path}/{name}") as client:
            frame = await client.frame()
            event = read_event(frame)
            assert event.message is not None, frame
            assert json.loads(encode(event.message)) == json.loads(frame)
            assert list(peek(frame)) or name == "btcusdt@depth5" or "depth20" in name
    async with venue.connect("/stream?streams=!ticker@arr") as client:
        assert len(json.loads(await client.frame())["data"]) > 1


async def test_what_is_not_traded_is_taken_and_silent(simulate):
    venue = await simulate(rate=500)
    async with venue.connect("/stream?streams=nosuch@trade/btcusdt@markPrice/btcusdt@trade") as client:
        assert await client.ask(subscribe_message(["BTCUSDT@depth".lower(), "ethusdt@trade"], 1))
        await client.ask(b'{"method":"SUBSCRIBE","params":["BTCUSDT@trade"],"id":2}')
        seen = {(await client.event()).stream for _ in range(30)}
        assert seen == {"btcusdt@trade", "ethusdt@trade", "btcusdt@depth"}


class Books:
    """Books of some symbols, fed from a socket and from snapshots."""

    def __init__(self, venue, client, path, symbols, market):
        self.venue, self.client = venue, client
        self.url = f"ws://{venue.address}{path}"
        self.books = {symbol: Book(symbol, rule_of(market)) for symbol in symbols}

    async def fetch(self, symbol):
        response = await self.venue.rest.get(
            snapshot_url(self.url, symbol, rest=f"http://{self.venue.address}")
        )
        assert response.status_code == 200
        return read_snapshot(response.content)

    async def read(self):
        message = (await self.client.event()).message
        if isinstance(message, DepthUpdate):
            self.books[message.s].apply(diff_of(message))

    async def join(self):
        while any(book.state is not State.TRUE for book in self.books.values()):
            await self.read()
            for symbol, book in self.books.items():
                if book.needs_snapshot:
                    book.take_snapshot(await self.fetch(symbol))


@pytest.mark.parametrize(("path", "market"), [("/stream", Market.SPOT), ("/public/stream", Market.USD_M)])
async def test_books_rebuilt_from_the_socket_are_the_simulators(simulate, path, market):
    venue = await simulate(rate=1000, seed=11)
    symbols = ["BTCUSDT", "ETHUSDT", "XYZUSDC"]
    streams = "/".join(f"{symbol.lower()}@depth@100ms" for symbol in symbols)
    async with venue.connect(f"{path}?streams={streams}") as client:
        feed = Books(venue, client, path, symbols, market)
        await feed.join()
        gaps = [book.gaps for book in feed.books.values()]
        for _ in range(200):
            await feed.read()
        assert [book.gaps for book in feed.books.values()] == gaps
        await venue.post("pause")
        for symbol, book in feed.books.items():
            snapshot = await feed.fetch(symbol)
            while book.last_id < snapshot.last_id:
                await feed.read()
            own = Book(symbol)
            own.apply(Diff(snapshot.last_id, snapshot.last_id))
            own.take_snapshot(snapshot)
            assert levels_of(book) == levels_of(own)


async def test_two_clients_get_the_same_events_of_a_stream(simulate):
    venue = await simulate(rate=500)
    async with (
        venue.connect("/ws/btcusdt@depth") as one,
        venue.connect("/stream?streams=btcusdt@depth") as two,
    ):
        wrapped = await two.event()
        raw = await one.event()
        while raw.message.u < wrapped.message.u:
            raw = await one.event()
        for _ in range(20):
            assert raw.raw == wrapped.raw
            previous, raw, wrapped = raw.message.u, await one.event(), await two.event()
            assert previous + 1 == raw.message.U


async def test_a_client_that_talks_too_much_is_cut(simulate):
    venue = await simulate(rate=0)
    async with venue.connect("/ws") as client:
        for number in range(6):
            await client.ws.send(list_message(number).decode())
        assert await client.closed() == 1008


async def test_pings_are_answered_and_sent_and_a_day_is_the_end(simulate):
    venue = await simulate(rate=0)
    async with venue.connect("/ws") as client:
        await (await client.ws.ping(b"abc"))
        await venue.post("clock?seconds=21")
        await client.ask(list_message(1))
        await venue.post("clock?seconds=86380")
        assert await client.closed() == 1001


async def test_a_client_that_answers_no_ping_is_cut(simulate):
    venue = await simulate(rate=0, limits=limits(ping_seconds=0.01, pong_seconds=0.05))
    reader, writer = await asyncio.open_connection(*venue.address.split(":"))
    key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    head = f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n\r\n"
    writer.write(head.encode())
    assert b"101" in await reader.readline()
    received = await reader.read()  # ends when the simulator has cut the socket
    assert b"\x89" in received  # a ping
    assert b"\x88\x02\x03\xf0" in received  # close, 1008
    writer.close()
    await writer.wait_closed()


async def test_too_many_connects_are_429_then_418(simulate):
    venue = await simulate(rate=0, limits=limits(connects=2))
    for _ in range(2):
        async with venue.connect("/ws"):
            pass
    first = await refused(venue)
    assert first.status_code == 429
    assert 290 <= int(first.headers["Retry-After"]) <= 300
    statuses = [(await refused(venue)).status_code for _ in range(4)]
    assert statuses == [429, 429, 429, 418]
    verdict = BinanceConnector().upgrade_refused(418, dict((await refused(venue)).headers))
    assert 100 < verdict.wait_seconds <= 120
    await venue.post("clock?seconds=400")
    async with venue.connect("/ws"):
        pass


async def test_rest_has_weights_errors_and_bans(simulate):
    venue = await simulate(rate=0)
    depth = "/api/v3/depth"
    answer = await venue.rest.get(depth, params={"symbol": "BTCUSDT", "limit": 5})
    assert len(answer.json()["bids"]) == 5
    assert (answer.headers["x-mbx-used-weight-1m"], answer.headers[SIMULATED_HEADER]) == ("5", "1")
    bad = await venue.rest.get(depth, params={"symbol": "NOPE"})
    assert (bad.status_code, bad.json()["code"]) == (400, -1121)
    statuses = [
        (await venue.rest.get(depth, params={"symbol": "BTCUSDT", "limit": 5000})).status_code
        for _ in range(30)
    ]
    assert statuses[:22] == [200] * 22
    assert statuses[-1] == 418
    assert (await refused(venue)).status_code == 418  # a ban is of the address
    await venue.post("unban")
    info = await venue.rest.get("/fapi/v1/exchangeInfo")
    assert "BTCUSDT" in [symbol["symbol"] for symbol in info.json()["symbols"]]
    assert (await venue.rest.get("/api/v3/klines")).status_code == 404
    await venue.post("ban?seconds=9")
    assert (await refused(venue)).headers["Retry-After"] == "9"


async def test_a_shutdown_is_announced(simulate):
    venue = await simulate(rate=0)
    async with venue.connect("/ws") as raw, venue.connect("/stream") as wrapped:
        assert await venue.post("shutdown") == {"told": 2}
        assert (await raw.event()).message == (await wrapped.event()).message


async def test_a_recording_is_played_again_verbatim(simulate):
    events = [
        b'{"e":"depthUpdate","E":%d,"s":"AUSDT","U":%d,"u":%d,"b":[],"a":[]}' % (n, n, n)
        for n in range(5, 25)
    ]
    text = "wss://stream.binance.com:9443/stream?streams=ausdt@depth <-> 100\n" + "".join(
        f'{100 + n / 1000}: {{"stream":"ausdt@depth","data":{event.decode()}}}\n'
        for n, event in enumerate(events)
    )
    book = '{"lastUpdateId":6,"bids":[["1.0","2"]],"asks":[]}'
    answers = f"https://api.binance.com/api/v3/depth?symbol=AUSDT&limit=1000 -> 100: {book}"
    for speed in (0, 1):
        venue = await simulate(recording=parse_recording(text, answers), speed=speed)
        async with venue.connect("/ws/ausdt@depth") as raw, venue.connect("/stream") as wrapped:
            assert [await raw.frame() for _ in events] == events
            await wrapped.ask(list_message(1))
        assert (await venue.rest.get("/api/v3/depth?symbol=AUSDT")).text == book
        assert (await venue.rest.get("/api/v3/depth?symbol=BUSDT")).status_code == 400


async def test_lies_and_skips_are_noticed_by_the_client_half(simulate):
    venue = await simulate(rate=500)
    async with venue.connect("/stream?streams=btcusdt@depth") as client:
        await venue.post("faults", json={"faults": [{"kind": "lie"}, {"kind": "skip"}]})
        session = BinanceConnector().session(f"ws://{venue.address}/stream?streams=btcusdt@depth", {})
        last, holes = 0, 0
        while not holes:
            message = (await client.event()).message
            holes += bool(last) and last + 1 != message.U
            last = message.u
        message = subscribe_message(["ethusdt@trade"], 1)
        session.sent(message, binary=False)
        session.received(json.dumps(await client.ask(message), separators=(",", ":")).encode(), binary=False)
        (effect,) = session.live(0)
        listed = json.dumps(await client.ask(effect.payload), separators=(",", ":")).encode()
        assert session.received(listed, binary=False).missing == ("ethusdt@trade",)
        happened = (await venue.control.get("/control/faults")).json()["happened"]
        assert happened == {"lie": 1, "skip": 1}


async def test_a_taken_port_and_bad_arguments_are_refused(simulate):
    venue = await simulate(rate=0)
    _, _, port = venue.address.partition(":")
    with pytest.raises(UnavailableError, match=rf"port: cannot listen on 127\.0\.0\.1:{port}"):
        await BinanceSimulator(port=int(port)).start()
    taken = int(venue.simulator.control_address.partition(":")[2])
    with pytest.raises(UnavailableError, match="control_port"):
        await BinanceSimulator(control_port=taken).start()
    with pytest.raises(InvalidInputError):
        BinanceSimulator(rate=-1)
    assert (await refused(venue, "/nope")).status_code == 404
    assert (await venue.control.post("/control/clock?seconds=x")).status_code == 400
    assert (await venue.control.get("/control/state")).json()["connections"] == []


async def test_the_account_tells_what_each_socket_was_sent_and_what_the_faults_kept(simulate):
    venue = await simulate(rate=200)
    assert (await venue.control.get("/control/account")).status_code == 404
    await venue.post("account")
    async with venue.connect("/stream?streams=btcusdt@trade") as client:
        await venue.post("faults", json={"faults": [{"kind": "skip", "count": 2}, {"kind": "garbage"}]})
        frames = [await client.frame() for _ in range(30)]
        await venue.post("pause")
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0.3):
                    frames.append(await client.frame())
        account = VenueAccount.decode((await venue.control.get("/control/account")).content)
    sent = [entry.digest for entry in account.entries if entry.copies]
    data = [content_digest(frame) for frame in frames]
    assert [digest for digest in data if digest not in account.others] == sent
    assert sum(not entry.copies for entry in account.entries) == 2
    assert len([digest for digest in data if digest in account.others]) == 1
    assert [(lane.name, lane.symbol) for lane in account.lanes] == [("btcusdt@trade", "BTCUSDT")]
    assert {outage.kind for outage in account.outages} == {"skip", "garbage"}
    assert len(account.sockets) == 1


async def test_faults_at_random_can_be_begun_over_the_control_port(simulate):
    venue = await simulate()
    assert await venue.post("faults?seed=7") == {"seed": 7}
    response = await venue.control.post("/control/faults?seed=x")
    assert response.status_code == 400
    assert "?seed=7" in response.text


async def test_symbols_are_listed_or_refused_as_they_are_asked_for(simulate):
    venue = await simulate()
    asked = await venue.rest.get("/api/v3/exchangeInfo", params={"symbols": '["BTCUSDT","KSMUSDT"]'})
    assert [each["symbol"] for each in asked.json()["symbols"]] == ["BTCUSDT", "KSMUSDT"]
    refused_one = await venue.rest.get("/api/v3/exchangeInfo", params={"symbols": '["BTCUSDT","NO"]'})
    assert (refused_one.status_code, refused_one.json()["code"]) == (400, -1121)
    everything = await venue.rest.get("/fapi/v1/exchangeInfo", params={"symbols": '["NO"]'})
    assert "BTCUSDT" in {each["symbol"] for each in everything.json()["symbols"]}
