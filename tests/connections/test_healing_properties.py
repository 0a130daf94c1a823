"""What holds of back-off, budgets and watchdogs whatever comes: against models written down anew."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtufin_examples.connections import Backoff, DataWatch, Pace, Scope, Sequencer, Window
from virtufin_examples.connections._silence import (
    FIRST_SECONDS,
    LONGEST_SECONDS,
    QuietSymbols,
    Remedy,
    Silence,
)
from virtufin_examples.venues import Budget, VenueLimits

# --- back-off ---


@given(
    st.lists(st.tuples(st.floats(0, 60), st.floats(0, 100), st.floats(0, 1, exclude_max=True)), max_size=40)
)
def test_a_pause_is_what_the_venue_asked_for_and_a_part_of_the_bound_behind_it(script):
    drawn = iter([part for _, _, part in script])
    backoff = Backoff(lambda: next(drawn))
    bound = 0.5
    for life, wait, part in script:
        backoff.lived(life)
        if life >= 10:
            bound = 0.5
        assert backoff.next_seconds(wait) == pytest.approx(wait + part * bound)
        bound = min(30.0, 2 * bound)


# --- budgets ---


def no_span_holds_more(places, count, seconds):
    places = sorted(places)
    return all(
        later - earlier >= seconds - 1e-6 for earlier, later in zip(places, places[count:], strict=False)
    )


@given(
    st.integers(1, 10),
    st.integers(1, 100),
    st.lists(st.integers(-20, 20), min_size=1, max_size=60),
)
def test_a_place_is_the_earliest_that_keeps_the_order_and_the_budget_also_when_times_go_back(
    count, seconds, steps
):
    window = Window(Budget(count, seconds))
    now, places = 0, []
    for step in steps:
        now += step
        earliest = [now, *places[-1:]]
        if len(places) >= count:
            earliest.append(places[-count] + seconds)
        places.append(now + window.reserve(now))
        assert places[-1] == max(earliest)
    assert places == sorted(places)
    assert no_span_holds_more(places, count, seconds)


@given(
    st.integers(1, 4),
    st.integers(0, 12),
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5)), min_size=1, max_size=80),
)
def test_processes_that_share_a_scope_keep_its_budget_together(processes, more, script):
    count = processes + more  # fewer than processes cannot be shared: each needs one
    scopes = [
        Scope(VenueLimits(scope="v", connects=Budget(count, 10.0)), processes) for _ in range(processes)
    ]
    now, places = 0.0, []
    for process, pause in script:
        now += pause
        places.append(now + scopes[process % processes].connect_wait(now))
    assert no_span_holds_more(places, count, 10.0)


@given(st.lists(st.tuples(st.sampled_from(["connect", "block"]), st.floats(0, 20)), max_size=60))
def test_nobody_connects_before_the_venue_allows_it_again_nor_beyond_the_budget(script):
    scope = Scope(VenueLimits(scope="v", connects=Budget(3, 10.0)))
    now, blocked, places = 0.0, 0.0, []
    for what, seconds in script:
        if what == "block":
            scope.block(now, seconds)
            blocked = max(blocked, now + seconds)
            continue
        now += seconds
        at = now + scope.connect_wait(now)
        assert at >= blocked - 1e-9
        places.append(at)
    assert no_span_holds_more(places, 3, 10.0)


# --- data ---

TICKS = st.lists(
    st.tuples(st.sampled_from(["data"] + 11 * ["nothing"]), st.booleans(), st.integers(0, 30)),
    max_size=200,
)


@given(TICKS, st.integers(3, 20))
def test_data_are_called_stale_when_an_open_market_was_silent_for_the_limit_and_never_else(script, limit):
    watch = DataWatch(float(limit))
    now, frames, since, stale, was_open = 0.0, 0, 0.0, False, False
    for first, (what, shut, pause) in enumerate(script):
        step = 1.0 if pause < 29 else 60.0  # now and then the process stands still
        now += step
        is_open = not shut or pause > 3  # mostly
        frames += what == "data"
        change = watch.tick(now, frames, (), is_open=is_open)
        if first == 0 or step > 5 or (is_open and not was_open):
            since = now
        was_open = is_open
        if what == "data":
            since, stale = now, False
        expected = is_open and not stale and what != "data" and now - since >= limit
        stale = stale or expected
        assert change.stale == expected
        assert watch.is_stale == stale


@given(st.integers(1, 3), st.integers(0, 120))
def test_a_symbol_is_stale_after_six_of_its_own_silences_and_none_before(pace, silence):
    watch = DataWatch(None)
    now = frames = 0
    for _ in range(12 * pace):  # B comes each second, A each `pace` seconds: ten silences of each are known
        now, frames = now + 1, frames + 1
        assert not watch.tick(now, frames, {"B", *["A"] * (now % pace == 0)}, is_open=True).stale_symbols
    stale = []
    for _ in range(silence):
        now, frames = now + 1, frames + 1
        stale += watch.tick(now, frames, {"B"}, is_open=True).stale_symbols
    limit = max(10, 6 * pace)
    if silence < limit:
        assert stale == []
    if silence >= limit + 5:  # symbols are looked through every 5 s
        assert stale == ["A"]


def test_an_outage_is_not_learned_as_a_normal_silence():
    pace = Pace()
    for silence in [5.0] * 31 + [1000.0]:
        pace.learn(silence)
    assert pace.limit_seconds == 30.0
    watch = DataWatch(None)
    for second in range(13):
        watch.tick(float(second), second, (), is_open=True)
    before = watch.limit_seconds
    for second in range(13, 60):
        watch.tick(float(second), 12, (), is_open=True)
    assert watch.is_stale
    for second in range(60, 70):  # of ten silences the outage would be the longest
        watch.tick(float(second), second, (), is_open=True)
    assert (watch.is_stale, watch.limit_seconds) == (False, before)
    assert max(watch._whole.pace._silences) == 1.0


def test_while_all_data_have_stopped_no_single_symbol_is_called_stale():
    watch = DataWatch(12.0)
    for second in range(12):
        watch.tick(float(second), second, {"A"}, is_open=True)
    changes = [watch.tick(float(second), 11, (), is_open=True) for second in range(12, 100)]
    assert sum(change.stale for change in changes) == 1
    first = next(index for index, change in enumerate(changes) if change.stale)
    assert not any(change.stale_symbols for change in changes[first:])


def test_the_silence_of_a_closed_market_is_none_of_the_venues():
    watch = DataWatch(10.0)
    script = [(second, 1, second < 5 or second >= 100) for second in range(109)]
    assert not any(
        watch.tick(float(now), frames, (), is_open=is_open).stale for now, frames, is_open in script
    )
    assert watch.tick(110.0, 1, (), is_open=True).stale


# --- numbers ---


def test_what_was_granted_stays_granted():
    sequencer = Sequencer("c", "")
    sequencer.grant(1, 3)
    sequencer.grant(1, 2)
    assert [sequencer.take() for _ in range(3)] == [1, 2, 3]


# --- what is confirmed and does not come ---


def remedies(ticks, limit, step=1):
    """What a line's silence calls for, by second: each replacement brings a socket that is looked at anew.

    A look every `step` seconds: with 5 the process just does not count as having stood still.
    """
    silence, socket, frames, found = Silence(), 1, 0, []
    for tick, (came, watched) in enumerate(ticks):
        second = tick * step
        frames += came
        remedy = silence.tick(float(second), socket=socket, frames=frames, limit=limit, watched=watched)
        if remedy is not Remedy.NONE:
            found.append((second, remedy))
        if remedy is Remedy.REPLACE:
            socket, frames = socket + 1, 0
    return found


@given(st.lists(st.booleans(), max_size=300), st.sampled_from([None, 10.0, 40.0]))
def test_while_data_come_within_the_limit_nothing_is_done(script, limit):
    ticks = [(came or second % 9 == 0, True) for second, came in enumerate(script)]
    assert remedies(ticks, limit) == []


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60), st.sampled_from([10.0, 40.0]))
def test_silence_that_lasts_is_treated_within_the_longest_pause_and_four_times_an_hour_in_the_end(
    script, limit
):
    hours = 5
    quiet = [(False, True)] * (hours * 720)
    began = len(script) * 5
    found = [second for second, _ in remedies([*script, *quiet], limit, step=5) if second >= began]
    assert found
    assert found[0] - began <= LONGEST_SECONDS + 5
    assert all(after - before <= LONGEST_SECONDS + 5 for before, after in itertools.pairwise(found))
    in_last_hour = [second for second in found if second >= began + (hours - 1) * 3600]
    assert 3 <= len(in_last_hour) <= 5


@given(st.lists(st.booleans(), max_size=100))
def test_a_market_that_is_closed_is_never_asked(script):
    assert remedies([(came, False) for came in script for _ in range(60)], 10.0) == []


def test_a_process_that_stood_still_does_nothing_about_the_silence():
    silence = Silence()
    for second in range(8):
        assert silence.tick(float(second), socket=1, frames=5, limit=10.0, watched=True) is Remedy.NONE
    assert silence.tick(500.0, socket=1, frames=5, limit=10.0, watched=True) is Remedy.NONE
    assert silence.tick(505.0, socket=1, frames=5, limit=10.0, watched=True) is Remedy.NONE
    found = [silence.tick(505.0 + n, socket=1, frames=5, limit=10.0, watched=True) for n in range(1, 6)]
    assert found[-1] is Remedy.REPLACE


@given(st.sets(st.sampled_from("ABCD")), st.sets(st.sampled_from("ABCD")))
def test_each_quiet_symbol_is_asked_for_ever_more_rarely_and_only_while_it_is_quiet(stopped, unseen):
    quiet = QuietSymbols()
    asked = {name: [] for name in "ABCD"}
    for second in range(0, 3 * 3600, 30):
        for name in quiet.due(float(second), stopped, unseen):
            asked[name].append(second)
    for name, times in asked.items():
        if name not in stopped | unseen:
            assert times == []
            continue
        assert times[0] == (0 if name in stopped else FIRST_SECONDS)
        pauses = [after - before for before, after in itertools.pairwise(times)]
        assert pauses == [min(LONGEST_SECONDS, 2**n * FIRST_SECONDS) for n in range(1, len(pauses) + 1)]
    assert quiet.due(1e6, (), ()) == ()
    assert set(quiet.due(1e6 + 1, stopped, ())) == stopped  # what came back and stops again begins anew
