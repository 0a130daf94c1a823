"""Whole programs as a user starts them: the script, the platform, the simulator, a subscriber."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.programs import (
    ROOT,
    SCRIPT,
    Program,
    control,
    eventually_none,
    keys_of,
    processes_in,
    programs,
    start_platform,
    start_simulator,
    write_settings,
)

__all__ = ["ROOT", "SCRIPT", "control", "eventually_none", "processes_in"]

UNDER_FAULTS = ("--json", "--engine", "python", "--faults", "7", "--duration", "4")


def closes_its_account(run: Program) -> None:
    """Wait for the end of a run under faults: every frame came, or lies in an announced gap."""
    assert run.end(timeout=50) == 0, "".join(run.stderr)
    account = run.lines[-1]["account"]
    assert (account["closed"], account["findings"]) == (True, [])
    assert account["faults"] > 0
    assert account["sent"] == account["delivered"] + account["in_gaps"] > 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start programs in an empty folder; whatever is left of them at the end is a failure."""
    with programs(tmp_path) as run:
        yield run


@pytest.fixture
def simulator(start) -> dict:
    """A simulator of the test's own, with its control port: a test can know what the venue knows."""
    return start_simulator(start)


@pytest.fixture
def simulator_environment(simulator) -> dict[str, str]:
    """Its keys as if they were an account's, allowed to go to this machine."""
    return keys_of(simulator)


@pytest.fixture
def settings_file(tmp_path: Path, simulator) -> Path:
    """Settings of a feed from that simulator."""
    return write_settings(tmp_path / "feed.json", simulator, topic="books")


@pytest.fixture
def platform(start, simulator) -> dict:
    """A platform of the test's own: addresses of its services."""
    return start_platform(start, simulator)
