"""The benchmark of the way over Dapr, with rounds as short as can be, on the target without a broker."""

from __future__ import annotations

import json

import pytest

from benchmarks.dapr import __main__ as command
from benchmarks.dapr._protocol import BULK_ENTRIES, Received, Way
from benchmarks.dapr._rounds import Plan, Sample
from benchmarks.dapr._table import columns, table
from benchmarks.dapr._targets import TARGETS, Target
from tests.programs import ROOT
from virtufin_examples.errors import UnavailableError
from virtufin_examples.frames import Encoding


def test_every_way_is_measured_and_no_frame_is_lost(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "QUICK", Plan(rounds=1, seconds=0.2, bare_seconds=0.1))
    file = tmp_path / "figures.json"
    assert command.main(["embedded", "--quick", "--json", str(file)]) == 0
    report = json.loads(file.read_text())
    samples = report["samples"]
    assert len(samples) == 7
    assert all(each["received"]["lost"] == 0 and each["received"]["rate"] > 0 for each in samples)
    assert all(each["processor_us"]["reader"] > 0 for each in samples)
    paced = [each for each in samples if each["frames_a_second"]]
    assert [len(each["received"]["latencies_us"]) for each in paced] == [60, 200]
    assert report["machine"]["system"] == "Linux"
    out, err = capsys.readouterr()
    assert "| **batches**, frames/s |" in out
    assert "round 1 of 1: embedded" in err
    assert str(tmp_path) not in out + file.read_text()


def test_a_target_that_cannot_run_is_an_error(monkeypatch, capsys):
    async def fail(*_args):
        raise UnavailableError("no daprd")

    monkeypatch.setattr(command, "run_rounds", fail)
    assert command.main(["redis"]) == 1
    out, err = capsys.readouterr()
    assert (out, "no daprd" in err) == ("", True)


@pytest.mark.parametrize(
    ("arguments", "said"), [(["rabbitmq"], "rabbitmq"), (["--json", "none/x"], "none/x")]
)
def test_wrong_usage_is_refused_before_anything_runs(arguments, said, capsys):
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def sample(
    target: Target, way: Way, rate: float, *, encoding=Encoding.FRAME, paced=0.0, disordered=0
) -> Sample:
    parts = dict.fromkeys(("publisher", "publisher's sidecar", "reader"), 100.0)
    received = Received(rate, 10, disordered, 0, [1000, 2000, 3000, 9000] if paced else [])
    return Sample(target, way, encoding, paced, received, parts)


def measured() -> list[Sample]:
    """Three rounds of two targets: Redis half as fast as embedded, bare calls twice as fast as ours."""
    samples = []
    for target, rate in ((Target.EMBEDDED, 1000.0), (Target.REDIS, 500.0)):
        for factor in (1, 3, 2):
            for encoding in Encoding:
                samples += [
                    sample(target, Way.OURS, rate * factor, encoding=encoding),
                    sample(target, Way.BARE, rate * factor * 2, encoding=encoding),
                    sample(target, Way.OURS, 300.0, encoding=encoding, paced=300.0),
                ]
            samples.append(sample(target, Way.BULK, rate, disordered=target is Target.REDIS))
    return samples


def test_the_page_shows_every_row_of_the_table_for_all_targets():
    page = (ROOT / "docs" / "dapr.md").read_text().partition("## Speed")[2].partition("\n## ")[0]
    shown = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    printed = [line.split("|")[1].strip() for line in table(columns(measured())).splitlines()]
    assert shown == printed
    assert f"| {' | '.join(TARGETS)} |" in page


def test_the_table_has_a_column_for_each_target_and_ratios_to_the_first_and_to_the_bare_calls():
    lines = table(columns(measured())).splitlines()
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines}
    assert rows[""] == ["embedded", "redis"]
    assert rows["**one frame a message**, frames/s"] == ["2,000 (1,000 to 3,000)", "1,000 (500 to 1,500)"]
    assert rows["of embedded"] == ["1.00", "0.50"]
    assert rows["ours of that"] == ["0.50", "0.50"]
    assert [cell.split(", ")[-1] for cell in rows[f"bare bulk calls of {BULK_ENTRIES}, frames/s"]] == [
        "in order",
        "out of order",
    ]
    assert rows["latency at 1000/s, ms: p50 / p99 / p99.9 / max"] == ["2.0 / 9.0 / 9.0 / 9.0"] * 2
