"""Connections of one venue that all drop at once come back at the pace that the venue allows."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.healing._herd import run_herd
from benchmarks.healing._plot import herd_svg
from virtufin_examples.venues import Budget

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_a_herd_comes_back_within_the_budget_and_as_fast_as_it_allows():
    herd = run_herd(100, Budget(30, 30.0))
    assert herd.most_attempts(30.0 - 1e-6) <= 30
    assert len(herd.attempts) == 100  # nobody tries in vain
    assert herd.up[-1] == 100
    assert 90 <= len(herd.up) - 1 <= 92
    assert herd.up[1] == 30


def test_the_picture_in_the_docs_is_made_from_its_figures():
    report = json.loads((DOCS / "herd.json").read_text())
    assert (report["connections"], report["most_attempts"]) == (1000, 300)
    assert (DOCS / "herd.svg").read_text() == herd_svg(report)
