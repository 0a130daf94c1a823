"""The table of lifecycle events has every kind that a connection tells, and no other."""

from __future__ import annotations

import re

from tests.programs import ROOT
from virtufin_examples.connections import State


def test_the_page_has_every_kind_of_lifecycle_event():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    section = page.partition("## Lifecycle of a connection")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    source = (ROOT / "virtufin_examples" / "connections" / "_connection.py").read_text("utf-8")
    told = set(re.findall(r'_emit\(\s*"(\w+)"', source))
    assert {"live", "renewed", "error"} <= told
    assert listed == {state.value for state in State} | told
