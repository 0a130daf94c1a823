"""URLs, stream names, HTTP statuses."""

import pytest

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import Disposition
from virtufin_examples.venues.binance import (
    LIMITS,
    BinanceConnector,
    Market,
    check_channel,
    check_streams,
    endpoint_of,
    is_carried,
    parse_stream,
    snapshot_url,
    sort_http,
    with_streams,
)

SPOT = "wss://stream.binance.com:9443"


@pytest.mark.parametrize(
    ("url", "market", "combined", "route", "streams"),
    [
        (f"{SPOT}/ws", "spot", False, "", ()),
        (f"{SPOT}/ws/btcusdt@depth", "spot", False, "", ("btcusdt@depth",)),
        (f"{SPOT}/stream?streams=a@trade/b@depth@100ms", "spot", True, "", ("a@trade", "b@depth@100ms")),
        (f"{SPOT}/stream", "spot", True, "", ()),
        (
            "wss://data-stream.binance.vision/stream?streams=a@trade&timeUnit=x",
            "spot",
            True,
            "",
            ("a@trade",),
        ),
        ("wss://stream.binance.us:9443/ws/a@trade/b@trade", "us", False, "", ("a@trade", "b@trade")),
        ("wss://fstream.binance.com/ws/a@depth", "usd_m", False, "", ("a@depth",)),
        ("wss://fstream.binance.com/market/stream?streams=a@trade", "usd_m", True, "market", ("a@trade",)),
        ("ws://127.0.0.1:1234/public/ws", "usd_m", False, "public", ()),
        ("ws://127.0.0.1:1234/ws", "spot", False, "", ()),
    ],
)
def test_a_url_says_what_it_asks_for(url, market, combined, route, streams):
    endpoint = endpoint_of(url)
    assert (endpoint.market, endpoint.combined, endpoint.route, endpoint.streams) == (
        market,
        combined,
        route,
        streams,
    )


@pytest.mark.parametrize("path", ["", "/", "/api/v3/depth", "/public/ws", "/streams", "/stream/x"])
def test_another_path_is_refused(path):
    with pytest.raises(InvalidInputError, match="no stream at"):
        endpoint_of(SPOT + path)


def test_a_url_is_given_other_streams():
    assert with_streams(f"{SPOT}/ws/a@trade", ("b@trade", "c@depth")) == f"{SPOT}/ws/b@trade/c@depth"
    assert with_streams(f"{SPOT}/ws/a@trade", ()) == f"{SPOT}/ws"
    url = f"{SPOT}/stream?streams=a@trade/b@trade&timeUnit=MICROSECOND"
    assert with_streams(url, ("b@trade",)) == f"{SPOT}/stream?streams=b@trade&timeUnit=MICROSECOND"
    assert with_streams(url, ()) == f"{SPOT}/stream?timeUnit=MICROSECOND"
    futures = "wss://fstream.binance.com/public/stream?streams=a@depth"
    assert with_streams(futures, ("b@depth",)) == "wss://fstream.binance.com/public/stream?streams=b@depth"


def test_snapshots_come_from_the_site_of_the_stream():
    assert snapshot_url(f"{SPOT}/ws", "btcusdt", limit=5000) == (
        "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5000"
    )
    assert snapshot_url("wss://stream.binance.us:9443/ws", "A").startswith(
        "https://api.binance.us/api/v3/depth?"
    )
    assert snapshot_url("wss://fstream.binance.com/public/ws", "A").startswith(
        "https://fapi.binance.com/fapi/v1/"
    )
    assert snapshot_url("ws://127.0.0.1:1/public/ws", "A", rest="http://x/") == (
        "http://x/fapi/v1/depth?symbol=A&limit=1000"
    )
    with pytest.raises(InvalidInputError, match="no REST address"):
        snapshot_url("ws://127.0.0.1:1/ws", "A")


def test_stream_names_are_taken_apart():
    assert parse_stream("btcusdt@depth@100ms").symbol == "BTCUSDT"
    assert parse_stream("btcusdt@depth@100ms").is_diff_depth
    assert not parse_stream("btcusdt@depth20@100ms").is_diff_depth
    assert parse_stream("!ticker@arr").symbol == ""


def test_bad_names_are_refused_with_the_right_one():
    with pytest.raises(InvalidInputError, match="btcusdt@depth"):
        check_streams(["BTCUSDT@depth"])
    check_streams(["btcusdt@aggTrade", "!miniTicker@arr"])
    check_channel("depth@100ms")
    with pytest.raises(InvalidInputError, match="aggTrade"):
        check_channel("aggtrade")
    with pytest.raises(InvalidInputError, match="no channel"):
        check_channel("kline_1s", Market.USD_M)


def test_futures_deliver_books_and_the_rest_on_different_paths():
    base = "wss://fstream.binance.com"
    public, market, plain = (endpoint_of(f"{base}{path}/ws") for path in ("/public", "/market", ""))
    for name in ("a@depth@100ms", "a@bookTicker", "!bookTicker"):
        assert [is_carried(name, at) for at in (public, market, plain)] == [True, False, True]
    for name in ("a@markPrice", "a@aggTrade", "!ticker@arr"):
        assert [is_carried(name, at) for at in (public, market, plain)] == [False, True, False]
    assert is_carried("a@markPrice", endpoint_of(f"{SPOT}/ws"))


@pytest.mark.parametrize(
    ("status", "headers", "disposition", "wait"),
    [
        (429, {"Retry-After": "7"}, Disposition.WAIT, 7),
        (429, {}, Disposition.WAIT, 60),
        (418, {"retry-after": "500"}, Disposition.WAIT, 500),
        (418, {}, Disposition.WAIT, 120),
        (403, {}, Disposition.WAIT, 60),
        (451, {}, Disposition.PERMANENT, 0),
        (404, {}, Disposition.PERMANENT, 0),
        (503, {"retry-after": "3"}, Disposition.WAIT, 3),
        (503, {}, Disposition.RETRY, 0),
        (502, {}, Disposition.RETRY, 0),
    ],
)
def test_http_answers_are_sorted(status, headers, disposition, wait):
    refused = BinanceConnector().upgrade_refused(status, headers)
    assert refused == sort_http(status, headers)
    assert (refused.code, refused.disposition, refused.wait_seconds) == (status, disposition, wait)


def test_the_connector_claims_binance_and_knows_its_limits():
    connector = BinanceConnector()
    assert connector.claims(f"{SPOT}/ws")
    assert connector.claims("wss://fstream.binance.com/public/ws")
    assert not connector.claims("ws://127.0.0.1/ws")
    limits = connector.limits(f"{SPOT}/ws", {})
    assert (limits.connects.count, limits.connects.seconds, limits.symbols) == (300, 300, 1024)
    assert limits.messages.count < LIMITS[Market.SPOT].messages_a_second
    assert limits.socket_seconds == 86_400
    assert limits.scope == connector.limits("wss://stream.binance.com:443/ws", {}).scope
    assert limits.scope != connector.limits("wss://stream.binance.us:9443/ws", {}).scope
    assert connector.limits("ws://127.0.0.1/ws", {"market": "usd_m"}).messages.count == 9


def test_options_and_urls_are_checked():
    connector = BinanceConnector()
    with pytest.raises(InvalidInputError, match="one of spot, us, usd_m"):
        connector.session(f"{SPOT}/ws", {"market": "moon"})
    with pytest.raises(InvalidInputError, match='did you mean "market"'):
        connector.session(f"{SPOT}/ws", {"markets": "spot"})
    with pytest.raises(InvalidInputError, match="upper case"):
        connector.session(f"{SPOT}/ws/BTCUSDT@depth", {})
