"""An application heartbeat: when it is sent, and what a silent venue costs."""

from __future__ import annotations

from virtufin_examples.venues import Disposition, Heartbeat, Outgoing, Refused, Session

SECOND_NS = 1_000_000_000
BEAT = (Outgoing(b"beat"),)


def test_it_is_sent_each_time_that_its_interval_is_over_counted_from_live():
    heartbeat = Heartbeat(b"beat", 5.0)
    heartbeat.start(100 * SECOND_NS)
    sent = [second for second in range(100, 121) if heartbeat.due(second * SECOND_NS) == BEAT]
    assert sent == [105, 110, 115, 120]


def test_none_is_sent_without_an_interval():
    assert Heartbeat(b"beat", 0.0).due(10**18) == ()


def test_a_venue_that_does_not_answer_before_the_next_one_ends_the_socket():
    heartbeat = Heartbeat(b"beat", 5.0, is_answered=True)
    heartbeat.start(0)
    assert heartbeat.due(5 * SECOND_NS) == BEAT
    assert heartbeat.due(9 * SECOND_NS) == ()
    heartbeat.answered()
    assert heartbeat.due(10 * SECOND_NS) == BEAT
    (refused,) = heartbeat.due(15 * SECOND_NS)
    assert isinstance(refused, Refused)
    assert refused.disposition is Disposition.RETRY


def test_a_new_socket_owes_no_answer_to_the_old_ones_heartbeat():
    heartbeat = Heartbeat(b"beat", 5.0, is_answered=True)
    heartbeat.start(0)
    heartbeat.due(5 * SECOND_NS)
    heartbeat.start(6 * SECOND_NS)
    assert heartbeat.due(11 * SECOND_NS) == BEAT


def test_a_session_with_one_starts_it_when_live_and_sends_it_in_tick():
    session = Session("wss://venue.example")
    assert (session.live(0), session.tick(10**18)) == ((), ())
    session.heartbeat = Heartbeat(b"beat", 5.0)
    session.live(100 * SECOND_NS)
    assert session.tick(104 * SECOND_NS) == ()
    assert session.tick(105 * SECOND_NS) == BEAT
