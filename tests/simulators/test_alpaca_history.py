"""The simulator's REST history, on the port of its streams."""

from __future__ import annotations

import httpx
import pytest

from virtufin_examples.simulators import SIMULATED_KEY, SIMULATED_SECRET, AlpacaSimulator
from virtufin_examples.simulators._history import History, rest_stream
from virtufin_examples.venues.alpaca import Bar, CryptoTrade, Timestamp, Trade

KEYS = {"APCA-API-KEY-ID": SIMULATED_KEY, "APCA-API-SECRET-KEY": SIMULATED_SECRET}
WINDOW = "start=1970-01-01T00:00:00Z&end=1970-01-01T00:10:00Z"
SECOND_NS = 1_000_000_000


def test_it_tells_the_trades_of_a_window_by_symbol_and_time_in_pages():
    history = History()
    for number in range(20):
        symbol = "ABC"[number % 3]
        history.record([Trade(symbol, number, "V", 1.5, 2, ("@",), Timestamp(number * SECOND_NS), "C")])
    found, token = [], ""
    while True:
        query = f"symbols=B,A&start=1970-01-01T00:00:03Z&end=1970-01-01T00:00:15Z&limit=4{token}"
        status, body = history.answer("/v2/stocks/trades", query)
        assert status == 200
        page = httpx.Response(200, content=body).json()
        found += [(symbol, item["i"]) for symbol, items in page["trades"].items() for item in items]
        assert {tuple(item) for items in page["trades"].values() for item in items} == {
            ("i", "x", "p", "s", "c", "t", "z")
        }
        if page["next_page_token"] is None:
            break
        token = f"&page_token={page['next_page_token']}"
    assert found == [("A", number) for number in (3, 6, 9, 12, 15)] + [
        ("B", number) for number in (4, 7, 10, 13)
    ]


def test_of_a_bars_time_it_tells_the_last():
    history = History()
    for close in (1.0, 2.0):
        history.record([Bar("A", 1.0, 2.0, 1.0, close, 10.0, 1, 1.5, Timestamp(60 * SECOND_NS))])
    history.record([CryptoTrade("A", 1.0, 1.0, Timestamp(0), 1, "B")])
    _, body = history.answer("/v2/stocks/bars", f"symbols=A&{WINDOW}")
    assert [item["c"] for item in httpx.Response(200, content=body).json()["bars"]["A"]] == [2.0]


@pytest.mark.parametrize(
    "query", ["", f"symbols=A&{WINDOW}&limit=0", f"symbols=A&{WINDOW}&limit=x", "symbols=A&start=1&end=x"]
)
def test_a_request_that_cannot_be_read_is_400(query):
    assert History().answer("/v2/stocks/trades", query)[0] == 400


@pytest.mark.parametrize(
    ("path", "query", "stream"),
    [
        ("/v2/stocks/trades", "feed=iex", "v2/iex"),
        ("/v2/stocks/bars", "", "v2/sip"),
        ("/v2/stocks/bars", "feed=boats", "v1beta1/boats"),
        ("/v1beta3/crypto/us/trades", "", "v1beta3/crypto/us"),
        ("/v2/iex", "", None),
        ("/v2/stocks/quotes", "", None),
    ],
)
def test_a_rest_path_names_a_stream(path, query, stream):
    assert rest_stream(path, query) == stream


async def test_it_wants_keys_and_keeps_its_limit():
    simulator = AlpacaSimulator(rest_requests_a_minute=2)
    address = await simulator.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://{address}") as http:
            url = f"/v2/stocks/trades?symbols=A&{WINDOW}"
            assert (await http.get(url)).status_code == 401
            answers = [await http.get(url, headers=KEYS) for _ in range(3)]
    finally:
        await simulator.stop()
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].json() == {"trades": {}, "next_page_token": None}
    assert answers[0].headers["x-virtufin-simulated"] == "1"
    assert answers[2].headers["retry-after"] == "1"
