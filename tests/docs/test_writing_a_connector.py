"""The page on connectors is the example plugin: its pieces, in order, are the files."""

from __future__ import annotations

import re

import pytest

from tests.programs import ROOT

PLUGIN = ROOT / "examples" / "beacon-connector"
PAGE = (ROOT / "docs" / "writing-a-connector.md").read_text("utf-8")


def lines_of(text: str) -> list[str]:
    """The lines that are not empty, with their indentation: a piece of a class stands as it does there."""
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize(
    ("language", "file"), [("python", "beacon_connector.py"), ("toml", "pyproject.toml")]
)
def test_the_pieces_of_the_page_are_the_files_of_the_plugin(language, file):
    pieces = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert pieces
    assert lines_of("\n".join(pieces)) == lines_of((PLUGIN / file).read_text("utf-8"))


def test_the_plugin_has_about_150_lines():
    lines = (PLUGIN / "beacon_connector.py").read_text("utf-8").splitlines()
    assert 140 <= len(lines) <= 160
