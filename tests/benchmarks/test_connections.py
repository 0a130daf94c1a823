"""Many connections in one WebSocketManager: all are live, and a quiet one costs little."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.programs import ROOT

BOUND = 45_000
"""Bytes: half as much again as was measured, for what a run of a few hundred connections rounds up."""


def test_each_idle_connection_costs_little_memory_and_all_are_live():
    program = (
        "import asyncio, json; from benchmarks.connections.__main__ import idle; "
        "from virtufin_examples.service import configure_logging; configure_logging('t', level='error'); "
        "print(json.dumps(asyncio.run(idle(400))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    figures = json.loads(done.stdout)
    assert figures["live"] == 420
    assert figures["bytes_each"] < BOUND
