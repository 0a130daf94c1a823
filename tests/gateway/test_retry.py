"""When a call is tried again."""

from __future__ import annotations

import grpc
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.gateway._retry import MAX_DELAY_SECONDS, RetryRule

chances = st.floats(0, 1, exclude_max=True)


@given(st.sampled_from([code.name for code in grpc.StatusCode if code.name != "UNAVAILABLE"]), chances)
def test_only_unavailable_is_tried_again(status: str, chance: float) -> None:
    assert RetryRule(20, 0.2).wait(status, 0, chance=chance, left=1000) is None


@given(st.integers(0, 20), st.floats(0.01, 60), st.integers(0, 40), chances, st.floats(0, 100))
def test_waits_are_bounded_by_the_doubled_base_and_the_deadline(
    attempts: int, base: float, attempt: int, chance: float, left: float
) -> None:
    wait = RetryRule(attempts, base).wait("UNAVAILABLE", attempt, chance=chance, left=left)
    if attempt >= attempts:
        assert wait is None
    if wait is not None:
        assert 0 <= wait <= min(MAX_DELAY_SECONDS, base * 2**attempt)
        assert wait < left


@given(st.integers(0, 9), st.floats(0, 0.999))
def test_the_jitter_is_full(attempt: int, chance: float) -> None:
    rule = RetryRule(10, 0.001)
    assert rule.wait("UNAVAILABLE", attempt, chance=0, left=100) == 0
    wait = rule.wait("UNAVAILABLE", attempt, chance=chance, left=100)
    assert wait == 0.001 * 2**attempt * chance


def test_nothing_is_tried_again_past_the_deadline() -> None:
    assert RetryRule(3, 1.0).wait("UNAVAILABLE", 0, chance=0.9, left=0.5) is None
