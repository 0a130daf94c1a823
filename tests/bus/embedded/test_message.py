from __future__ import annotations

from dapr.proto.runtime.v1 import appcallback_pb2
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from tests.bus.embedded.events import event, seeded
from virtufin_examples.bus.embedded._message import build_message

_SCALARS = (
    st.none() | st.booleans() | st.text(max_size=200) | st.floats(allow_nan=False, allow_infinity=False)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@seeded
@given(
    st.text(max_size=20),
    st.binary(max_size=70_000),
    st.dictionaries(st.text(min_size=1, max_size=12), _VALUES, max_size=8),
)
def test_a_message_is_the_event_with_its_extensions(event_id, data, extensions):
    head = appcallback_pb2.TopicEventRequest(id=event_id, topic="t", path="/")

    built = event(build_message(head, data, extensions))

    assert (built.id, built.topic, built.data, built.path) == (event_id, "t", data, "/")
    assert json_format.MessageToDict(built.extensions) == extensions


def test_on_another_topic_everything_else_stays_and_the_expiry_goes():
    head = appcallback_pb2.TopicEventRequest(id="1", topic="t", source="s")
    message = build_message(head, b"data", {"topic": "t"}, expires_at=5.0)

    letter = message.on_topic("t-dead")

    assert letter.expires_at is None
    assert event(letter).topic == "t-dead"
    assert event(letter).extensions["topic"] == "t"
    assert (event(letter).id, event(letter).data, event(letter).source) == ("1", b"data", "s")
