"""Whatever comes in, both languages reply, and the same; nothing makes them throw."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.workers.contract import KNOWN, WORKER_ID, event, nested
from tests.workers.drivers import Driver, GatewayError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
COMMANDS = st.sampled_from([*KNOWN.split(", "), "stop-publish", "LIST", "Send_Raw", "İ"])
FIELDS = {
    "url": st.just("wss://venue.test"),
    "id": st.sampled_from(["c-1", "é"]),
    "topic": st.just("ticks"),
    "message": st.sampled_from(["aGVsbG8=", "", "YR=="]),
    "params": st.lists(TEXT, min_size=1, max_size=3),
}
OPTIONAL_FIELDS = {
    "tags": st.dictionaries(TEXT, TEXT, max_size=3),
    "options": st.dictionaries(TEXT, TEXT, max_size=3),
    "lease_seconds": st.integers(0, 2**32 - 1),
    "auto_reconnect": st.booleans(),
    "secrets": st.booleans(),
    "replay": st.booleans(),
    "connector": TEXT,
    "content_type": TEXT,
    "encoding": TEXT,
}
VALID = st.fixed_dictionaries({"command": COMMANDS} | FIELDS, optional=OPTIONAL_FIELDS)
NAMES = st.sampled_from(["command", *FIELDS, *OPTIONAL_FIELDS])
MESSAGES = st.text("aY+/=-_ ", max_size=8)
SPOILT = st.builds(
    lambda fields, name, value: fields | {name: value}, VALID, NAMES, st.one_of(JSON, SCALARS, MESSAGES)
)
EVENTS = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {"data": st.one_of(VALID, SPOILT, VALID.map(json.dumps), JSON)},
        optional={
            "correlationid": st.sampled_from(["k-1", "k-2"]) | JSON,
            "replytopic": JSON,
            "data_base64": TEXT,
        },
    ),
)
MINE = json.dumps({"connections": [{"id": "a", "owner": WORKER_ID, "n": 1.5, "deep": nested(9)}, 7, {}]})
ANSWERS = st.sampled_from(
    [
        '{"id":"c-1","status":"connected"}',
        '{"id":"c-1","status":7}',
        MINE,
        '{"connections":{},"ids":{}}',
        '{"ids":["a","\\ud83d\\ude00"]}',
        "{}",
        "[]",
        "",
        None,
        GatewayError("NOT_FOUND: no such connection"),
        GatewayError("€ broke: it"),
        GatewayError(""),
    ]
)


def run(worker: Driver, events: list[str], answers: list) -> tuple[list[dict], list[tuple]]:
    calls = []

    def gateway(*call: str) -> str | None:
        calls.append(call)
        answer = answers[len(calls) % len(answers)]
        if isinstance(answer, GatewayError):
            raise answer
        return answer

    worker.new(WORKER_ID)
    replies = [worker.process(item, gateway) for item in events]
    for reply in replies:
        assert reply.pop("id")
    return replies, calls


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    events=st.lists(EVENTS.map(json.dumps), min_size=1, max_size=4),
    answers=st.lists(ANSWERS, min_size=1, max_size=3),
)
@example(events=[event({"command": "list", "x": nested(levels)}) for levels in (63, 64)], answers=["{}"])
@example(events=["[" * 900 + "]" * 900, '{"a":' * 300 + "1" + "}" * 300], answers=["{}"])
def test_both_languages_reply_the_same(
    python_worker, dotnet_worker, events: list[str], answers: list
) -> None:
    expected_replies, expected_calls = run(python_worker, events, answers)
    replies, calls = run(dotnet_worker, events, answers)

    assert calls == expected_calls  # the texts of the requests too
    assert replies == expected_replies
    for reply in replies:
        data = reply["data"]
        assert (reply["specversion"], data["worker"]) == ("1.0", WORKER_ID)
        assert isinstance(data["command"], str)
        assert data["success"] or (data["message"] and data["code"].isupper())


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]))
    | st.text('[]{}",:\\u0123e.-+ \ttruefalsn', max_size=24)
)
def test_texts_that_are_no_event_get_a_reply(python_worker, dotnet_worker, text: str) -> None:
    assert run(dotnet_worker, [text], ["{}"]) == run(python_worker, [text], ["{}"])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=st.text('[]{}",:\\u0123e.-+ \ttruefalsn', max_size=24))
@example(text='"command":"stop","x":1.0e+5')
@example(text='"command":"stop","x":"\\u00E9\\uD83D\\uDE00\x7f"')
@example(text='"command":"stop","x":-')
@example(text='"command":"stop","x":1.')
@example(text='"command":"stop","x":[1,]')
@example(text='"command":"stop","x":-0')
@example(text='"command":"stop","command":"list"')
def test_both_languages_read_the_same_json(python_worker, dotnet_worker, text: str) -> None:
    events = [
        json.dumps({"data": "{" + text + "}"}),
        json.dumps({"data": '{"command":"list","x":' + text + "}"}),
    ]
    assert run(dotnet_worker, events, ["{}"]) == run(python_worker, events, ["{}"])


@pytest.mark.parametrize("levels", [1_000, 100_000])
def test_deep_nesting_does_not_end_a_process(dotnet_worker, levels: int) -> None:
    deep = '{"correlationid":"k","data":{"command":"stop","x":' + "[" * levels + "]" * levels + "}}"
    (reply,), calls = run(dotnet_worker, [deep], ["{}"])

    assert reply["correlationid"] == "k"
    assert reply["data"]["message"] == 'field "data" is no JSON object of at most 64 levels'
    assert calls == []
