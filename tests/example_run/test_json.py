from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import msgspec
import pytest

from tests.example_run.samples import (
    CONNECTED,
    FAILED,
    GAP,
    NOW,
    NUMBERED_GAP,
    OTHERS,
    STEP,
    audited,
    frame,
    summary,
)
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.example_run._edits import SymbolsChanged
from virtufin_examples.example_run._json import (
    frame_event,
    gap_event,
    health_event,
    refused_event,
    step_event,
    summary_event,
    symbols_event,
)
from virtufin_examples.example_run._output import Output
from virtufin_examples.example_run._views import JsonView

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "example-output.schema.json").read_text("utf-8"))
LINES = {
    "step": step_event(STEP),
    "failed step": step_event(FAILED),
    "text frame": frame_event(frame(1, CONNECTED)),
    "binary frame": frame_event(frame(2, data=b"\x91\x00\xff", binary=True)),
    "gap": gap_event(GAP),
    "numbered gap": gap_event(NUMBERED_GAP),
    "stale": health_event(OTHERS[0]),
    "restored": health_event(OTHERS[1]),
    "silent": health_event(OTHERS[2]),
    "symbols": symbols_event(SymbolsChanged(("SOL/USD",), (), 11, 6)),
    "refused": refused_event(InvalidInputError("s.json: not JSON", hint="correct it")),
    "summary": summary_event(summary()),
    "summary of a run with faults": summary_event(summary(account=audited())),
    "summary without latency": summary_event(summary(measured=False)),
}


@pytest.mark.parametrize("name", LINES)
def test_every_kind_of_line_is_valid(name: str) -> None:
    line = json.loads(msgspec.json.encode(LINES[name]))
    jsonschema.validate(line, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "line",
    [
        {"event": "other"},
        {**LINES["text frame"], "received_ns": NOW},
        {**LINES["text frame"], "extra": 1},
        {**LINES["step"], "step": "dance"},
        {**LINES["gap"], "cause": "unknown"},
    ],
)
def test_the_schema_refuses_what_is_not_promised(line: dict) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(line, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_frame_is_verbatim() -> None:
    assert LINES["text frame"] == {
        "event": "frame",
        "topic": "ticks",
        "connection_id": "c-1",
        "epoch": 1,
        "sequence": 1,
        "received_ns": str(NOW + 1),
        "data": '[{"T": "success", "msg": "connected"}]',
    }
    assert LINES["binary frame"]["data"] == {"base64": "kQD/"}


@pytest.mark.parametrize(("simulated", "upstream"), [(True, "simulator"), (False, "live")])
def test_summary_names_the_upstream(simulated: bool, upstream: str) -> None:
    assert summary_event(summary(simulated=simulated))["upstream"] == upstream


def test_json_view_prints_what_stopped_and_what_arrives_again(capsys: pytest.CaptureFixture[str]) -> None:
    view = JsonView(Output(sys.stdout), log=pytest.fail)
    for item in OTHERS:
        view.item(item)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["stale", "restored", "silent"]


def test_step_says_no_more_than_promised() -> None:
    assert LINES["step"] == {"event": "step", "step": "create", "ok": True, "ms": 12.5}
