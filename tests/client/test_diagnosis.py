"""Each link broken in turn; what is found, and which sentence says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from virtufin_examples.client import ConnectionInfo, Health, Link
from virtufin_examples.client._diagnosis import LAG_SECONDS, QUEUE_BYTES, diagnose
from virtufin_examples.client._feed_facts import (
    QUIET_SECONDS,
    BrokerFacts,
    ConnectionFacts,
    FeedFacts,
    TapFacts,
    WorkerFacts,
)
from virtufin_examples.client._venue_hours import market_of, quiet_seconds
from virtufin_examples.venues._market_hours import ALWAYS_OPEN, US_OPTIONS, US_STOCKS, MarketState

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND
OPEN = MarketState(is_open=True, changes_ns=NOW + 9, text="US stocks: open until Friday")
CLOSED = MarketState(is_open=False, changes_ns=NOW + 9, text="US stocks: closed (weekend), opens Monday")
QUIET = {"frames_after": 100, "last_received_ns": NOW - int((QUIET_SECONDS + 1) * SECOND)}
UNSEEN = {Link.GATEWAY, Link.MANAGER}  # named only where they are broken
NO_FRAMES = TapFacts(seconds=3, notes=2)

CONNECTION = ConnectionFacts(
    id="c-1",
    status="connected",
    topic="ticks",
    epoch=3,
    market=OPEN,
    wanted=("AAPL", "MSFT"),
    acknowledged=("MSFT", "AAPL"),
    last_received_ns=NOW - SECOND,
    frames_before=100,
    frames_after=160,
    tap=TapFacts(seconds=3, frames=60, notes=0, lag_seconds=0.012),
)
FEED = FeedFacts(
    name="ticks",
    now_ns=NOW,
    worker=WorkerFacts(id="w-1", status="running"),
    connections=(CONNECTION,),
    broker=BrokerFacts(seconds=0.004),
)


def feed(*, of: dict | None = None, **changes) -> FeedFacts:
    """The healthy feed with changes; `of` changes its connection."""
    return replace(FEED, connections=(replace(CONNECTION, **(of or {})),), **changes)


BROKEN = [
    ("gateway", feed(gateway_error="connection refused"), Link.GATEWAY, "connection refused"),
    (
        "manager",
        feed(manager_error="websocketmanager: no answer"),
        Link.MANAGER,
        "websocketmanager: no answer",
    ),
    (
        "worker failed",
        feed(worker=WorkerFacts(id="w-1", status="failed", failure="ZeroDivisionError")),
        Link.WORKER,
        "worker w-1 is failed: ZeroDivisionError",
    ),
    ("worker stopped", feed(worker=WorkerFacts(id="w-1", status="stopped")), Link.WORKER, "w-1 is stopped"),
    (
        "socket",
        feed(of={"status": "reconnecting", "reason": "connection refused"}),
        Link.SOCKET,
        "connection c-1 is reconnecting: connection refused",
    ),
    ("no connection", replace(FEED, connections=()), Link.SOCKET, "its worker holds no connection"),
    (
        "symbols",
        feed(of={"acknowledged": ("MSFT",)}),
        Link.SYMBOLS,
        "1 of 2 symbols are not acknowledged by the venue: AAPL",
    ),
    (
        "many symbols",
        feed(of={"wanted": tuple("ABCDEFGH"), "acknowledged": ()}),
        Link.SYMBOLS,
        "8 of 8 symbols are not acknowledged by the venue: A, B, C, D, E and 3 more",
    ),
    ("silence", feed(of=QUIET), Link.RECEIVE, "the last frame came 5 min ago although the market is open"),
    (
        "never a frame",
        feed(of={"last_received_ns": 0, "frames_before": 0, "frames_after": 0}),
        Link.RECEIVE,
        "no frame ever came although the market is open",
    ),
    ("stale symbols", feed(of={"stale": ("AAPL",)}), Link.RECEIVE, "1 symbols have stopped arriving: AAPL"),
    (
        "unpublished",
        feed(of={"topic": "", "held_bytes": 77}),
        Link.PUBLISHER,
        "not published; 77 bytes are held",
    ),
    (
        "queue",
        feed(of={"queued_before": QUEUE_BYTES * 3, "queued_bytes": QUEUE_BYTES * 2}),
        Link.PUBLISHER,
        "2.0 MiB wait in memory: the bus takes less than comes in",
    ),
    ("spool", feed(of={"spooled_bytes": QUEUE_BYTES}), Link.PUBLISHER, "1.0 MiB on disk: the bus takes less"),
    (
        "broker",
        feed(broker=BrokerFacts(error="a message did not come back within 5 s")),
        Link.BROKER,
        "a message did not come back within 5 s",
    ),
    (
        "nothing comes out",
        feed(of={"tap": NO_FRAMES}),
        Link.SUBSCRIBER,
        "60 frames were received, none came out of topic ticks in 3 s",
    ),
    (
        "lag",
        feed(of={"tap": TapFacts(seconds=3, frames=9, lag_seconds=LAG_SECONDS + 4)}),
        Link.SUBSCRIBER,
        "frames arrive 9 s after they were received",
    ),
    ("tap", feed(of={"tap": TapFacts(seconds=3, error="cut: too slow")}), Link.SUBSCRIBER, "cut: too slow"),
]


@pytest.mark.parametrize(
    ("facts", "link", "text"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_the_broken_link_is_named(facts: FeedFacts, link: Link, text: str) -> None:
    found = diagnose(facts)
    assert found.broken is not None
    assert found.broken.link is link
    assert text in found.broken.text
    assert found.sentence == f"ticks is broken at the {link}: {found.broken.text}"
    assert [one.link for one in found.findings if one.health is Health.BROKEN] == [link]


def test_a_healthy_feed_has_no_broken_link() -> None:
    found = diagnose(FEED)
    assert found.sentence == "ticks is healthy: frames reach subscribers 12.0 ms after they were received"
    assert [one.health for one in found.findings] == [Health.OK] * 8
    assert [one.link for one in found.findings] == [link for link in Link if link not in UNSEEN]


@pytest.mark.parametrize(
    ("facts", "health", "link"),
    [
        (feed(of={**QUIET, "market": CLOSED, "tap": NO_FRAMES}), Health.IDLE, Link.RECEIVE),
        (feed(of={**QUIET, "quiet_seconds": None, "tap": NO_FRAMES}), Health.IDLE, Link.RECEIVE),
        (feed(of={**QUIET, "market": None, "tap": NO_FRAMES}), Health.UNKNOWN, Link.RECEIVE),
        (feed(of={"market": CLOSED}), Health.IDLE, Link.MARKET),
        (feed(of={"market": None}), Health.UNKNOWN, Link.MARKET),
        (feed(of={"market": CLOSED, "simulated": True}), Health.OK, Link.MARKET),
        (feed(of={"stale": ("AAPL",), "market": CLOSED}), Health.OK, Link.RECEIVE),
        (feed(of={"wanted": None, "acknowledged": None}), Health.UNKNOWN, Link.SYMBOLS),
        (feed(of={"frames_after": 100, "tap": NO_FRAMES}), Health.OK, Link.SUBSCRIBER),
        (feed(of={"frames_after": 100, "tap": TapFacts(seconds=3)}), Health.UNKNOWN, Link.SUBSCRIBER),
        (feed(of={"tap": None}), Health.UNKNOWN, Link.SUBSCRIBER),
        (feed(of={"tap": TapFacts(seconds=3, frames=1)}), Health.OK, Link.SUBSCRIBER),
        (feed(of={"queued_bytes": QUEUE_BYTES * 2}), Health.OK, Link.PUBLISHER),
        (feed(worker=None), Health.UNKNOWN, Link.WORKER),
        (feed(worker=None, workers_error="the WorkManager does not answer"), Health.UNKNOWN, Link.WORKER),
    ],
)
def test_what_is_quiet_or_not_known_is_not_called_broken(
    facts: FeedFacts, health: Health, link: Link
) -> None:
    found = diagnose(facts)
    assert found.broken is None, found.sentence
    assert [one.health for one in found.findings if one.link is link] == [health]
    assert found.sentence.startswith("ticks is healthy: ")


def test_the_last_receive_of_each_symbol_is_told() -> None:
    tap = TapFacts(seconds=3, frames=60, lag_seconds=0.01, symbols=(("AAPL", NOW - SECOND // 4),))
    receive = next(one for one in diagnose(feed(of={"tap": tap})).findings if one.link is Link.RECEIVE)
    assert receive.text == "60 frames while it was listened to, of 1 symbols; not of MSFT"
    assert receive.symbol_ages == (("AAPL", 0.25),)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"asked_again": 1}, "; the venue was asked again once"),
        (
            {"asked_again": 3, "backfill": "on, 2 requests to make"},
            "; the venue was asked again 3 times; backfill is on, 2 requests to make",
        ),
        ({"backfill": "off"}, "; backfill is off"),
        ({}, ""),
    ],
)
def test_what_is_done_about_data_that_do_not_come_is_told(changes, told) -> None:
    receive = next(one for one in diagnose(feed(of=changes)).findings if one.link is Link.RECEIVE)
    assert receive.text == "60 frames while it was listened to" + told
    silent = diagnose(feed(of={**QUIET, **changes}))
    assert silent.broken is not None
    assert silent.broken.text.endswith("although the market is open" + told)


def test_a_closed_market_is_what_a_quiet_feed_is_explained_with() -> None:
    found = diagnose(feed(of={**QUIET, "market": CLOSED, "tap": NO_FRAMES}))
    assert found.sentence.endswith("nothing is due: US stocks: closed (weekend), opens Monday")


def test_a_queue_behind_a_broken_broker_is_the_broker_s_fault() -> None:
    full = {"queued_before": QUEUE_BYTES * 3, "queued_bytes": QUEUE_BYTES * 3, "spooled_bytes": 9}
    found = diagnose(feed(of=full, broker=BrokerFacts(error="down")))
    assert found.broken is not None
    assert found.broken.link is Link.BROKER


def test_of_several_broken_links_the_first_is_named_whatever_the_connection() -> None:
    late = replace(CONNECTION, id="c-2", tap=TapFacts(seconds=3, frames=9, lag_seconds=99))
    down = replace(CONNECTION, id="c-3", status="failed", reason="402 auth failed")
    found = diagnose(replace(FEED, connections=(CONNECTION, late, down)))
    assert found.broken is not None
    assert (found.broken.link, found.broken.connection_id) == (Link.SOCKET, "c-3")


@pytest.mark.parametrize(
    ("path", "market"),
    [
        ("v2/sip", US_STOCKS),
        ("v1beta1/opra", US_OPTIONS),
        ("v1beta3/crypto/us", ALWAYS_OPEN),
        ("nothing", None),
    ],
)
def test_the_market_of_an_alpaca_stream(path: str, market) -> None:
    url = f"wss://stream.data.alpaca.markets/{path}"
    assert market_of(ConnectionInfo(id="c", url=url, connector="alpaca")) is market
    assert market_of(ConnectionInfo(id="c", url=url, connector="alpaca", simulated=True)) is ALWAYS_OPEN


def test_of_other_venues_only_what_is_known_is_said() -> None:
    assert market_of(ConnectionInfo(id="c", url="wss://x", connector="binance")) is ALWAYS_OPEN
    assert market_of(ConnectionInfo(id="c", url="wss://x", connector="generic")) is None


def test_silence_means_something_in_a_regular_session_only() -> None:
    stocks = ConnectionInfo(id="c", url="wss://h/v2/sip", connector="alpaca")
    news = ConnectionInfo(id="c", url="wss://h/v1beta1/news", connector="alpaca")
    crypto = ConnectionInfo(id="c", url="wss://h/v1beta3/crypto/us", connector="alpaca")
    noon, evening = 1_795_021_200 * SECOND, 1_795_045_000 * SECOND  # 2026-11-18 12:00 and 18:36 in New York
    assert (quiet_seconds(stocks, noon), quiet_seconds(stocks, evening)) == (QUIET_SECONDS, None)
    assert (quiet_seconds(news, noon), quiet_seconds(crypto, evening)) == (None, QUIET_SECONDS)
