"""Shared fixtures. Each package of the project has a folder of tests with one module a source module."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The same examples each time, however busy the machine is; `--hypothesis-profile explore` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--ci", action="store_true", help="fail where Mono or a C# compiler is missing")
    parser.addoption(
        "--dapr", action="store_true", help="run the conformance suite: daprd, Redis, NATS, Kafka"
    )
