"""Tests that need recorded market data: `make test-recorded` names its folder."""

import os
from pathlib import Path

import pytest

VARIABLE = "VIRTUFIN_RECORDED_DATA"

collect_ignore_glob = [] if os.environ.get(VARIABLE) else ["test_*.py"]


@pytest.fixture(scope="session")
def folder():
    path = Path(os.environ[VARIABLE])
    if not path.is_dir():
        pytest.fail(f"{VARIABLE}: there is no folder {path} with recorded data", pytrace=False)
    return path
