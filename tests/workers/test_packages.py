"""The packages that come with the project."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import re
import sys
import zipfile

import pytest

from virtufin_examples.worker_packages import (
    LIBRARY_VERSION,
    PYTHON_PACKAGE_FILE,
    dotnet_package,
    python_package,
    read_nupkg,
)

MAX_PACKAGE_BYTES = 16 * 1024


@pytest.mark.parametrize(
    ("read", "mime_type"),
    [(dotnet_package, "application/x-dotnet-dll"), (python_package, "text/x-python")],
    ids=["dotnet", "python"],
)
def test_a_package_says_what_it_is(read, mime_type: str) -> None:
    package = read()

    assert package.name == "WebSocketManagerController"
    assert package.mime_type == mime_type
    assert package.sha256 == hashlib.sha256(package.content).hexdigest()
    assert re.fullmatch("[0-9a-f]{64}", package.source_hash)
    assert package.version == f"{LIBRARY_VERSION}-sha.{package.source_hash[:8]}"
    with pytest.raises(dataclasses.FrozenInstanceError):
        package.name = "other"


def test_the_dotnet_package_is_small() -> None:
    assert len(dotnet_package().content) <= MAX_PACKAGE_BYTES


def test_what_is_no_package_is_refused() -> None:
    with pytest.raises(zipfile.BadZipFile):
        read_nupkg(b"MZ")


def test_the_python_worker_needs_the_standard_library_alone() -> None:
    tree = ast.parse(PYTHON_PACKAGE_FILE.read_text())
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert {module.partition(".")[0] for module in modules} <= set(sys.stdlib_module_names)
