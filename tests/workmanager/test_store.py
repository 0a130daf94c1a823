"""Workers in the state store: what each format's records hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtufin_examples.workmanager._record import HistoryItem, WorkerRecord
from virtufin_examples.workmanager._store import _read_record

FIXTURES = Path(__file__).parent / "fixtures"
KEPT = WorkerRecord(
    id="w",
    mime_type="text/x-python",
    language="python",
    topic="commands",
    created_at="2026-11-21T12:00:00Z",
    code=b"x = 1\n",
    history=(
        HistoryItem("a" * 64, "2026-11-21T11:00:00Z", "https://code.example/worker.py"),
        HistoryItem("b" * 64, "2026-11-21T12:00:00Z"),
    ),
    config={"symbol": "BTC/USD"},
    tags={"run": "1"},
    lease_seconds=60,
    running=True,
)


def test_a_record_of_format_1_is_read() -> None:
    assert _read_record((FIXTURES / "worker-1.json").read_bytes(), "w") == KEPT


def test_a_newer_format_is_refused_with_both_versions_named() -> None:
    with pytest.raises(ValueError, match="format version 2, this program reads up to 1"):
        _read_record(
            (FIXTURES / "worker-1.json").read_bytes().replace(b'"format_version":1', b'"format_version":2'),
            "w",
        )
