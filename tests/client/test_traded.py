"""Whether symbols exist is asked where the venue tells."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from virtufin_examples.client._http import Answer
from virtufin_examples.client._traded import check_traded, why_unchecked
from virtufin_examples.client._venue import venue_named
from virtufin_examples.errors import InvalidInputError, UnavailableError

URL = "wss://stream.binance.com:9443/stream"
TRADED = {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
BINANCE = venue_named("binance")


class Exchange:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, url: str) -> Answer:
        self.asked.append(url)
        names = json.loads(parse_qs(urlsplit(url).query)["symbols"][0])
        if set(names) - TRADED:
            return Answer(400, b'{"code":-1121,"msg":"Invalid symbol."}')
        return Answer(200, json.dumps({"symbols": [{"symbol": name} for name in names]}).encode())


async def test_symbols_that_are_traded_are_asked_for_once():
    exchange = Exchange()
    assert await check_traded(BINANCE, URL, sorted(TRADED), get=exchange) == "3 are traded at Binance"
    (url,) = exchange.asked
    assert url.startswith("https://api.binance.com/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%2C")


@pytest.mark.parametrize("place", range(4))
async def test_one_that_is_not_traded_is_named_wherever_it_stands(place):
    symbols = sorted(TRADED)
    symbols.insert(place, "NOSUCHUSDT")
    with pytest.raises(InvalidInputError, match='symbols: "NOSUCHUSDT" is not traded at Binance'):
        await check_traded(BINANCE, URL, symbols, get=Exchange())


async def test_a_market_that_lists_all_is_searched():
    async def everything(_url: str) -> Answer:
        return Answer(200, json.dumps({"symbols": [{"symbol": name} for name in TRADED]}).encode())

    with pytest.raises(InvalidInputError, match='"NOSUCHUSDT" is not traded'):
        await check_traded(BINANCE, URL, ["BTCUSDT", "NOSUCHUSDT"], get=everything)


async def test_a_venue_that_cannot_be_asked_is_no_reason_to_refuse():
    async def gone(url: str) -> Answer:
        raise UnavailableError(f"{url}: no route")

    async def banned(_url: str) -> Answer:
        return Answer(418, b"")

    assert (await check_traded(BINANCE, URL, ["BTCUSDT"], get=gone)).startswith("not checked: https://")
    said = await check_traded(BINANCE, URL, ["BTCUSDT"], get=banned)
    assert said == "not checked: Binance answered with HTTP status 418"


async def test_a_change_learns_why_nobody_could_be_asked(unused_tcp_port):
    nobody = f"ws://127.0.0.1:{unused_tcp_port}/stream"
    assert f"127.0.0.1:{unused_tcp_port}" in await why_unchecked(BINANCE, nobody, ["BTCUSDT"])
    assert await why_unchecked(BINANCE, nobody, []) == ""


async def test_alpaca_is_not_asked():
    async def never(_url: str) -> Answer:
        raise AssertionError("asked")

    assert "by itself" in await check_traded(venue_named("alpaca"), "wss://x", ["AAPL"], get=never)
