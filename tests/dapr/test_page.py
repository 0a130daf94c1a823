"""What `docs/dapr.md` says is what the suite expects."""

from __future__ import annotations

from tests.dapr.differences import table
from tests.programs import ROOT


def test_the_page_shows_the_differences_that_the_suite_expects():
    assert table() in (ROOT / "docs" / "dapr.md").read_text("utf-8")
