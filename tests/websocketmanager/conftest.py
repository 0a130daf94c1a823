"""Every test has a spool of its own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def spool_dir(tmp_path, monkeypatch):
    folder = tmp_path / "spool"
    monkeypatch.setenv("VIRTUFIN_SPOOL_DIR", str(folder))
    return folder
