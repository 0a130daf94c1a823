"""The simulator on real sockets."""

import asyncio
import socket

import httpx
import msgpack
import pytest
import websockets
from websockets.frames import CloseCode

from virtufin_examples.errors import InvalidInputError, UnavailableError
from virtufin_examples.simulators import SIMULATED_HEADER, AlpacaSimulator
from virtufin_examples.venues.alpaca import (
    ENDPOINTS,
    Limits,
    OrderBook,
    auth_message,
    subscribe_message,
    unsubscribe_message,
)

BOOKS = "v1beta3/crypto/us"


async def test_every_path_is_served_and_says_that_it_is_simulated(simulate):
    venue = await simulate(rate=0)
    for path in [*ENDPOINTS, "", "iex", "us", "v1beta3/crypto"]:
        async with venue.connect(path) as client:
            headers = client.ws.response.headers
            assert headers[SIMULATED_HEADER] == "1"
            assert "Sec-WebSocket-Extensions" not in headers
            if path != "stream":
                assert (await client.items())[0].text == "connected"


async def test_another_path_is_404_and_compression_is_not_offered(simulate):
    venue = await simulate()
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with venue.connect("v9/nope"):
            pass
    assert caught.value.response.status_code == 404
    assert caught.value.response.headers[SIMULATED_HEADER] == "1"


async def test_a_book_rebuilt_from_the_socket_is_the_simulators(simulate):
    venue = await simulate(rate=2000, seed=11)
    symbols = ["BTC/USD", "ETH/USD", "XYZ/USD"]
    books = {symbol: OrderBook(symbol) for symbol in symbols}
    last = dict.fromkeys(symbols, "")

    async def read(client):
        for item in await client.items():
            books[item.symbol].apply(item.raw)
            last[item.symbol] = item.raw["t"]

    async with venue.connect(BOOKS) as client:
        assert (await client.login()).text == "authenticated"
        assert (await client.ask(subscribe_message("orderbooks", symbols))).type == "subscription"
        for _ in range(30):
            await read(client)
        assert (await venue.http.post("/control/pause")).json() == {"paused": True}
        for symbol in symbols:
            response = await venue.http.get("/control/books", params={"symbol": symbol})
            own = OrderBook(symbol)
            own.apply(response.json())
            while last[symbol] != response.json()["t"]:
                await read(client)
            assert books[symbol] == own
        await venue.http.post("/control/resume")
        await read(client)


async def test_first_data_is_there_50_ms_after_the_subscription(simulate):
    venue = await simulate(rate=0.01)
    async with venue.connect("v2/iex") as client:
        await client.login()
        loop = asyncio.get_running_loop()
        await client.send(subscribe_message("trades", ["AAPL"]))
        started = loop.time()
        assert (await client.items())[0].type == "subscription"
        assert (await client.items())[0].type == "t"
        assert loop.time() - started < 0.5  # generous: this machine may be busy


async def test_the_rate_is_kept_in_total(simulate):
    venue = await simulate(rate=500)
    async with venue.connect("v2/iex") as stocks, venue.connect("v1beta1/news") as news:
        for client, message in (
            (stocks, subscribe_message("quotes", ["AAPL", "AMD", "MSFT"])),
            (news, subscribe_message("news", ["*"])),
        ):
            await client.login()
            await client.ask(message)
        counts = []
        loop = asyncio.get_running_loop()
        started = loop.time()

        async def count(client):
            received = 0
            while loop.time() < started + 1.0:
                received += len(await client.items())
            counts.append(received)

        await asyncio.gather(count(stocks), count(news))
        assert 350 <= sum(counts) <= 650
        assert 0.5 < counts[0] / counts[1] < 2


async def test_wrong_keys_are_402_and_the_socket_closes(simulate):
    venue = await simulate()
    async with venue.connect("v2/iex") as client:
        assert (await client.login(secret="wrong")).text == "402 auth failed"
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await client.items()
        assert caught.value.rcvd.code == CloseCode.POLICY_VIOLATION


async def test_keys_in_headers_are_taken(simulate):
    venue = await simulate(key="k", secret="s")
    headers = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
    async with venue.connect("v2/iex", additional_headers=headers) as client:
        assert [(await client.items())[0].text for _ in range(2)] == ["connected", "authenticated"]


async def test_no_authentication_in_time_is_404(simulate):
    venue = await simulate(limits=Limits(auth_seconds=0.05))
    async with venue.connect("v2/iex") as client:
        await client.items()
        assert (await client.items())[0].text == "404 auth timeout"
        with pytest.raises(websockets.ConnectionClosed):
            await client.items()


async def test_a_second_connection_is_406_until_the_first_is_gone(simulate):
    venue = await simulate()
    async with venue.connect("v2/iex") as first:
        await first.login()
        async with venue.connect("v2/iex") as second:
            assert (await second.login()).text == "406 connection limit exceeded"
        async with venue.connect("v2/test") as elsewhere:
            assert (await elsewhere.login()).text == "authenticated"
        await venue.http.post("/control/drop")
        with pytest.raises(websockets.ConnectionClosed):
            await first.items()
    async with venue.connect("v2/iex") as third:
        assert (await third.login()).text == "authenticated"


async def test_a_drop_comes_without_a_close_frame(simulate):
    venue = await simulate()
    async with venue.connect("v2/iex") as client:
        await client.login()
        assert (await venue.http.post("/control/drop")).json() == {"dropped": 1}
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await client.items()
        assert caught.value.rcvd is None
    assert (await venue.http.get("/control/state")).json()["connections"] == []


async def test_unsubscribed_symbols_stop(simulate):
    venue = await simulate(rate=1000)
    async with venue.connect("v2/iex") as client:
        await client.login()
        await client.ask(subscribe_message("quotes", ["AAPL", "AMD"]))
        await client.ask(unsubscribe_message("quotes", ["AAPL"]))
        symbols = {item.symbol for _ in range(20) for item in await client.items()}
        assert symbols == {"AMD"}


async def test_msgpack_by_header_or_by_the_first_message(simulate):
    venue = await simulate()
    header = {"Content-Type": "application/msgpack"}
    for headers in ({}, header):
        async with venue.connect("v1beta1/opra", additional_headers=headers) as client:
            assert isinstance(await client.ws.recv(), bytes if headers else str)
            key = {"action": "auth", "key": "SIMULATED-KEY", "secret": "SIMULATED-SECRET"}
            await client.ws.send(msgpack.packb(key))
            assert msgpack.unpackb(await client.ws.recv()) == [{"T": "success", "msg": "authenticated"}]


async def test_fragmented_messages_are_put_together(simulate):
    venue = await simulate()
    async with venue.connect("v2/iex") as client:
        await client.items()
        message = auth_message("SIMULATED-KEY", "SIMULATED-SECRET").decode()
        await client.ws.send(iter([message[:7], message[7:20], message[20:]]))
        assert (await client.items())[0].text == "authenticated"


async def test_a_message_that_is_too_long_is_1009(simulate):
    venue = await simulate()
    async with venue.connect("v2/iex") as client:
        await client.items()
        await client.ws.send(iter(["x" * 600_000] * 3))
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await client.items()
        assert caught.value.rcvd.code == CloseCode.MESSAGE_TOO_BIG


async def test_a_client_that_does_not_read_is_cut(simulate):
    venue = await simulate(rate=20_000, max_buffered_bytes=10_000)
    host, _, port = venue.address.partition(":")
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect((host, int(port)))
        async with venue.connect("v1beta1/news", sock=narrow, max_queue=1) as client:
            await client.login()
            await client.send(subscribe_message("news", ["*"]))
            client.ws.transport.pause_reading()

            async def gone():
                while (await venue.http.get("/control/state")).json()["connections"]:
                    pass

            await asyncio.wait_for(gone(), 15)
            client.ws.transport.abort()


async def test_nothing_follows_a_close_frame(simulate):
    venue = await simulate(limits=Limits(auth_seconds=0.0))
    async with venue.connect("v2/iex") as client:
        assert [(await client.items())[0].text for _ in range(2)] == ["connected", "404 auth timeout"]
        with pytest.raises(websockets.ConnectionClosed):
            await client.items()


async def test_a_market_that_breaks_is_told_and_its_clients_are_cut(simulate, monkeypatch):
    def broken(*_):
        raise RuntimeError("broken")

    told = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.set())
    venue = await simulate()
    async with venue.connect("v2/iex") as client:
        await client.login()
        await client.ask(subscribe_message("trades", ["AAPL"]))
        monkeypatch.setattr("virtufin_examples.simulators._exchange.Exchange.advance", broken)
        await asyncio.wait_for(client.ws.wait_closed(), 5)
    assert told.is_set()


async def test_pings_are_answered(simulate):
    venue = await simulate()
    async with venue.connect("v2/iex") as client:
        await asyncio.wait_for(await client.ws.ping(), 5)


async def test_stopping_says_goodbye():
    simulator = AlpacaSimulator()
    address = await simulator.start()
    async with websockets.asyncio.client.connect(f"ws://{address}/v2/iex") as ws:
        await ws.recv()
        await simulator.stop()
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await ws.recv()
    assert caught.value.rcvd.code == CloseCode.GOING_AWAY
    with pytest.raises(OSError, match="Connect"):
        await websockets.asyncio.client.connect(f"ws://{address}/v2/iex")


async def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"^port: .*:{port}"):
            await AlpacaSimulator(port=port).start()
        with pytest.raises(UnavailableError, match=f"^control_port: .*:{port}"):
            await AlpacaSimulator(control_port=port).start()


def test_a_negative_rate_is_refused():
    with pytest.raises(InvalidInputError, match="rate: -1"):
        AlpacaSimulator(rate=-1)


async def test_the_state_tells_what_is_going_on(simulate):
    venue = await simulate(rate=100, seed=9)
    async with venue.connect(BOOKS) as client:
        await client.login()
        await client.ask(b'{"action":"subscribe","orderbooks":["BTC/USD"],"trades":["*"]}')
        await client.items()
        state = (await venue.http.get("/control/state")).json()
    (connection,) = state.pop("connections")
    assert state == {"paused": False, "rate": 100, "seed": 9}
    assert connection["sent_messages"] >= 1
    assert connection["sent_frames"] >= 4
    assert connection["path"] == BOOKS
    assert connection["encoding"] == "json"
    assert connection["authenticated"] is True
    assert connection["subscriptions"] == {"orderbooks": ["BTC/USD"], "trades": ["*"]}


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/control/books", 404),
        ("GET", "/control/books?symbol=AAPL&path=nope", 400),
        ("GET", "/control/nope", 404),
        ("POST", "/control/state", 405),
    ],
)
async def test_wrong_control_requests_say_what_is_wrong(simulate, method, target, status):
    venue = await simulate()
    response = await venue.http.request(method, target)
    assert response.status_code == status
    assert response.json()["error"]


async def test_the_control_port_bears_nonsense(simulate):
    venue = await simulate()
    host, _, port = venue.simulator.control_address.partition(":")
    for nonsense in (b"\r\n\r\n", b"x" * 20_000, b"GET"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(nonsense)
        writer.write_eof()
        assert (await reader.read())[:12] in {b"HTTP/1.1 404", b""}
        writer.close()
        await writer.wait_closed()
    assert (await venue.http.get("/control/state")).status_code == httpx.codes.OK
