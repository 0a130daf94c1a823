"""CloudEvents to a worker and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.bus import Event
from virtufin_examples.errors import WorkerError
from virtufin_examples.workmanager._events import dead_letter, from_worker, is_expired, to_worker

names = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def event(data: bytes = b"", content_type: str = "application/json", **extensions: object) -> Event:
    return Event(
        id="1", topic="t", data=data, content_type=content_type, type="x", source="s", extensions=extensions
    )


@given(json_values, st.dictionaries(names, st.text()), st.dictionaries(names, st.text()))
def test_an_event_keeps_its_data_and_its_own_attributes_win(data, config, extensions) -> None:
    sent = Event(
        id="1",
        topic="t",
        data=json.dumps(data).encode(),
        content_type="application/json",
        type="x",
        source="s",
        extensions=extensions,
    )
    seen = json.loads(to_worker(sent, config))
    fixed = {"id": "1", "type": "x", "source": "s", "datacontenttype": "application/json", "data": data}
    assert seen == {**config, **extensions, "specversion": "1.0", **fixed}


@given(st.binary(min_size=1))
def test_data_that_is_no_json_or_text_reaches_the_worker_as_bytes(data: bytes) -> None:
    for content_type in ("application/json", "text/plain", "application/octet-stream"):
        seen = json.loads(to_worker(event(data, content_type), {}))
        assert ("data" in seen) != ("data_base64" in seen)
        if "data_base64" in seen:
            assert msgspec.convert(seen["data_base64"], bytes, builtin_types=()) == data
        elif content_type == "text/plain":
            assert seen["data"].encode() == data


def test_an_event_without_type_and_source_says_unknown() -> None:
    bare = Event(id="1", topic="t", data=b"", content_type="text/plain", type="", source="", extensions={})
    seen = json.loads(to_worker(bare, {}))
    assert (seen["type"], seen["source"], "data" in seen) == ("unknown", "unknown", False)


def answered(answer: dict, **extensions: object) -> tuple[str, dict]:
    output = from_worker(json.dumps(answer).encode(), event(**extensions), worker_id="w", new_id="new")
    return output.topic, json.loads(output.data)


def test_an_answer_goes_to_its_type_and_is_completed() -> None:
    topic, sent = answered({"type": "replies", "data": {"a": 1}}, correlationid="c")
    assert topic == "replies"
    assert sent == {
        "specversion": "1.0",
        "id": "new",
        "source": "urn:com.virtufin.workmanager.worker:w",
        "type": "replies",
        "datacontenttype": "application/json",
        "correlationid": "c",
        "data": {"a": 1},
    }


def test_replytopic_wins_and_what_the_worker_set_is_kept() -> None:
    answer = {"type": "replies", "id": "mine", "correlationid": "own", "source": "me", "data": "text"}
    topic, sent = answered(answer, replytopic="mine.only", correlationid="c")
    assert topic == sent["type"] == "mine.only"
    assert (sent["id"], sent["source"], sent["correlationid"]) == ("mine", "me", "own")
    assert sent["datacontenttype"] == "text/plain"


@pytest.mark.parametrize("answer", [{}, {"type": ""}, {"type": 1}, {"type": "t", "Not-Legal": 1}])
def test_an_answer_that_cannot_be_published_is_the_workers_error(answer: dict) -> None:
    with pytest.raises(WorkerError, match="the worker's answer has"):
        answered(answer)


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ({"command": "send_raw", "message": "x"}, False),
        ({"command": "SEND_RAW", "message": "x", "secrets": "yes"}, False),
        ({"command": "send_raw", "message": "x", "secrets": True}, True),
        ({"command": "create", "url": "wss://x"}, True),
        (["send_raw"], True),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/octet-stream"])
def test_a_message_that_may_hold_a_secret_is_not_dead_lettered(
    command, kept: bool, content_type: str
) -> None:
    letter = dead_letter(event(json.dumps(command).encode(), content_type))
    assert (letter is not None) is kept
    if letter is not None:
        assert letter.topic == "t-dead"


def test_only_a_stamp_in_the_past_expires_an_event() -> None:
    now = datetime.now(UTC)
    for stamp, expired in [
        ((now - timedelta(seconds=1)).isoformat(), True),
        ((now + timedelta(seconds=1)).isoformat(), False),
        ("tomorrow", False),
        ("2020-01-01T00:00:00", False),
        (3.0, False),
    ]:
        assert is_expired(event(expiration=stamp), now) is expired
    assert not is_expired(event(), now)
