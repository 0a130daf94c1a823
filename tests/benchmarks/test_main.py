"""The benchmark as it is run, with rounds as short as they can be."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks._many_workers import ManyWorkers
from benchmarks._plan import Plan
from benchmarks.healing._path import Way
from virtufin_examples.errors import UnavailableError


def test_a_round_measures_everything(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "QUICK", Plan(rounds=1, live_seconds=0.3, idle_seconds=0.2, commands=25))
    target = tmp_path / "figures.json"
    monkeypatch.setenv("VIRTUFIN_API_URL", "127.0.0.1:9")  # what is measured is the default: none
    here = Path.cwd()
    assert command.main(["control", "--quick", "--json", str(target)]) == 0
    assert (Path.cwd(), os.environ["VIRTUFIN_API_URL"]) == (here, "127.0.0.1:9")
    report = json.loads(target.read_text())
    values = {figure["name"].strip(): figure["median"] for figure in report["figures"]}
    assert len(report["figures"]) == 19
    assert all(value > 0 and math.isfinite(value) for value in values.values())
    assert values["of it the platform's start"] < values["first frame after the script starts"]
    assert values["memory of the idle platform"] > 3 * values["WebSocketManager"] / 2
    assert report["machine"]["system"] == "Linux"
    out, err = capsys.readouterr()
    assert "round 1 of 1" in err
    assert "command round trip, .NET" in out
    assert str(tmp_path) not in out + target.read_text()


@pytest.mark.parametrize(
    "error", [UnavailableError("the example ended with status 1: it said why"), ValueError("it said why")]
)
def test_a_part_that_cannot_run_is_named_with_status_1_and_the_others_are_reported(
    error, monkeypatch, capsys, tmp_path
):
    def fail(plan, say):
        raise error

    monkeypatch.setattr(command, "run_rounds", fail)
    monkeypatch.setattr(command, "_workers", lambda count, say: [ManyWorkers("python", count, 9, 1, 1)])
    target = tmp_path / "figures.json"
    assert command.main(["control", "workers", "--quick", "--json", str(target)]) == 1
    out, err = capsys.readouterr()
    assert "| 5 python |" in out
    assert "cannot measure: control: " in err.splitlines()[-1]
    assert "it said why" in err.splitlines()[-1]
    report = json.loads(target.read_text())
    assert report["workers"][0]["workers"] == 5
    assert "it said why" in report["problems"][0]


def test_an_interrupt_writes_nothing(monkeypatch, capsys, tmp_path):
    def interrupt(plan, say):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_rounds", interrupt)
    assert command.main(["control", "--quick", "--json", str(tmp_path / "figures.json")]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "stopped; nothing is written"
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_refused_before_anything_runs(capsys):
    with pytest.raises(SystemExit) as end:
        command.main(["--json", "no-such-folder/figures.json"])
    assert end.value.code == 2
    assert "no-such-folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"), [(["dta"], "no part 'dta'"), (["control", "--docs"], "--docs shows the part data")]
)
def test_arguments_that_do_not_fit_are_refused(given, said, capsys):
    with pytest.raises(SystemExit) as end:
        command.main(given)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_what_healing_costs_is_a_part_with_its_bounds(monkeypatch, capsys, tmp_path):
    ways = {"without": 100.0, "healing": 95.0, "peek on every frame": 60.0}
    found = {name: Way([rate], [1e9 / rate]) for name, rate in ways.items()}
    monkeypatch.setattr(command, "run_path", lambda rounds, frames: found)
    target = tmp_path / "figures.json"
    assert command.main(["healing", "--quick", "--json", str(target)]) == 0
    out = capsys.readouterr().out
    assert "costs 5.0% of the frames/s, bound 10% ok" in out
    assert "costs 40.0% of the frames/s, bound 30% MISSED" in out
    assert json.loads(target.read_text())["healing"]["healing"]["rates"] == [95.0]
