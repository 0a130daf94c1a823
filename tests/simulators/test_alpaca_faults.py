"""Fault plans on real sockets of the Alpaca simulator."""

import asyncio
import itertools

import pytest
import websockets

from virtufin_examples.venues.alpaca import subscribe_message


async def plan(venue, *faults):
    response = await venue.http.post("/control/faults", json={"faults": list(faults)})
    assert response.json() == {"faults": len(faults)}


async def happened(venue):
    return (await venue.http.get("/control/faults")).json()["happened"]


async def test_a_drop_cuts_all_sockets_and_a_refusal_keeps_them_out(simulate):
    venue = await simulate(rate=0)
    async with venue.connect("v2/iex") as client:
        await client.login()
        await plan(venue, {"kind": "refuse", "seconds": 60, "status": 502}, {"kind": "drop"})
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await client.items()
        assert caught.value.rcvd is None
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with venue.connect("v2/iex"):
            pass
    assert refused.value.response.status_code == 502
    assert await happened(venue) == {"drop": 1, "refuse": 1}
    await plan(venue)  # an empty plan changes nothing of what has begun
    with pytest.raises(websockets.InvalidStatus):
        async with venue.connect("v2/iex"):
            pass


async def test_a_lie_confirms_and_sends_nothing(simulate):
    venue = await simulate(rate=200)
    async with venue.connect("v2/iex") as client:
        await client.login()
        await client.ask(subscribe_message("trades", ["MSFT"]))
        await plan(venue, {"kind": "lie"})  # due with the next tick
        while not await happened(venue):
            answer = await client.ask(subscribe_message("trades", ["AAPL"]))
            assert answer.raw["trades"]
            await client.ask(b'{"action":"unsubscribe","trades":["AAPL"]}')
        state = (await venue.http.get("/control/state")).json()
        assert state["connections"][0]["subscriptions"] == {"trades": ["MSFT"]}


async def test_garbage_and_repeats_arrive(simulate):
    venue = await simulate(rate=200)
    async with venue.connect("v2/iex") as client:
        await client.login()
        await client.ask(subscribe_message("trades", ["MSFT"]))
        await plan(venue, {"kind": "garbage"}, {"kind": "duplicate"}, {"kind": "skip"})
        frames = [await client.ws.recv()]
        while '{"garbage' not in frames or not any(a == b for a, b in itertools.pairwise(frames)):
            frames.append(await client.ws.recv())
        assert await happened(venue) == {"garbage": 1, "duplicate": 1, "skip": 1}


async def test_a_half_open_socket_answers_no_ping(simulate):
    venue = await simulate(rate=200)
    async with venue.connect("v2/iex", ping_interval=None) as client:
        await client.login()
        await (await client.ws.ping())
        await plan(venue, {"kind": "half_open", "seconds": 0.3})
        while not await happened(venue):
            pass
        pong = await client.ws.ping()
        with pytest.raises(websockets.ConnectionClosed):
            await pong


async def test_a_bad_plan_is_400_with_the_reason(simulate):
    venue = await simulate(rate=0)
    response = await venue.http.post("/control/faults", content=b'{"faults":[{"kind":"dorp"}]}')
    assert response.status_code == 400
    assert 'did you mean "drop"' in response.json()["error"]
    host, _, port = venue.simulator.control_address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /control/faults HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()
    await writer.wait_closed()


async def test_a_seed_starts_faults_at_once(simulate):
    venue = await simulate(rate=0, faults_seed=40)  # its first fault is a drop, after half a second
    async with venue.connect("v2/iex") as client:
        await client.login()
        with pytest.raises(websockets.ConnectionClosed):
            await client.items()
