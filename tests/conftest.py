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
    parser.addoption("--faults", action="store_true", help="run the seeded schedules of faults")
    parser.addoption("--seed", type=int, help="with --faults: the one schedule of each kind to run")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "schedules(count): the test runs once a seed, with --faults only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("schedules")
    if marker is not None:
        one = metafunc.config.getoption("--seed")
        metafunc.parametrize("seed", range(marker.args[0]) if one is None else [one])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--faults"):
        schedules = [item for item in items if item.get_closest_marker("schedules")]
        config.hook.pytest_deselected(items=schedules)
        items[:] = [item for item in items if not item.get_closest_marker("schedules")]
