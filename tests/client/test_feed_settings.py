from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.client import FeedSettings
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import Encoding, Markers, Overflow

SHIPPED = Path(__file__).parents[2] / "settings" / "settings.alpaca.json"
FOUR = {
    "url": "wss://stream.data.alpaca.markets/v1beta3/crypto/us",
    "channel": "orderbooks",
    "symbols": ["BTC/USD"],
    "topic": "alpaca-ticks",
}


def refusal(**changes: object) -> str:
    with pytest.raises(InvalidInputError) as caught:
        FeedSettings.from_json({**FOUR, **changes}, where="feed.json")
    assert caught.value.hint
    assert str(caught.value).startswith("feed.json: ")
    return str(caught.value)


def test_shipped_settings_are_the_documented_example() -> None:
    settings = FeedSettings.load(SHIPPED)
    assert settings.url == FOUR["url"]
    assert settings.channel == "orderbooks"
    assert settings.symbols == ("BTC/USD", "ETH/USD", "SOL/USD", "DOGE/USD", "AVAX/USD")
    assert settings.topic == "alpaca-ticks"


def test_four_keys_are_enough() -> None:
    settings = FeedSettings.from_json(FOUR)
    assert settings.auto_reconnect
    assert settings.encoding is Encoding.FRAME
    assert settings.overflow is None
    assert settings.markers is None


def test_optional_keys_are_read() -> None:
    settings = FeedSettings.from_json(
        {
            **FOUR,
            "url": "ws://127.0.0.1:9/v2/iex",
            "channel": "trades",
            "auto_reconnect": False,
            "encoding": "batch",
            "overflow": "block",
            "markers": "none",
            "tags": {"a": "b"},
            "connector": "alpaca",
            "options": {},
        }
    )
    assert not settings.auto_reconnect
    assert (settings.encoding, settings.overflow, settings.markers) == (
        Encoding.BATCH,
        Overflow.BLOCK,
        Markers.NONE,
    )
    assert settings.tags == {"a": "b"}


@pytest.mark.parametrize(
    ("path", "channel", "symbol"),
    [
        ("v1beta3/crypto/us", "trades", "BTC/USD"),
        ("v2/iex", "updatedBars", "AAPL"),
        ("v2/sip", "statuses", "*"),
        ("v2/test", "quotes", "FAKEPACA"),
        ("v1beta1/news", "news", "*"),
        ("v1beta1/indicative", "trades", "AAPL251219C00200000"),
    ],
)
def test_every_kind_of_endpoint_is_accepted(path: str, channel: str, symbol: str) -> None:
    url = f"wss://stream.data.alpaca.markets/{path}"
    assert FeedSettings.from_json({**FOUR, "url": url, "channel": channel, "symbols": [symbol]}).url == url


def test_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "settings.alpaca.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"does not exist.*settings\.alpaca\.json"):
        FeedSettings.load(tmp_path / "settings.alpacca.json")
    with pytest.raises(
        InvalidInputError, match=r"give the path of a settings file, such as settings/settings\.alpaca\.json"
    ):
        FeedSettings.load(tmp_path / "nowhere" / "x.json")


def test_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        FeedSettings.load(tmp_path)


def test_broken_json_names_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text('{\n  "url": "x",\n  "channel" "trades"\n}', encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"s\.json: not JSON, line 3 column 13"):
        FeedSettings.load(file)


@pytest.mark.parametrize("text", ['{"topic": "a", "topic": "b"}', '{"tags": {"topic": "a", "topic": "a"}}'])
def test_repeated_key_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError, match='key "topic" is there twice'):
        FeedSettings.load(file)


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_bytes(b'{"url": "\xff"}')
    with pytest.raises(InvalidInputError, match="not UTF-8 at byte 9"):
        FeedSettings.load(file)


@pytest.mark.parametrize("data", [[], "x", 1, None, True])
def test_document_must_be_an_object(data: object) -> None:
    with pytest.raises(InvalidInputError, match="an object is wanted"):
        FeedSettings.from_json(data)


def test_missing_key_is_named_with_an_example() -> None:
    data = {name: value for name, value in FOUR.items() if name != "topic"}
    with pytest.raises(InvalidInputError, match=r'key "topic" is missing.*"topic": "alpaca-ticks"'):
        FeedSettings.from_json(data)


def test_unknown_key_names_the_nearest() -> None:
    assert 'unknown key "simbols" (did you mean "symbols"?)' in refusal(simbols=["A"])
    assert "known keys are url" in refusal(xyzzy=1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": 5}, "url is 5: a string is wanted, not a number"),
        ({"url": ""}, 'url is "": empty'),
        ({"url": "https://stream.data.alpaca.markets/v2/iex"}, "a WebSocket URL is wanted"),
        ({"url": "wss:///v2/iex"}, "no host"),
        ({"url": "wss://host:99999/x"}, "url is"),
        ({"url": "wss://[::1/x"}, "url is"),
        ({"url": "wss://stream.data.alpaca.markets/v2/iex#x"}, "fragment"),
        ({"url": "wss://stream.data.alpaca.markets/v9/iex"}, "no stream at"),
        ({"url": "wss://example.com/x"}, "belongs to no known venue"),
        ({"channel": None}, "channel is null: a string is wanted"),
        ({"channel": "orderbok"}, 'did you mean "orderbooks"?'),
        ({"channel": "news"}, '"/v1beta3/crypto/us" has no channel "news"'),
        ({"symbols": []}, "symbols is []: empty"),
        ({"symbols": "BTC/USD"}, "a list is wanted, not a string"),
        ({"symbols": ["A", 1]}, "symbols[1] is 1: a string is wanted"),
        ({"symbols": ["A", "B", "A"]}, 'symbols[2] is "A": repeats symbols[0]'),
        ({"symbols": ["A B"]}, "symbols[0]"),
        ({"topic": "a b"}, 'topic is "a b": not a topic'),
        ({"topic": "x" * 250}, "not a topic"),
        ({"auto_reconnect": "yes"}, 'auto_reconnect is "yes": true or false is wanted'),
        ({"encoding": "bach"}, 'did you mean "batch"?'),
        ({"markers": 1}, "markers is 1: one of inline, companion, none"),
        ({"tags": {"a": 1}}, "tags.a is 1: a string is wanted"),
        ({"tags": []}, "tags is []: an object is wanted"),
        ({"connector": "binanse"}, 'connector is "binanse"'),
        ({"options": {"speed": "9"}}, 'no option "speed"'),
        ({"options": {"backfill": "yes"}}, 'options: backfill is "yes"'),
        ({"options": {"backfill": True}}, "options.backfill is true: a string is wanted"),
        ({"options": {"backfill": "on"}}, "options: backfill is on, but orderbooks have no history"),
        (
            {"channel": "trades", "options": {"backfill": "on", "rest_url": "ftp://x"}},
            'options: rest_url is "ftp://x"',
        ),
    ],
)
def test_bad_value_names_field_and_value(changes: dict[str, object], words: str) -> None:
    assert words in refusal(**changes)


@pytest.mark.parametrize("channel", ["trades", "bars"])
def test_a_feed_of_trades_or_bars_can_have_its_gaps_filled(channel: str) -> None:
    settings = FeedSettings.from_json({**FOUR, "channel": channel, "options": {"backfill": "on"}})
    assert settings.options == {"backfill": "on"}


def test_credentials_in_the_url_are_refused_and_not_shown() -> None:
    text = refusal(url="wss://user:canary@stream.data.alpaca.markets/v2/iex")
    assert "canary" not in text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(field=st.sampled_from([*FOUR, "tags", "options", "encoding", "connector"]), value=json_values)
def test_any_json_is_read_or_refused_with_the_field(field: str, value: object) -> None:
    data = json.loads(json.dumps({**FOUR, field: value}))
    error = refused(data)
    assert error is None or (str(error).startswith("f: ") and error.hint)


def refused(data: object) -> InvalidInputError | None:
    try:
        FeedSettings.from_json(data, where="f")
    except InvalidInputError as error:
        return error
    return None


BINANCE = {
    "url": "wss://stream.binance.com:9443/stream",
    "channel": "depth@100ms",
    "symbols": ["BTCUSDT", "ETHUSDT"],
    "topic": "binance-depth-{run_id}",
}


def test_symbols_can_be_spread_over_connections_and_workers() -> None:
    settings = FeedSettings.from_json({**BINANCE, "symbols_a_connection": 1, "connections_a_worker": 2})
    assert (settings.sizes.symbols, settings.sizes.connections) == (1, 2)
    assert settings.for_run("abcd1234").topic == "binance-depth-abcd1234"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbols": ["btcusdt"]}, ['symbols[0] is "btcusdt"', 'did you mean "BTCUSDT"']),
        ({"symbols": ["BTC/USDT"]}, ['symbols[0] is "BTC/USDT"', 'did you mean "BTCUSDT"']),
        ({"channel": "dept@100ms"}, ["depth@100ms"]),
        ({"symbols_a_connection": 0}, ["symbols_a_connection is 0", "at least 1"]),
        ({"connections_a_worker": "2"}, ['connections_a_worker is "2"', "at least 1"]),
        (
            {"symbols": [f"S{n}USDT" for n in range(1025)]},
            ["1025 on a connection", "allows 1024", "1024 or less"],
        ),
        ({"topic": "x{run}"}, ['topic is "x{run}"', "{run_id} stands for"]),
    ],
)
def test_what_binance_cannot_take_is_refused(change: dict, words: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        FeedSettings.from_json({**BINANCE, **change})
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_a_venue_with_one_connection_takes_no_second() -> None:
    with pytest.raises(InvalidInputError, match="2 connections are needed; Alpaca allows 1"):
        FeedSettings.from_json(
            {
                "url": "wss://stream.data.alpaca.markets/v2/iex",
                "channel": "trades",
                "symbols": ["AAPL", "MSFT"],
                "topic": "t",
                "symbols_a_connection": 1,
            }
        )
