"""What the pages show can be read by a machine, and where they point to is there."""

from __future__ import annotations

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

from tests.docs.fences import Fence, fences
from tests.programs import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("workers/*.md")])
FENCES = [fence for page in PAGES for fence in fences(page)]
_LINK = re.compile(r"\]\((?!\w+:)(?P<path>[^)#\s]+)")


def of(language: str) -> list[Fence]:
    return [fence for fence in FENCES if fence.language == language]


def names_imported(tree: ast.Module) -> list[tuple[str, str]]:
    """Pairs of a module of ours and a name that is taken from it."""
    return [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "virtufin_examples"
        for alias in node.names
    ]


@pytest.mark.parametrize("fence", of("python"), ids=str)
def test_a_python_example_compiles_and_imports_what_there_is(fence):
    source = compile(fence.text, str(fence), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for module, name in names_imported(source):
        assert hasattr(importlib.import_module(module), name), f"{fence}: {module} has no {name}"


@pytest.mark.parametrize("fence", of("json"), ids=str)
def test_a_json_example_is_json(fence):
    try:
        json.loads(fence.text)
    except json.JSONDecodeError:  # or JSON lines
        for line in fence.text.splitlines():
            json.loads(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path):
    paths = [match["path"] for match in _LINK.finditer(page.read_text("utf-8"))]
    assert [path for path in paths if not (page.parent / path).exists()] == []
