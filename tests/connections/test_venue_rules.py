"""Alpaca's and Binance's rules as a whole connection keeps them, on a clock moved by hand."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest

from tests.connections.toy_venue import ToyConnector
from virtufin_examples.connections import HandshakeMessage, State, settle
from virtufin_examples.frames import Cause
from virtufin_examples.venues import Budget, Disposition, HttpRequest, HttpResponse
from virtufin_examples.venues.alpaca import ERROR_CODES, AlpacaConnector
from virtufin_examples.venues.binance import BinanceConnector

ALPACA = "wss://stream.data.alpaca.markets/v2/iex"
SPOT = "wss://stream.binance.com:9443/stream?streams=btcusdt@depth"
FUTURES = "wss://fstream.binance.com/public/stream?streams=btcusdt@depth"


async def open_at(world, url, connector, **options):
    server = world.network.serve(url)
    connection = world.connection(connector=connector, url=url, options=options)
    await connection.start()
    connection.publish_to(world)
    return connection, server, await server.accept()


# --- Alpaca ---


@pytest.mark.parametrize("entry", ERROR_CODES.values(), ids=lambda entry: str(entry.code))
async def test_each_of_alpacas_codes_is_noted_retried_waited_out_or_final(world, entry):
    connection, server, peer = await open_at(world, ALPACA, AlpacaConnector())
    await connection.send(HandshakeMessage(b'{"action":"auth","key":"k","secret":"s"}'))
    peer.send_text(json.dumps([{"T": "error", "code": entry.code, "msg": entry.message}]))
    await settle()
    expected = {
        Disposition.NOTE: State.CONNECTED,
        Disposition.RETRY: State.RECONNECTING,
        Disposition.WAIT: State.RECONNECTING,
        Disposition.PERMANENT: State.FAILED,
    }
    assert connection.state is expected[entry.disposition]
    assert any(entry.message in event.reason for event in world.events if event.kind == "error")
    if entry.disposition is Disposition.WAIT:
        await world.clock.advance(entry.wait_seconds - 1)
        assert len(server.attempts) == 1
    await world.clock.advance(60)
    retried = entry.disposition in {Disposition.RETRY, Disposition.WAIT}
    assert (len(server.attempts) > 1) == retried


async def test_what_alpaca_acknowledges_is_compared_with_what_is_wanted(world):
    connection, _, peer = await open_at(world, ALPACA, AlpacaConnector())
    await connection.send(HandshakeMessage(b'{"action":"subscribe","trades":["AAPL","MSFT"]}'))
    peer.send_text('[{"T":"subscription","trades":["AAPL"],"quotes":[],"bars":[]}]')
    await settle()
    assert connection.missing == ("MSFT",)
    assert "SymbolsMissing" in world.errors()


# --- Binance ---


def depth(first, last, previous=None):
    futures = f',"pu":{previous}' if previous is not None else ""
    event = f'{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{first},"u":{last}{futures},"b":[],"a":[]}}'
    return f'{{"stream":"btcusdt@depth","data":{event}}}'


@pytest.mark.parametrize(
    ("url", "frames", "hole"),
    [
        (SPOT, [depth(1, 5), depth(6, 9), depth(12, 14)], (10, 11)),
        (FUTURES, [depth(1, 5, 0), depth(8, 9, 5), depth(20, 24, 15)], (10, 15)),
    ],
    ids=["U and u", "pu"],
)
async def test_a_hole_in_binances_numbers_is_announced_with_its_bounds(world, url, frames, hole):
    _, _, peer = await open_at(world, url, BinanceConnector(), watch="every")
    for frame in frames:
        peer.send_text(frame)
    await settle()
    (gap,) = world.gaps
    assert (gap.cause, gap.symbols) == (Cause.VENUE_SEQUENCE, ("BTCUSDT",))
    assert (gap.venue_from, gap.venue_to) == hole
    assert world.items.index(gap) == 2  # before the frame behind the hole


async def test_a_worker_that_sends_a_burst_stays_below_binances_messages_a_second(world):
    connection, _, peer = await open_at(world, SPOT, BinanceConnector(), ping_seconds="1")
    sending = [
        asyncio.ensure_future(
            connection.send(
                HandshakeMessage(
                    json.dumps({"method": "SUBSCRIBE", "params": [f"s{n}@trade"], "id": n}).encode()
                )
            )
        )
        for n in range(20)
    ]
    arrivals, seconds = [], 0.0
    while not all(task.done() for task in sending):
        await world.clock.advance(0.05)
        seconds += 0.05
        while peer.waiting():
            await peer.receive()
            arrivals.append(seconds)
    assert len(arrivals) == 20
    for early, late in zip(arrivals, arrivals[4:], strict=False):  # one of the five is left to pongs
        assert late - early > 0.9  # looked at 20 times a second


@pytest.mark.parametrize("why", ["shutdown", "24 h"])
async def test_before_binance_cuts_a_socket_another_has_taken_over_without_gap_or_repeat(world, why):
    connection, server, peer = await open_at(
        world, SPOT, BinanceConnector(), watch="every", quiet_seconds="0", ping_seconds="0"
    )
    peer.send_text(depth(1, 5))
    await settle()
    if why == "shutdown":
        peer.send_text('{"e":"serverShutdown","E":1}')
        await settle()
    else:
        await world.clock.advance(86_400 * 0.945)
        assert len(server.attempts) == 1
        await world.clock.advance(86_400 * 0.045)
    second = await server.accept()
    for each in (peer, second):
        each.send_text(depth(6, 9))
    second.send_text(depth(10, 11))
    await world.clock.advance(4)
    assert peer.closed is not None
    second.send_text(depth(12, 14))
    await settle()
    depths = [text for text in world.frames if "depthUpdate" in text]
    assert depths == [depth(1, 5), depth(6, 9), depth(10, 11), depth(12, 14)]
    assert (world.gaps, connection.epoch) == ([], 2)
    assert "renewed" in world.kinds


async def test_all_connections_to_binance_share_300_connects_in_5_minutes_whoever_owns_them(world):
    urls = [f"wss://stream.binance.com:{port}/ws/btcusdt@trade" for port in (443, 9443)]
    servers = [world.network.serve(url) for url in urls]
    for _, url in zip(range(310), itertools.cycle(urls), strict=False):
        await world.connection(connector=BinanceConnector(), url=url).start()
    await settle()
    assert sum(len(server.attempts) for server in servers) == 300
    await world.clock.advance(300)
    assert sum(len(server.attempts) for server in servers) == 310


# --- the port ---


async def test_messages_may_be_counted_over_all_sockets_of_a_venue(world):
    connector = ToyConnector(shared_messages=Budget(2, 10.0))
    opened = [world.connection(connector=connector) for _ in range(2)]
    peers = []
    for connection in opened:
        await connection.start()
        peers.append(await world.server.accept())
    sending = [
        asyncio.ensure_future(connection.send(HandshakeMessage(b"auth"))) for connection in (*opened, *opened)
    ]
    await world.clock.advance(9)
    assert sum(peer.waiting() for peer in peers) == 2
    await world.clock.advance(2)
    assert sum(peer.waiting() for peer in peers) == 4
    await asyncio.gather(*sending)


async def test_a_connector_may_ask_over_http_once_it_is_live(world):
    connector = ToyConnector()
    connector.at_live = [HttpRequest("history", "https://venue.example/snapshot")]
    world.http.answers["history"] = HttpResponse(200, body=b"A 0 snapshot")
    connection, _, peer = await open_at(world, "wss://venue.example/feed", connector)
    await connection.send(HandshakeMessage(b"auth"))
    assert world.http.requests == []
    peer.send_text("!ok")
    await settle()
    assert [request.name for request in world.http.requests] == ["history"]
    assert "A 0 snapshot" in world.frames
