from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.example_run.samples import GAP, NOW, NUMBERED_GAP, SECOND, frame
from virtufin_examples.example_run._tally import LatencyHistogram, Tally


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_percentiles_are_within_two_percent(values: list[float], share: float) -> None:
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[math.ceil(len(values) * share) - 1]
    assert histogram.percentile(share) == pytest.approx(exact, rel=0.02)
    assert histogram.latency().max == round(max(values), 3)


def test_clock_that_is_ahead_counts_as_no_time() -> None:
    histogram = LatencyHistogram()
    histogram.add(-5.0)
    assert histogram.latency().max == 0


def test_frames_that_waited_for_the_feed_to_open_are_counted_but_not_measured() -> None:
    tally = Tally(NOW + 5)
    for n in range(1, 5):
        tally.add(frame(n), NOW + SECOND)
    assert tally.frames == 4
    assert tally.latency().max is None
    tally.add(frame(5), NOW + 5 + 2_000_000)
    assert tally.latency().max == 2.0


def test_gaps_and_rate() -> None:
    tally = Tally(NOW)
    assert tally.rate == 0
    for n in range(11):
        tally.add(frame(n * SECOND // 10), NOW)
    tally.add(GAP, NOW)
    tally.add(NUMBERED_GAP, NOW)
    assert tally.rate == pytest.approx(10)
    assert (tally.gaps, tally.gap_ms) == (2, 750.0)


def test_silence_at_the_end_counts_for_the_rate() -> None:
    tally = Tally(NOW)
    tally.end(NOW)
    assert tally.seconds == 0  # no frame came
    for n in range(11):
        tally.add(frame(n * SECOND // 10), NOW)
    tally.end(NOW + 5 * SECOND)
    assert tally.seconds == 5
    assert tally.rate == pytest.approx(2)
