"""What a connection fetches after a gap: the missed trades and bars, each once."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.simulators._history import History
from virtufin_examples.venues import Backfilled, Disposition, HttpRequest, HttpResponse
from virtufin_examples.venues.alpaca import (
    AlpacaConnector,
    Bar,
    Timestamp,
    Trade,
    WireEncoding,
    auth_message,
    encode,
    join,
    subscribe_message,
)

URL = "wss://stream.data.alpaca.markets/v2/iex"
SECOND_NS = 1_000_000_000
START_NS = 1_760_000_040 * SECOND_NS  # a whole minute
REFERENCES = ("${secret:alpaca/key}", "${secret:alpaca/secret}")


def session(*subscriptions, options=None, keys=REFERENCES, url=URL):
    made = AlpacaConnector().session(url, {"backfill": "on", **(options or {})})
    made.opened()
    made.sent(auth_message(*keys), binary=False)
    for message in subscriptions or (subscribe_message("trades", ["AAPL", "MSFT"]),):
        made.sent(message, binary=False)
    return made


def trade(number, second, symbol="AAPL"):
    return Trade(symbol, number, "V", 100.25, 10, ("@",), Timestamp(START_NS + int(second * SECOND_NS)), "C")


def frame(*messages):
    return join([encode(each, WireEncoding.JSON) for each in messages], WireEncoding.JSON)


def at(second):
    return START_NS + int(second * SECOND_NS)


def run(client, history, now_ns, *, seconds=600):
    """Let time pass; return what was published, and what was reported."""
    published, notes, requests = [], [], []
    for second in range(seconds):
        for effect in client.tick(now_ns + second * SECOND_NS):
            if not isinstance(effect, HttpRequest):
                notes.append(effect)
                continue
            requests.append(effect)
            target = urlsplit(effect.url)
            status, body = history(target)
            verdict = client.responded(effect, HttpResponse(status, {}, body), now_ns + second * SECOND_NS)
            if isinstance(verdict, Backfilled):
                published += [item for payload in verdict.payloads for item in json.loads(payload)]
            elif verdict is not None:
                notes.append(verdict)
    return published, notes, requests


def rest(messages):
    history = History()
    history.record(messages)
    return lambda target: history.answer(target.path, target.query)


@given(
    st.lists(st.tuples(st.floats(0, 30), st.sampled_from(["AAPL", "MSFT"])), min_size=1, max_size=60),
    st.floats(5, 20),
    st.floats(0, 8),
    st.lists(st.floats(0, 4.5), min_size=60, max_size=60),
)
def test_what_the_stream_missed_comes_once_and_nothing_comes_twice(trades, cut, length, delays):
    """The stream is late, by up to 4.5 s; trades on their way at the cut, 2 s back, are lost with it."""
    client = session()
    messages = [trade(number, second, symbol) for number, (second, symbol) in enumerate(sorted(trades))]
    back = cut + length
    delivered = []
    for message, delay in zip(messages, delays, strict=False):
        second = (message.t.ns - START_NS) / SECOND_NS
        arrives = second + (delay if second > back else min(delay, 1.9))
        if arrives <= cut or second > back:
            delivered.append((arrives, message))
    for _, message in sorted(delivered, key=lambda each: each[0]):
        client.observe(frame(message))
    client.missed(at(cut), at(back))
    published, notes, _ = run(client, rest(messages), at(back))
    assert notes == []
    numbers = [message.i for _, message in delivered] + [item["i"] for item in published]
    assert sorted(numbers) == sorted({message.i for message in messages})


def test_a_missed_item_is_spelt_as_the_stream_spells_it():
    client = session()
    client.missed(at(0), at(10))
    published, _, (request,) = run(client, rest([trade(7, 5)]), at(10))
    assert published == json.loads(frame(trade(7, 5)))
    assert next(iter(published[0])) == "T"
    assert request.headers == {"APCA-API-KEY-ID": REFERENCES[0], "APCA-API-SECRET-KEY": REFERENCES[1]}
    asked = {name: value for name, (value,) in parse_qs(urlsplit(request.url).query).items()}
    assert request.url.startswith("https://data.alpaca.markets/v2/stocks/trades?")
    assert (asked["feed"], asked["symbols"], asked["limit"]) == ("iex", "AAPL,MSFT", "10000")
    assert (Timestamp.parse(asked["start"]).ns, Timestamp.parse(asked["end"]).ns) == (at(-2), at(10))


def test_it_waits_until_what_the_stream_brings_late_has_been_seen():
    client = session()
    client.missed(at(0), at(10))
    assert client.tick(at(14.9)) == ()
    assert len(client.tick(at(15))) == 1
    assert client.tick(at(16)) == ()  # one at a time


def test_a_minute_bar_is_missed_when_its_minute_ended_in_the_gap():
    def bar(minute):
        return Bar("AAPL", 1.0, 2.0, 0.5, 1.5, 100.0, 7, 1.2, Timestamp(at(60 * minute)))

    client = session(subscribe_message("bars", ["AAPL"]))
    client.observe(frame(bar(-2)))  # its minute ended at -60 s
    client.missed(at(-30), at(130))
    published, notes, (request,) = run(client, rest([bar(each) for each in range(-4, 5)]), at(130))
    assert [item["t"] for item in published] == [bar(each).t.rfc3339() for each in (-1, 0, 1)]
    assert {item["T"] for item in published} == {"b"}
    assert "timeframe=1Min" in request.url
    assert notes == []


def test_long_answers_come_in_pages_and_an_answer_that_never_ends_is_given_up():
    client = session()
    client.missed(at(0), at(10))
    pages = []

    def endless(target):
        pages.append(parse_qs(target.query).get("page_token"))
        body = {
            "trades": {"AAPL": [{"i": len(pages), "t": "2025-10-09T08:53:21Z"}]},
            "next_page_token": "more",
        }
        return 200, json.dumps(body).encode()

    published, (note,), _ = run(client, endless, at(10))
    assert pages == [None, *[["more"]] * 49]
    assert len(published) == 50
    assert "more than 50 pages" in note.reason


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_tried_three_times_and_reported_each_time(status):
    client = session()
    client.missed(at(0), at(10))
    published, notes, requests = run(client, lambda _: (status, b""), at(10))
    assert (published, len(requests), len(notes)) == ([], 3, 3)
    assert {note.disposition for note in notes} == {Disposition.NOTE}
    assert "was not fetched: HTTP" in notes[-1].reason
    assert "AAPL, MSFT" in notes[-1].reason


def test_retry_after_is_honoured():
    client = session()
    client.missed(at(0), at(10))
    (request,) = client.tick(at(15))
    client.responded(request, HttpResponse(429, {"retry-after": "40"}), at(15))
    assert client.tick(at(54)) == ()
    assert len(client.tick(at(55))) == 1


@pytest.mark.parametrize("answer", [(403, b"{}"), (200, b"no json"), (200, b'{"trades":{"AAPL":[1]}}')])
def test_what_cannot_be_mended_is_reported_once_and_the_feed_goes_on(answer):
    client = session()
    client.missed(at(0), at(10))
    published, (note,), _ = run(client, lambda _: answer, at(10))
    assert (published, note.disposition) == ([], Disposition.NOTE)


def test_an_answer_that_the_cut_of_the_socket_took_away_is_asked_for_again():
    client = session()
    client.missed(at(0), at(10))
    client.tick(at(15))
    client.opened()
    published, notes, _ = run(client, rest([trade(7, 5)]), at(20))
    assert ([item["i"] for item in published], notes) == ([7], [])


@pytest.mark.parametrize(
    ("subscription", "keys", "reason"),
    [
        (subscribe_message("trades", ["*"]), REFERENCES, "all symbols cannot be asked for"),
        (subscribe_message("trades", ["A"]), ("PLAIN", "PLAIN"), "no keys to ask with"),
    ],
)
def test_what_cannot_be_asked_for_is_said(subscription, keys, reason):
    client = session(subscription, keys=keys)
    client.missed(at(0), at(10))
    published, (note,), requests = run(client, lambda _: (200, b"{}"), at(10))
    assert (published, requests) == ([], [])
    assert reason in note.reason


def test_quotes_have_no_backfill_and_crypto_has_its_own_address():
    client = session(subscribe_message("quotes", ["AAPL"]))
    client.missed(at(0), at(10))
    assert run(client, rest([]), at(10)) == ([], [], [])
    crypto = session(
        subscribe_message("trades", ["BTC/USD"]),
        options={"rest_url": "http://127.0.0.1:1/"},
        url="wss://stream.data.alpaca.markets/v1beta3/crypto/us",
    )
    crypto.missed(at(0), at(10))
    (request,) = crypto.tick(at(15))
    assert request.url.startswith("http://127.0.0.1:1/v1beta3/crypto/us/trades?symbols=BTC%2FUSD&")


def test_it_is_off_unless_asked_for():
    client = AlpacaConnector().session(URL, {})
    client.sent(subscribe_message("trades", ["AAPL"]), binary=False)
    client.missed(at(0), at(10))
    assert client.observes is False
    assert client.tick(at(20)) == ()


@pytest.mark.parametrize(
    ("url", "value"),
    [(URL, "yes"), (URL.replace("v2/iex", "v1beta1/news"), "on"), (URL.replace("iex", "test"), "on")],
)
def test_where_there_is_no_history_it_is_refused(url, value):
    with pytest.raises(InvalidInputError, match="options: backfill is"):
        AlpacaConnector().session(url, {"backfill": value})


@pytest.mark.parametrize(
    ("url", "start"),
    [
        (URL, "https://data.alpaca.markets/v2/stocks/"),
        ("wss://stream.data.sandbox.alpaca.markets/v2/iex", "https://data.sandbox.alpaca.markets/v2/stocks/"),
        ("ws://127.0.0.1:7001/v2/iex", "http://127.0.0.1:7001/v2/stocks/"),
        ("wss://mirror.example/v2/iex", "https://mirror.example/v2/stocks/"),
    ],
)
def test_the_history_is_asked_of_whom_the_stream_comes_from(url, start):
    client = session(subscribe_message("trades", ["AAPL"]), url=url)
    client.missed(at(0), at(10))
    (request,) = client.tick(at(15))
    assert request.url.startswith(start)


@pytest.mark.parametrize("rest_url", ["", "data.alpaca.markets", "ftp://x", "https://", "https://x/?a=b"])
def test_an_address_that_is_none_is_refused(rest_url):
    with pytest.raises(InvalidInputError, match="options: rest_url is"):
        AlpacaConnector().session(URL, {"backfill": "on", "rest_url": rest_url})


def test_it_tells_whether_it_is_on_and_what_is_still_to_be_asked_for():
    assert AlpacaConnector().session(URL, {}).backfill() == "off"
    assert AlpacaConnector().session(URL.replace("v2/iex", "v1beta1/news"), {}).backfill() == ""
    client = session(subscribe_message("trades", ["AAPL"]))
    assert client.backfill() == "on"
    client.missed(at(0), at(10))
    assert client.backfill() == "on, 1 requests to make"
    run(client, rest([]), at(10))
    assert client.backfill() == "on"


@given(st.binary(max_size=200))
def test_any_bytes_can_be_observed(payload):
    session().observe(payload)
    session().observe(b"[{" + payload)


@pytest.mark.parametrize("in_flight", [False, True])
def test_what_is_still_to_be_fetched_goes_over_to_the_session_that_takes_over(in_flight):
    old, successor = session(), session()
    history = rest([trade(number, number) for number in range(10)])
    old.observe(frame(*(trade(number, number) for number in (0, 1, 2))))
    old.missed(at(3), at(8))
    successor.observe(frame(trade(8, 8), trade(9, 9)))
    answered = list(old.tick(at(13))) if in_flight else []
    successor.takes_over(old)
    published, notes, _ = run(successor, history, at(13))
    assert notes == []
    assert sorted(item["i"] for item in published) == [3, 4, 5, 6, 7]
    assert old.tick(at(100)) == ()
    for request in answered:
        target = urlsplit(request.url)
        status, body = history(target)
        assert old.responded(request, HttpResponse(status, {}, body), at(14)) is None
