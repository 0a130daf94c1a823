"""The circuit breaker as a state machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from virtufin_examples.gateway._breaker import BreakerState, CircuitBreaker, Permit, Verdict

THRESHOLD = 3
DURATION = 30.0


def fail(breaker: CircuitBreaker, now: float) -> None:
    permit = breaker.acquire(now)
    assert permit is not None
    breaker.report(permit, Verdict.FAILURE, now)


def test_opens_after_failures_in_a_row_and_a_success_starts_the_count_anew() -> None:
    breaker = CircuitBreaker(threshold=THRESHOLD, duration_seconds=DURATION)
    fail(breaker, 0)
    fail(breaker, 0)
    permit = breaker.acquire(0)
    breaker.report(permit, Verdict.SUCCESS, 0)
    fail(breaker, 0)
    fail(breaker, 0)
    assert breaker.state(0) is BreakerState.CLOSED
    fail(breaker, 0)
    assert breaker.state(0) is BreakerState.OPEN
    assert breaker.acquire(DURATION - 0.001) is None
    assert breaker.retry_in(10) == 20


def test_half_open_lets_one_call_through_and_its_result_decides() -> None:
    breaker = CircuitBreaker(threshold=1, duration_seconds=DURATION)
    fail(breaker, 0)
    trial = breaker.acquire(DURATION)
    assert trial is not None
    assert breaker.state(DURATION) is BreakerState.HALF_OPEN
    assert breaker.acquire(DURATION) is None
    breaker.report(trial, Verdict.FAILURE, DURATION)
    assert breaker.acquire(2 * DURATION - 1) is None
    trial = breaker.acquire(2 * DURATION)
    breaker.report(trial, Verdict.SUCCESS, 2 * DURATION)
    assert breaker.state(2 * DURATION) is BreakerState.CLOSED


def test_a_new_connection_half_opens_it_before_its_time() -> None:
    breaker = CircuitBreaker(threshold=1, duration_seconds=DURATION)
    breaker.connected()
    assert breaker.state(0) is BreakerState.CLOSED
    fail(breaker, 0)
    breaker.connected()
    assert breaker.state(1) is BreakerState.HALF_OPEN
    trial = breaker.acquire(1)
    assert trial is not None
    breaker.report(trial, Verdict.FAILURE, 1)
    assert breaker.retry_in(1) == DURATION


def test_a_cancelled_trial_frees_its_place() -> None:
    breaker = CircuitBreaker(threshold=1, duration_seconds=DURATION)
    fail(breaker, 0)
    trial = breaker.acquire(DURATION)
    breaker.report(trial, Verdict.CANCELLED, DURATION)
    assert breaker.state(DURATION) is BreakerState.HALF_OPEN
    assert breaker.acquire(DURATION) is not None


@given(st.sampled_from(Verdict))
def test_calls_from_before_the_breaker_opened_decide_nothing(verdict: Verdict) -> None:
    breaker = CircuitBreaker(threshold=1, duration_seconds=DURATION)
    late = breaker.acquire(0)
    fail(breaker, 0)
    breaker.report(late, verdict, 1)
    assert breaker.state(1) is BreakerState.OPEN
    trial = breaker.acquire(DURATION)
    breaker.report(late, verdict, DURATION)
    assert breaker.acquire(DURATION) is None
    breaker.report(trial, Verdict.SUCCESS, DURATION)
    assert breaker.state(DURATION) is BreakerState.CLOSED


class BreakerMachine(RuleBasedStateMachine):
    """Many calls at once, in any order of their ends."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = CircuitBreaker(threshold=THRESHOLD, duration_seconds=DURATION)
        self.out: list[tuple[Permit, BreakerState]] = []

    @rule(seconds=st.floats(0, 2 * DURATION))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def call(self) -> None:
        before = self.breaker.state(self.now)
        permit = self.breaker.acquire(self.now)
        if before is BreakerState.CLOSED:
            assert permit is not None
        if before is BreakerState.OPEN:
            assert permit is None
            assert self.breaker.retry_in(self.now) > 0
        if permit is not None:
            self.out.append((permit, before))

    @precondition(lambda self: self.out)
    @rule(data=st.data(), verdict=st.sampled_from(Verdict))
    def end(self, data, verdict: Verdict) -> None:
        permit, _ = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        before = self.breaker.state(self.now)
        self.breaker.report(permit, verdict, self.now)
        after = self.breaker.state(self.now)
        if after is not before:
            assert (before, after, verdict) in {
                (BreakerState.CLOSED, BreakerState.OPEN, Verdict.FAILURE),
                (BreakerState.HALF_OPEN, BreakerState.OPEN, Verdict.FAILURE),
                (BreakerState.HALF_OPEN, BreakerState.CLOSED, Verdict.SUCCESS),
            }

    @invariant()
    def at_most_one_trial_is_out(self) -> None:
        newest = max((permit.generation for permit, _ in self.out), default=-1)
        trials = [p for p, state in self.out if state is BreakerState.HALF_OPEN and p.generation == newest]
        assert len(trials) <= 1

    @invariant()
    def an_open_breaker_never_stays_open(self) -> None:
        assert self.breaker.state(self.now + DURATION) is not BreakerState.OPEN


TestBreakerMachine = BreakerMachine.TestCase
