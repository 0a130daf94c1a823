"""The script by itself: what needs no platform. Whole runs are in `tests/e2e`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "run_alpaca_market_data_example.py"
OURS = ("VIRTUFIN_", "ALPACA_", "APCA_", "DAPR_")


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=folder,
        env={**clean, **environment},
        check=False,
    )


def test_help_is_instant(tmp_path: Path) -> None:
    run(tmp_path, "--help")
    started = time.monotonic()
    done = run(tmp_path, "--help")
    assert time.monotonic() - started < 0.4
    assert done.returncode == 0
    assert "--frames" in done.stdout


@pytest.mark.parametrize("arguments", [["--frames", "none"], ["--nonsense"], ["--json", "--view", "lines"]])
def test_wrong_usage_is_status_2(arguments: list[str], tmp_path: Path) -> None:
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")


def test_missing_settings_are_status_2_and_named(tmp_path: Path) -> None:
    done = run(tmp_path, "--settings", "nowhere.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere.json" in done.stderr
    assert "fix:" in done.stderr


def test_keeping_without_a_gateway_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "--keep")
    assert done.returncode == 2
    assert "virtufin up" in done.stderr


def test_unreachable_gateway_is_told_within_five_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    done = run(tmp_path, VIRTUFIN_API_URL="no-such-host.invalid:5002")
    assert time.monotonic() - started < 5
    assert done.returncode == 1
    assert "no such host" in done.stderr


def test_gateway_address_that_is_none_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "--gateway", "https://gateway")
    assert done.returncode in (1, 2)
    assert "https" in done.stderr
