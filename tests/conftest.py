"""Shared fixtures. Each package of the project has a folder of tests with one module a source module."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--ci", action="store_true", help="fail where Mono or a C# compiler is missing")
