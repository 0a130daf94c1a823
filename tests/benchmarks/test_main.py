"""The benchmark as it is run, with rounds as short as they can be."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks._plan import Plan
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


def test_a_part_that_cannot_run_is_an_error(monkeypatch, capsys):
    def fail(plan, say):
        raise UnavailableError("the example ended with status 1: it said why")

    monkeypatch.setattr(command, "run_rounds", fail)
    assert command.main(["control", "--quick"]) == 1
    out, err = capsys.readouterr()
    assert (out, "it said why" in err) == ("", True)


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
