"""docs/performance.md shows the table that the benchmark prints."""

from __future__ import annotations

from benchmarks._measure import table
from benchmarks._plan import Sample, figures
from tests.docs.fences import fences
from tests.programs import ROOT

NAME = 35  # columns


def test_the_page_has_every_figure_of_the_table():
    (shown,) = [fence.text for fence in fences(ROOT / "docs" / "performance.md") if fence.language == "text"]
    printed = table(figures([Sample(**dict.fromkeys(Sample.__slots__, 1.0))]))
    assert [line[:NAME] for line in shown.splitlines()] == [line[:NAME] for line in printed.splitlines()]
    assert max(len(line) for line in shown.splitlines()) <= 80
