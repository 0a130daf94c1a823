"""Paths, channels and the messages that a client sends."""

import msgpack
import msgspec
import pytest

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca import (
    CHANNELS,
    ENDPOINTS,
    Kind,
    WireEncoding,
    auth_message,
    channels_of,
    check_channel,
    endpoint_of,
    find_endpoint,
    subscribe_message,
    transcode,
    unsubscribe_message,
)

LIVE = "wss://stream.data.alpaca.markets/"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("v2/sip", Kind.STOCKS),
        ("v2/iex", Kind.STOCKS),
        ("v2/delayed_sip", Kind.STOCKS),
        ("v2/test", Kind.STOCKS),
        ("v1beta1/boats", Kind.STOCKS),
        ("v1beta1/overnight", Kind.STOCKS),
        ("v1beta1/indicative", Kind.OPTIONS),
        ("v1beta1/opra", Kind.OPTIONS),
        ("v1beta1/news", Kind.NEWS),
        ("v1beta3/crypto/us", Kind.CRYPTO),
        ("v1beta3/crypto/us-1", Kind.CRYPTO),
        ("v1beta3/crypto/eu-1", Kind.CRYPTO),
        ("stream", Kind.TRADING),
    ],
)
def test_every_documented_path_is_known(path, kind):
    assert endpoint_of(LIVE + path).kind is kind
    assert endpoint_of(f"ws://127.0.0.1:9/{path}/").path == path


@pytest.mark.parametrize(
    ("short", "path"),
    [
        ("/", "v2/iex"),
        ("/iex", "v2/iex"),
        ("/sip", "v2/sip"),
        ("/delayed_sip", "v2/delayed_sip"),
        ("/us", "v1beta3/crypto/us"),
        ("/v1beta3/crypto", "v1beta3/crypto/us"),
        ("/opra?x=1", "v1beta1/opra"),
    ],
)
def test_short_paths_of_the_sdks_are_known(short, path):
    assert find_endpoint(short) is ENDPOINTS[path]


def test_an_unknown_path_is_refused_with_the_known_ones():
    with pytest.raises(InvalidInputError, match=r'"/v2/nope".*v2/iex'):
        endpoint_of(LIVE + "v2/nope")
    assert find_endpoint("/v3/iex") is None


def test_channels_belong_to_endpoints_and_followers_are_no_choice():
    assert channels_of(LIVE + "v1beta3/crypto/us") == {
        "trades",
        "quotes",
        "orderbooks",
        "bars",
        "updatedBars",
        "dailyBars",
    }
    assert channels_of(LIVE + "v1beta1/news") == {"news"}
    assert "corrections" not in channels_of(LIVE + "v2/iex") | CHANNELS
    assert "orderbooks" not in channels_of(LIVE + "v2/iex")


@pytest.mark.parametrize(
    ("channel", "text"),
    [
        ("orderbook", 'did you mean "orderbooks"'),
        ("corrections", 'comes with channel "trades"'),
        ("zzz", "one of bars"),
    ],
)
def test_an_unknown_channel_is_refused_with_the_fix(channel, text):
    with pytest.raises(InvalidInputError, match=text):
        subscribe_message(channel, ["AAPL"])


def test_a_channel_that_the_endpoint_lacks_is_refused():
    with pytest.raises(InvalidInputError, match='"/v2/iex" has no channel "orderbooks"'):
        check_channel("orderbooks", ENDPOINTS["v2/iex"])


def test_what_a_client_sends():
    assert msgspec.json.decode(auth_message("k", "s")) == {"action": "auth", "key": "k", "secret": "s"}
    assert subscribe_message("trades", ["AAPL", "MSFT"]) == b'{"action":"subscribe","trades":["AAPL","MSFT"]}'
    assert unsubscribe_message("bars", ("*",)) == b'{"action":"unsubscribe","bars":["*"]}'
    assert (
        subscribe_message("trade_updates", ()) == b'{"action":"listen","data":{"streams":["trade_updates"]}}'
    )
    assert unsubscribe_message("trade_updates", ()) == b'{"action":"listen","data":{"streams":[]}}'
    packed = subscribe_message("quotes", ["X"], encoding=WireEncoding.MSGPACK)
    assert msgpack.unpackb(packed) == {"action": "subscribe", "quotes": ["X"]}
    assert transcode(subscribe_message("quotes", ["X"]), WireEncoding.MSGPACK) == packed
    assert transcode(packed, WireEncoding.MSGPACK) is packed


def test_no_symbols_is_refused():
    with pytest.raises(InvalidInputError, match='none given for channel "trades"'):
        subscribe_message("trades", [])
