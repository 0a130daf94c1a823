"""Frame events and notes: what is encoded, delivered and decoded."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.frames import strategies
from tests.frames.strategies import TOPIC, steady
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import (
    BATCH_CONTENT_TYPE,
    BATCH_EVENT_TYPE,
    FRAME_EVENT_TYPE,
    Cause,
    ConnectionBeat,
    Frame,
    FrameFlag,
    Gap,
    Heartbeat,
    Note,
    decode_message,
    encode_batch,
    encode_frame_event,
    encode_note,
    note_dict,
    read_message,
)

GAP = Gap(
    topic=TOPIC,
    connection_id="c",
    epoch_before=1,
    epoch_after=2,
    cause=Cause.RECONNECT,
    from_ns=1732108308123456789,
    to_ns=1732108308223456789,
    sequence=7,
)


def delivered(event: bytes) -> tuple[str, str, bytes, dict[str, object]]:
    """Take a structured CloudEvent apart as a sidecar does for a gRPC subscriber."""
    attributes = json.loads(event)
    data = (
        base64.b64decode(attributes.pop("data_base64"))
        if "data_base64" in attributes
        else attributes.pop("data").encode()
    )
    known = {
        name: attributes.pop(name) for name in ("specversion", "type", "source", "id", "datacontenttype")
    }
    extensions = {**attributes, "topic": TOPIC, "pubsubname": "pubsub", "time": "2026-01-01T00:00:00Z"}
    return known["type"], known["datacontenttype"], data, extensions


@steady
@given(strategies.frames())
def test_every_frame_event_comes_back_as_it_was(frame: Frame) -> None:
    assert decode_message(TOPIC, *delivered(encode_frame_event(frame))) == [frame]


def test_a_text_frame_event_has_the_form_of_the_contract() -> None:
    frame = Frame(
        TOPIC,
        "conn-1",
        3,
        42,
        1732108308123456789,
        b'{"p":1.10,"big":1732108308123456789}',
        FrameFlag.SIMULATED,
        0,
        "wss://x/y",
    )
    assert json.loads(encode_frame_event(frame)) == {
        "specversion": "1.0",
        "type": "com.virtufin.websocketmanager.frame",
        "source": "urn:com.virtufin.websocketmanager",
        "id": "conn-1-42",
        "datacontenttype": "text/plain",
        "connectionid": "conn-1",
        "epoch": "3",
        "sequence": "42",
        "receivedtime": "1732108308123456789",
        "connectionurl": "wss://x/y",
        "simulated": "true",
        "data": '{"p":1.10,"big":1732108308123456789}',
    }


def test_a_binary_frame_event_carries_base64() -> None:
    frame = Frame(TOPIC, "c", 1, 1, 5, b"\x00\xff", FrameFlag.BINARY)
    event = json.loads(encode_frame_event(frame))
    assert (event["datacontenttype"], event["data_base64"]) == ("application/octet-stream", "AP8=")
    assert "data" not in event
    assert "simulated" not in event


def test_a_text_frame_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="c-9 is marked as text but is not UTF-8"):
        encode_frame_event(Frame(TOPIC, "c", 1, 9, 5, b"\xff"))


@pytest.mark.parametrize(
    "broken",
    [{"sequence": "x"}, {"sequence": 7.0}, {"sequence": "-1"}, {"epoch": "9" * 21}, {"connectionid": ""}],
)
def test_a_frame_event_with_a_bad_extension_is_refused_by_name(broken: dict[str, object]) -> None:
    event_type, content_type, data, extensions = delivered(
        encode_frame_event(Frame(TOPIC, "c", 1, 1, 5, b"x"))
    )
    (name,) = broken
    with pytest.raises(InvalidInputError, match=f"extension {name}"):
        decode_message(TOPIC, event_type, content_type, data, {**extensions, **broken})
    del extensions[name]
    with pytest.raises(InvalidInputError, match=f"extension {name} of a frame is None"):
        decode_message(TOPIC, event_type, content_type, data, extensions)


@steady
@given(strategies.notes)
def test_every_note_comes_back_as_it_was(note: Note) -> None:
    event_type, data = encode_note(note)
    assert decode_message(TOPIC, event_type, "text/plain", data, {}) == [note]
    assert json.loads(data) == note_dict(note)


def test_a_gap_has_the_form_of_the_contract() -> None:
    event_type, data = encode_note(GAP)
    assert event_type == "com.virtufin.websocketmanager.gap"
    assert json.loads(data) == note_dict(GAP)
    assert note_dict(GAP) == {
        "topic": TOPIC,
        "connectionid": "c",
        "epoch_before": 1,
        "epoch_after": 2,
        "cause": "reconnect",
        "from_ns": "1732108308123456789",
        "to_ns": "1732108308223456789",
        "ended": True,
        "sequence": 7,
    }


@steady
@given(strategies.notes)
def test_no_number_of_a_note_is_a_nanosecond(note: Note) -> None:
    def walk(value: object, name: str = "") -> None:
        if isinstance(value, dict):
            for key, entry in value.items():
                walk(entry, key)
        elif isinstance(value, list):
            for entry in value:
                walk(entry, name)
        else:
            assert isinstance(value, str) or not name.endswith("_ns")

    walk(json.loads(encode_note(note)[1]))


def test_a_field_added_later_is_passed_over() -> None:
    event_type, data = encode_note(GAP)
    later = msgspec.json.encode({**json.loads(data), "added_later": 1})
    assert decode_message(TOPIC, event_type, "text/plain", later, {}) == [GAP]


@pytest.mark.parametrize(
    ("change", "names"),
    [({"from_ns": 5}, "from_ns"), ({"cause": "weather"}, "weather"), ({"ended": "yes"}, "ended")],
)
def test_a_bad_note_is_refused_by_name(change: dict[str, object], names: str) -> None:
    event_type, data = encode_note(GAP)
    with pytest.raises(InvalidInputError, match=names):
        decode_message(
            TOPIC, event_type, "text/plain", json.dumps({**json.loads(data), **change}).encode(), {}
        )


@steady
@given(st.binary(max_size=30))
def test_garbage_in_place_of_a_note_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError, match=r"bad com\.virtufin"):
        decode_message(TOPIC, "com.virtufin.websocketmanager.gap", "text/plain", data, {})


def test_deeply_nested_garbage_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"bad com\.virtufin"):
        decode_message(TOPIC, "com.virtufin.websocketmanager.gap", "text/plain", b"[" * 100_000, {})


def test_a_batch_message_names_its_instance() -> None:
    frame = Frame(TOPIC, "c", 1, 1, 5, b"x")
    message = read_message(
        TOPIC, BATCH_EVENT_TYPE, BATCH_CONTENT_TYPE, encode_batch([frame], instance="h"), {}
    )
    assert message.instance == "h"
    assert [each for run in message.items for each in run.frames(TOPIC)] == [frame]


@pytest.mark.parametrize("event_type", ["", "com.dapr.event.sent", FRAME_EVENT_TYPE + "s"])
def test_a_foreign_message_is_refused(event_type: str) -> None:
    with pytest.raises(InvalidInputError, match="topic ticks: a message of type"):
        decode_message(TOPIC, event_type, "text/plain", b"{}", {})


def test_a_heartbeat_of_a_connection_without_a_frame_yet_survives_the_way():
    beat = ConnectionBeat(connection_id="c", state="connected", epoch=1, last_sequence=0, last_received_ns=0)
    sent = Heartbeat(topic=TOPIC, kind="start", sent_ns=5, connections=(beat,))
    kind, data = encode_note(sent)
    assert decode_message(TOPIC, kind, "text/plain", data, {}) == [sent]


def test_a_heartbeat_names_its_publisher_and_one_that_does_not_is_read_too() -> None:
    sent = Heartbeat(topic=TOPIC, kind="beat", sent_ns=5, publisher="p")
    kind, data = encode_note(sent)
    assert decode_message(TOPIC, kind, "text/plain", data, {}) == [sent]
    older = data.replace(b',"publisher":"p"', b"")
    assert decode_message(TOPIC, kind, "text/plain", older, {}) == [
        msgspec.structs.replace(sent, publisher="")
    ]
