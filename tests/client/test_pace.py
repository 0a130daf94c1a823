from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtufin_examples.client import AtOnce, OnCredit, Timed
from virtufin_examples.errors import InvalidInputError

steady = settings(derandomize=True, deadline=None)
times = st.lists(st.integers(0, 2**62), min_size=1, max_size=20)


@steady
@given(times, st.floats(0.01, 1000))
def test_timed_items_go_with_the_pauses_of_the_recording(received: list[int], speed: float) -> None:
    pace, now = Timed(speed), 1000
    for time in received:
        wait = pace.take(time, now)
        due = 1000 + int((time - received[0]) / speed)
        assert wait == max(0, due - now)
        now += wait
        assert pace.take(time, now) == 0


def test_a_time_that_goes_back_does_not_wait() -> None:
    pace = Timed()
    assert [pace.take(time, 7) for time in (100, 50, 100, 130)] == [0, 0, 0, 30]


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(InvalidInputError, match="speed is"):
        Timed(speed)


@steady
@given(st.lists(st.integers(0, 5), max_size=10))
def test_just_as_many_items_go_as_were_granted(grants: list[int]) -> None:
    pace, went = OnCredit(), 0
    for grant in grants:
        pace.grant(grant)
        while pace.take(0, 0) == 0:
            went += 1
    assert (went, pace.left, pace.take(0, 0)) == (sum(grants), 0, None)


def test_credit_below_zero_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="credit is -1"):
        OnCredit(-1)


def test_at_once_never_waits() -> None:
    assert AtOnce().take(2**63, 0) == 0
