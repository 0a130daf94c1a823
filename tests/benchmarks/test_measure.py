"""Figures, their spread and their table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._measure import Figure, percentile, table
from benchmarks._plan import Sample, figures

SAMPLE = Sample(**dict.fromkeys(Sample.__slots__, 12345.678))


@pytest.mark.parametrize(
    ("samples", "bound", "verdict"), [((1, 5, 2), 2, "ok"), ((1, 5, 3), 2, "MISSED"), ((9,), 0, "")]
)
def test_the_median_decides(samples, bound, verdict):
    figure = Figure("x", "s", samples, bound)
    assert figure.verdict == verdict
    report = figure.as_json()
    assert (report["median"], report["min"], report["max"]) == (figure.median, min(samples), max(samples))
    assert (report["verdict"], report["at_most"], report["samples"]) == (verdict, bound, samples)


def test_the_table_fits_80_columns():
    lines = table(figures([SAMPLE, SAMPLE])).splitlines()
    assert len(lines) == 1 + len(Sample.__slots__)
    assert max(len(line) for line in lines) <= 80
    assert any(line.endswith("MISSED") for line in lines)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_sample_that_the_share_does_not_exceed(samples, share):
    found = percentile(samples, share)
    assert found in samples
    assert sum(sample <= found for sample in samples) >= share * len(samples) - 1e-6
    assert sum(sample < found for sample in samples) < share * len(samples)


def test_percentiles_of_a_hundred():
    samples = list(range(100, 0, -1))
    assert [percentile(samples, share) for share in (0.5, 0.99, 1.0)] == [50, 99, 100]
