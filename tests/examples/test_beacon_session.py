"""The example connector driven by hand: what a plugin's author writes first."""

from __future__ import annotations

import importlib.util

import pytest

from tests.programs import ROOT
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import Acknowledged, Disposition, HttpResponse, Leaving, Outgoing, Refused, Seen

SECOND_NS = 1_000_000_000
URL = "wss://feed.beacon.example/socket"


@pytest.fixture(scope="module")
def beacon():
    file = ROOT / "examples" / "beacon-connector" / "beacon_connector.py"
    spec = importlib.util.spec_from_file_location("beacon_connector", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.BeaconConnector()


def logged_in(session, now_ns=0, expires_in=100):
    (request,) = session.before_connect(now_ns)
    body = f'{{"token": "a/b", "expires_in": {expires_in}}}'.encode()
    assert session.responded(request, HttpResponse(200, {}, body), now_ns) is None
    return session


def test_the_login_goes_to_the_hosts_own_https_and_its_token_into_the_url(beacon):
    session = logged_in(beacon.session(URL, {}))
    assert session.target(0).url == f"{URL}?token=a%2Fb"
    assert session.before_connect(39 * SECOND_NS) == ()
    (request,) = session.before_connect(41 * SECOND_NS)  # a token that ends within a minute opens no socket
    assert (request.url, request.method) == ("https://feed.beacon.example/login", "POST")
    assert b"${secret:beacon/password}" in request.body
    refused = session.responded(request, HttpResponse(401), 0)
    assert refused.disposition is Disposition.PERMANENT


def test_a_token_is_renewed_a_minute_before_its_end_and_heartbeats_go_on_meanwhile(beacon):
    session = logged_in(beacon.session(URL, {}))
    session.opened()
    session.live(0)
    assert session.tick(4 * SECOND_NS) == ()
    assert session.tick(5 * SECOND_NS) == (Outgoing(b'["beat"]'),)
    assert session.received(b'["beat"]', binary=False) is None
    assert session.tick(41 * SECOND_NS) == (Leaving("the token expires soon"), Outgoing(b'["beat"]'))


def test_a_heartbeat_without_an_answer_ends_the_socket(beacon):
    session = logged_in(beacon.session(URL, {}))
    session.opened()
    session.live(0)
    session.tick(5 * SECOND_NS)
    (refused,) = session.tick(10 * SECOND_NS)
    assert refused.disposition is Disposition.RETRY


def test_joins_are_answered_one_by_one_and_the_refused_one_is_not_asked_for_again(beacon):
    session = beacon.session(URL, {})
    for topic in ("A", "B", "C"):
        session.sent(f'["join", "{topic}"]'.encode(), binary=False)
    session.sent(b'["leave", "C"]', binary=False)
    assert session.expects() == 4
    assert isinstance(session.received(b'["joined","A"]', binary=False), Acknowledged)
    assert isinstance(session.received(b'["refused","B","no such topic"]', binary=False), Refused)
    session.received(b'["joined","C"]', binary=False)
    session.received(b'["left","C"]', binary=False)
    session.received(b'["joined","X"]', binary=False)  # nobody asked
    assert session.expects() == 0
    assert session.subscriptions() == [Outgoing(b'["join", "A"]')]
    assert (session.wanted(), session.symbols_with(b'["join", "D"]')) == ({"A"}, 2)


@pytest.mark.parametrize("payload", [b"", b"no json", b"{}", b"[]", b"[1]", b'"join"', b"\xff"])
def test_what_it_does_not_understand_it_leaves_alone(beacon, payload):
    session = beacon.session(URL, {})
    assert not session.folds(payload)
    session.check(payload, binary=False)
    session.sent(payload, binary=False)
    assert (session.expects(), session.peek(payload)) == (0, ())


def test_events_are_data_with_a_topic_and_a_number(beacon):
    session = beacon.session(URL, {})
    event = b'["event","prices:ABC",7,{"price":1}]'
    assert not session.is_control(event)
    assert session.received(event, binary=False) is None
    assert session.peek(event) == (Seen("prices:ABC", first=7, last=7),)


def test_bad_input_is_refused(beacon):
    with pytest.raises(InvalidInputError, match="renew_seconds"):
        beacon.session(URL, {"renew_seconds": "soon"})
    with pytest.raises(InvalidInputError, match='did you mean "login_url"'):
        beacon.session(URL, {"login": "https://x"})
    with pytest.raises(InvalidInputError, match="no topic"):
        beacon.session(URL, {}).check(b'["join"]', binary=False)
