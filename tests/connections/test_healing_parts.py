"""The pure parts of healing: budgets, watchdogs, arbiter, continuity."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.connections import (
    Continuity,
    DataWatch,
    LinkState,
    LinkWatch,
    Pace,
    Scopes,
    Window,
)
from virtufin_examples.connections._healing import Healing, renewal_seconds, seconds_until
from virtufin_examples.connections._watchdog import MIN_QUIET_SECONDS
from virtufin_examples.venues import Arbiter, Arrival, Budget, Seen, VenueLimits, _arbiter

SECOND_NS = 1_000_000_000

# --- budgets ---


@given(
    st.integers(1, 20),
    st.floats(0.1, 300, allow_nan=False),
    st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=120),
)
def test_no_span_of_time_holds_more_than_its_budget_and_nobody_overtakes(count, seconds, pauses):
    window = Window(Budget(count, seconds))
    now, places = 0.0, []
    for pause in pauses:
        now += pause
        wait = window.reserve(now)
        assert wait >= 0
        places.append(now + wait)
    assert places == sorted(places)
    for earlier, later in zip(places, places[count:], strict=False):
        assert later - earlier >= seconds * (1 - 1e-9) - 1e-6


def test_a_budget_that_is_not_used_up_costs_no_time():
    window = Window(Budget(5, 1.0))
    assert [window.reserve(0.3 * n) for n in range(20)] == [0.0] * 20


def test_a_thousand_that_drop_at_once_come_back_at_the_venues_pace():
    scope = Scopes().scope(VenueLimits(scope="venue", connects=Budget(300, 300.0)))
    at = sorted(scope.connect_wait(0.0) for _ in range(1000))
    assert [sum(wait <= limit for wait in at) for limit in (0, 299, 300, 600, 900)] == [
        300,
        300,
        600,
        900,
        1000,
    ]


def test_what_one_connection_is_told_to_wait_all_of_the_scope_wait():
    scopes = Scopes()
    limits = VenueLimits(scope="venue")
    scopes.scope(limits).block(10.0, 60.0)
    assert scopes.scope(limits).connect_wait(20.0) == 50.0
    assert scopes.scope(VenueLimits(scope="other")).connect_wait(20.0) == 0.0
    assert scopes.scope(VenueLimits(scope="")).connect_wait(20.0) == 0.0


# --- the link ---


@given(st.lists(st.integers(0, 80), min_size=1, max_size=8), st.integers(5, 60))
def test_a_link_is_pinged_after_its_silence_and_dead_after_the_time_for_a_pong(silences, ping_seconds):
    watch, second = LinkWatch(float(ping_seconds)), 0
    for count, silence in enumerate(silences):
        for silent in range(silence + 1):  # the first look of each sees a sign of life
            state = watch.tick(float(second), count)
            second += 1
            if silent == ping_seconds:
                assert state is LinkState.PING
            elif silent >= ping_seconds + 10:
                assert state is LinkState.DEAD
                return
            else:
                assert state is LinkState.FINE


def test_a_process_that_stood_still_calls_nothing_dead():
    watch = LinkWatch(20.0)
    for second in range(25):
        watch.tick(float(second), 1)
    assert watch.tick(500.0, 1) is LinkState.FINE
    assert watch.tick(501.0, 1) is LinkState.FINE


# --- the data ---


@given(st.lists(st.floats(0.01, 1000, allow_nan=False), max_size=60))
def test_a_learned_limit_is_well_above_what_is_usual_and_one_outage_does_not_move_it(silences):
    pace = Pace()
    for silence in silences:
        pace.learn(silence)
    limit = pace.limit_seconds
    if len(silences) < 10:
        assert limit is None
        return
    usual = sorted(silences[-32:])
    assert limit >= max(MIN_QUIET_SECONDS, 6 * usual[len(usual) // 2])
    if len(silences) >= 32:
        pace.learn(1e9)
        assert pace.limit_seconds <= max(MIN_QUIET_SECONDS, 6 * usual[-1])


@pytest.mark.parametrize("mean_seconds", [0.05, 1.0, 7.0, 60.0])
def test_a_feed_that_is_random_but_alive_does_not_trip(mean_seconds):
    rng = random.Random(7)
    watch = DataWatch(None)
    frames, due = 0, rng.expovariate(1 / mean_seconds)
    for second in range(1, 40_000):
        while due <= second:
            frames += 1
            due += rng.expovariate(1 / mean_seconds)
        change = watch.tick(float(second), frames, ("A",) if frames else (), is_open=True)
        assert not change.stale


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.sets(st.sampled_from("ABC"))), max_size=300))
def test_stale_and_restored_alternate_whatever_comes(script):
    watch = DataWatch(5.0)
    frames, whole, symbols = 0, False, set()
    for second, (arrived, is_open, names) in enumerate(script):
        frames += arrived
        change = watch.tick(float(second), frames, names if arrived else (), is_open=is_open)
        assert not (change.stale and change.restored)
        if change.stale:
            assert is_open
            assert not whole
            whole = True
        if change.restored:
            assert whole
            whole = False
        assert not symbols & set(change.stale_symbols)
        assert set(change.restored_symbols) <= symbols
        symbols = (symbols | set(change.stale_symbols)) - set(change.restored_symbols)
        assert watch.is_stale == whole
        assert set(watch.stale_symbols) == symbols


# --- two sockets ---


def numbered(payload):
    symbol, number = payload.decode().split()
    return (Seen(symbol, first=int(number), last=int(number)),) if int(number) else ()


@st.composite
def two_lines(draw):
    """Frames that two sockets carry, merged at random; the second joins late, and ahead of the first."""
    count = draw(st.integers(1, 40))
    frames = [(f"{draw(st.sampled_from('AB'))}", number) for number in range(1, count + 1)]
    numbers, stream = {"A": 0, "B": 0}, []
    for symbol, _ in frames:
        numbers[symbol] += 1
        stream.append(f"{symbol} {numbers[symbol]}".encode())
    joined = draw(st.tuples(st.integers(0, count - 1), st.integers(0, 3)))
    merge = draw(st.lists(st.booleans(), min_size=2 * count, max_size=2 * count))
    return stream, joined, merge


@given(two_lines())
def test_by_numbers_each_frame_passes_once_and_in_order(case):
    stream, (joined, lead), merge = case
    arbiter = Arbiter(numbered)
    arbiter.join(1)
    passed, places, clock = [], {1: 0, 2: 0}, 0
    joined_up = False
    for first in merge:
        if not joined_up and places[1] >= joined:
            arbiter.join(2)
            joined_up = True
            places[2] = places[1] + lead
        epoch = 1 if first or not joined_up else 2
        if places[epoch] < len(stream):
            clock += 1_000_000
            passed += arbiter.offer(Arrival(epoch, (stream[places[epoch]], False), clock))
            places[epoch] += 1
    while places[1] < len(stream):  # the first is never cut short
        passed += arbiter.offer(Arrival(1, (stream[places[1]], False), clock))
        places[1] += 1
    passed += arbiter.leave(1)
    got = [arrival.message[0] for arrival in passed]
    for symbol in (b"A", b"B"):
        assert [each for each in got if each.startswith(symbol)] == [
            each for each in stream if each.startswith(symbol)
        ]


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=40), st.lists(st.booleans(), max_size=80))
def test_by_content_of_two_equal_sockets_each_frame_passes_once_and_in_order(texts, merge):
    stream = [f"{text} 0".encode() for text in texts]
    arbiter = Arbiter(numbered)
    arbiter.join(1)
    arbiter.join(2)
    passed, places = [], {1: 0, 2: 0}
    order = [1 if first else 2 for first in merge] + [1] * len(stream) + [2] * len(stream)
    for step, epoch in enumerate(order):
        if places[epoch] < len(stream):
            passed += arbiter.offer(Arrival(epoch, (stream[places[epoch]], False), step))
            places[epoch] += 1
    passed += arbiter.leave(1)
    assert [arrival.message[0] for arrival in passed] == stream


@pytest.mark.parametrize("announced", [True, False])
def test_a_hole_that_nobody_fills_is_waited_for_and_then_passed(announced):
    arbiter = Arbiter(numbered, holes_are_announced=announced)
    arbiter.join(1)
    arbiter.join(2)
    assert len(arbiter.offer(Arrival(1, (b"A 1", False), 0))) == 1
    assert arbiter.offer(Arrival(1, (b"A 3", False), 1)) == []
    assert arbiter.overdue(249_000_000) == []
    assert [each.message[0] for each in arbiter.overdue(251_000_001)] == [b"A 3"]
    late = [len(arbiter.offer(Arrival(2, (b"A 2", False), 260_000_000))) for _ in range(2)]
    assert late == ([0, 0] if announced else [1, 0])


def test_what_only_the_later_socket_brought_comes_before_the_first_number_of_the_older_one():
    arbiter = Arbiter(numbered)
    arbiter.join(1)
    arbiter.join(2)
    script = [(2, b"A 5"), (2, b"A 6"), (1, b"A 7"), (2, b"A 7"), (2, b"A 8")]
    passed = [each for epoch, text in script for each in arbiter.offer(Arrival(epoch, (text, False), 0))]
    assert [each.message[0] for each in passed] == [b"A 5", b"A 6", b"A 7", b"A 8"]


def test_where_the_older_socket_then_leaves_a_hole_that_is_waited_for():
    arbiter = Arbiter(numbered)
    arbiter.join(1)
    arbiter.join(2)
    assert arbiter.offer(Arrival(2, (b"A 5", False), 0)) == []
    assert [each.message[0] for each in arbiter.offer(Arrival(1, (b"A 7", False), 1))] == [b"A 5"]
    passed = arbiter.offer(Arrival(2, (b"A 6", False), 2))
    assert [each.message[0] for each in passed] == [b"A 6", b"A 7"]


def test_a_venue_that_counts_anew_is_followed():
    arbiter = Arbiter(numbered)
    arbiter.join(1)
    arbiter.join(2)
    script = [(1, b"A 7"), (2, b"A 7"), (1, b"A 1"), (1, b"A 2"), (2, b"A 1"), (2, b"A 2"), (2, b"A 3")]
    passed = [each for epoch, text in script for each in arbiter.offer(Arrival(epoch, (text, False), 0))]
    assert [each.message[0] for each in passed] == [b"A 7", b"A 1", b"A 2", b"A 3"]


def rising(payload):
    symbol, number = payload.decode().split()
    return (Seen(symbol, first=int(number), last=int(number), gapless=False),)


@st.composite
def two_lines_that_skip(draw):
    """What each of two sockets brings of one stream, whose numbers have holes of their own, and a merge."""
    steps = draw(st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 3)), min_size=1, max_size=30))
    numbers, stream = {"A": 0, "B": 0}, []
    for symbol, step in steps:
        numbers[symbol] += step
        stream.append(f"{symbol} {numbers[symbol]}".encode())
    lines = [[each for each in stream if draw(st.booleans()) or draw(st.booleans())] for _ in range(2)]
    return stream, lines, draw(st.lists(st.sampled_from([0, 1]), max_size=80))


def run_lines(arbiter, lines, merge, *, lead=0, step_ns=1_000_000):
    """Bring what two sockets carry, merged; the second joins after `lead` frames. Return what passed."""
    arbiter.join(1)
    passed, places, now_ns, joined = [], [0, 0], 0, False
    for line in [*merge, *[0] * len(lines[0]), *[1] * len(lines[1])]:
        if not joined and places[0] >= min(lead, len(lines[0])):
            arbiter.join(2)
            joined = True
        if places[line] < len(lines[line]) and (line == 0 or joined):
            now_ns += step_ns
            passed += arbiter.offer(Arrival(line + 1, (lines[line][places[line]], False), now_ns))
            passed += arbiter.overdue(now_ns)
            places[line] += 1
    passed += arbiter.overdue(now_ns + 10 * SECOND_NS)
    return [arrival.message[0] for arrival in passed + arbiter.leave(1) + arbiter.leave(2)]


@given(two_lines_that_skip(), st.integers(0, 5), st.sampled_from([1, 1_000_000, 200_000_000]))
def test_of_numbers_that_only_rise_each_frame_that_a_socket_brought_passes_once(case, lead, step_ns):
    stream, lines, merge = case
    got = run_lines(Arbiter(rising), lines, merge, lead=lead, step_ns=step_ns)
    assert sorted(got) == sorted(each for each in stream if each in lines[0] or each in lines[1])


@given(two_lines_that_skip())
def test_numbers_that_only_rise_stay_in_order_while_no_socket_leaves_one_out(case):
    stream, _, merge = case
    assert run_lines(Arbiter(rising), [stream, stream], merge) == stream


@given(two_lines_that_skip(), st.integers(0, 5), st.sampled_from([1, 1_000_000, 200_000_000]))
def test_of_numbers_without_holes_each_frame_passes_once_where_nobody_announces_one(case, lead, step_ns):
    stream, lines, merge = case
    got = run_lines(Arbiter(numbered), lines, merge, lead=lead, step_ns=step_ns)
    assert sorted(got) == sorted(each for each in stream if each in lines[0] or each in lines[1])


@given(two_lines_that_skip(), st.integers(0, 5), st.sampled_from([1, 1_000_000, 200_000_000]))
def test_of_numbers_without_holes_each_frame_passes_once_or_lies_in_an_announced_hole(case, lead, step_ns):
    stream, lines, merge = case
    got = run_lines(Arbiter(numbered, holes_are_announced=True), lines, merge, lead=lead, step_ns=step_ns)
    assert sorted(got) == sorted(set(got))
    holes = Continuity().look(got, numbered, 0)
    announced = {
        f"{hole.symbol} {number}".encode() for hole in holes for number in range(hole.first, hole.last + 1)
    }
    received = {each for each in stream if each in lines[0] or each in lines[1]}
    assert received - set(got) <= announced
    for symbol in (b"A", b"B"):
        numbers = [int(each.split()[1]) for each in got if each.startswith(symbol)]
        behind = [number for number in numbers if number >= numbers[0]]
        assert behind == sorted(behind)  # what came before the first of all may come late


def test_a_number_that_one_socket_skipped_passes_behind_higher_ones_and_its_repeats_do_not():
    arbiter = Arbiter(rising)
    arbiter.join(1)
    arbiter.join(2)
    script = [(1, b"A 1"), (2, b"A 1"), (1, b"A 4"), (2, b"A 3"), (2, b"A 4"), (1, b"A 9"), (2, b"A 9")]
    passed = [each for epoch, text in script for each in arbiter.offer(Arrival(epoch, (text, False), 0))]
    assert [each.message[0] for each in passed] == [b"A 1", b"A 4", b"A 3", b"A 9"]


def test_what_a_socket_that_stood_still_for_half_a_minute_brings_again_does_not_pass():
    arbiter = Arbiter(rising)
    arbiter.join(1)
    arbiter.join(2)
    assert all(arbiter.offer(Arrival(1, (b"A %d" % n, False), n * SECOND_NS)) for n in range(1, 31))
    late = [arbiter.offer(Arrival(2, (b"A %d" % n, False), 31 * SECOND_NS)) for n in range(1, 31)]
    assert late == [[]] * 30


def test_one_number_twice_on_a_socket_is_two_frames():
    arbiter = Arbiter(rising)
    arbiter.join(1)
    arbiter.join(2)
    passed = [len(arbiter.offer(Arrival(epoch, (b"A 1", False), 0))) for epoch in (1, 2, 2, 1)]
    assert passed == [1, 0, 1, 0]


def test_the_windows_of_the_arbiter_are_bounded_by_time():
    for peek, most in ((numbered, 11), (rising, 61)):
        arbiter = Arbiter(peek)
        arbiter.join(1)
        arbiter.join(2)
        for number in range(1000):
            text = f"x{number} 0" if peek is numbered else f"x {number + 1}"
            arbiter.offer(Arrival(1, (text.encode(), False), number * SECOND_NS))
        assert len(arbiter._by_bytes.copies) + len(arbiter._by_number.copies) <= most


def test_the_windows_of_the_arbiter_are_bounded_by_count(monkeypatch):
    monkeypatch.setattr(_arbiter, "MAX_REMEMBERED", 100)
    arbiter = Arbiter(rising)
    arbiter.join(1)
    for number in range(1, 1000):
        arbiter.offer(Arrival(1, (f"x {number}".encode(), False), 0))
    assert len(arbiter._by_number.copies) == 100


# --- continuity ---


def test_each_kind_of_number_is_followed():
    table = {
        b"1": Seen("A", first=10, last=12),
        b"2": Seen("A", first=13, last=20),
        b"3": Seen("A", first=25, last=30),
        b"4": Seen("F", first=1, last=5),
        b"5": Seen("F", first=9, last=11, previous=5),
        b"6": Seen("F", first=20, last=22, previous=15),
        b"7": Seen("R", last=5, gapless=False),
        b"8": Seen("R", last=500, gapless=False),
    }
    continuity = Continuity()
    holes = continuity.look(list(table), lambda payload: (table[payload],), 5)
    assert [(hole.symbol, hole.first, hole.last) for hole in holes] == [("A", 21, 24), ("F", 12, 15)]
    assert [(hole.since_ns, hole.index) for hole in holes] == [(5, 2), (5, 5)]
    assert continuity.take_symbols() == {"A", "F", "R"}
    assert continuity.take_symbols() == set()


def test_a_hole_begins_when_the_symbols_own_last_frame_came():
    continuity = Continuity()
    for at, text in enumerate((b"A 1", b"B 1", b"B 2"), 10):
        assert continuity.look([text], numbered, at) == []
    (hole,) = continuity.look([b"B 3", b"A 3"], numbered, 13)
    assert (hole.symbol, hole.first, hole.last, hole.since_ns, hole.index) == ("A", 2, 2, 10, 1)


def test_a_number_that_came_late_is_no_hole_and_one_that_counts_anew_begins_a_run():
    late = [b"A 5", b"A 3", b"A 6", b"A 8"]
    assert [(hole.first, hole.last) for hole in Continuity().look(late, numbered, 0)] == [(7, 7)]
    anew = [b"A 5", b"A 1", b"A 2", b"A 5"]
    assert [(hole.first, hole.last) for hole in Continuity().look(anew, numbered, 0)] == [(3, 4)]


# --- renewal ---


def test_the_time_of_day_comes_before_the_venues_cut_or_the_cut_does():
    limits = VenueLimits(scope="", socket_seconds=86_400.0)
    midnight = 0
    assert renewal_seconds(Healing(), VenueLimits(scope=""), midnight, 0.5) is None
    assert 0.95 * 86_400 <= renewal_seconds(Healing(), limits, midnight, 0.99) <= 0.99 * 86_400
    assert renewal_seconds(Healing(renew_at=3600), limits, midnight, 0.0) == 3600
    assert seconds_until(3600, 3600 * SECOND_NS) == 86_400
