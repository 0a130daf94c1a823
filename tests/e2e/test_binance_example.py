"""The Binance example as a newcomer runs it: many pairs, many workers, edits while it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, UNDER_FAULTS, closes_its_account, processes_in
from tests.programs import BINANCE_SCRIPT, Program

SETTINGS = json.loads((ROOT / "settings" / "settings.binance.json").read_text())


def pair_of(frame: dict) -> str:
    """The pair of a depth frame; nothing for an answer."""
    message = json.loads(frame["data"])
    return message["data"]["s"] if "data" in message else ""


def until_frame_of(run: Program, pair: str) -> None:
    run.until(lambda line: line.get("event") == "frame" and pair_of(line) == pair)


def numbers(frames: list[dict]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for frame in frames:
        found.setdefault(frame["connection_id"], []).append(frame["sequence"])
    return found


def test_fifty_pairs_over_five_dotnet_workers_and_ten_connections(start):
    run = start(BINANCE_SCRIPT, "--json", "--engine", "dotnet", "--frames", "160")
    run.event("frame")
    assert len(processes_in(run.folder, "workmanager.host")) == 5
    assert run.end() == 0, "".join(run.stderr)
    frames = run.events("frame")
    assert {pair_of(frame) for frame in frames} - {""} == set(SETTINGS["symbols"])
    assert len({frame["topic"] for frame in frames}) == 1
    assert frames[0]["topic"].startswith("binance-depth-")
    by_connection = numbers(frames)
    assert len(by_connection) == 10
    assert all(each == list(range(1, len(each) + 1)) for each in by_connection.values())
    summary = run.lines[-1]
    assert (summary["engine"], summary["frames"], summary["gaps"]) == ("dotnet", 160, 0)
    assert all(line["ok"] for line in run.events("step"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return save(tmp_path / "pairs.json", SETTINGS["symbols"][:4])


def save(path: Path, symbols: list[str], **change: object) -> Path:
    small = {**SETTINGS, "symbols": symbols, "symbols_a_connection": 2, "connections_a_worker": 2, **change}
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(small))
    beside.replace(path)
    return path


def test_under_faults_the_run_says_that_every_frame_came_or_lies_in_an_announced_gap(start, file):
    closes_its_account(start(BINANCE_SCRIPT, *UNDER_FAULTS, "--settings", file))


def test_edits_are_followed_without_a_gap_for_the_others(start, file):
    run = start(BINANCE_SCRIPT, "--json", "--engine", "python", "--settings", file)
    btc, eth, bnb, sol = SETTINGS["symbols"][:4]
    until_frame_of(run, sol)

    save(file, [btc, eth, bnb, sol, "XRPUSDT"])  # no room: a connection and a worker more
    changed = run.event("symbols")
    assert changed == {
        "event": "symbols",
        "added": ["XRPUSDT"],
        "removed": [],
        "connections": 3,
        "workers": 2,
        "unchecked": "",
    }
    until_frame_of(run, "XRPUSDT")

    save(file, [btc, eth, bnb, "XRPUSDT", "ADAUSDT"])  # one goes, one takes its room
    changed = run.event("symbols")
    assert (changed["added"], changed["removed"], changed["connections"]) == (["ADAUSDT"], [sol], 3)
    until_frame_of(run, "ADAUSDT")

    save(file, [btc, eth])  # a connection and a worker less
    changed = run.event("symbols")
    assert (changed["connections"], changed["workers"]) == (1, 1)
    for _ in range(20):
        assert pair_of(run.event("frame")) in {btc, eth, bnb, sol, "XRPUSDT", "ADAUSDT", ""}

    save(file, [btc, "NOSUCH"])  # what settings say wrong: the Alpaca example's test, test_feed_settings.py
    line = run.event("refused")
    assert "NOSUCH" in line["message"]
    assert line["hint"]
    for pair in (btc, eth):
        until_frame_of(run, pair)

    run.process.terminate()
    assert run.end() == 0, "".join(run.stderr)
    assert run.lines[-1]["gaps"] == 0
    assert not run.events("gap")
    by_connection = numbers(run.events("frame"))
    assert all(each == list(range(each[0], each[0] + len(each))) for each in by_connection.values())
