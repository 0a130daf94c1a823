"""What daprd makes of an event on its way to a gRPC subscriber (`GRPCEnvelopeFromSubscriptionMessage`).

JSON is written anew from doubles, text is made UTF-8, and a type that is neither arrives empty.
"""

from __future__ import annotations

from dapr.proto.runtime.v1 import appcallback_pb2

from virtufin_examples.bus.embedded._content import is_binary, is_json, is_text
from virtufin_examples.bus.embedded._go_json import rewritten, written_string
from virtufin_examples.bus.embedded._message import Message, message_of


def as_daprd_delivers(message: Message) -> Message:
    """Return the message with the data that daprd would deliver."""
    event = appcallback_pb2.TopicEventRequest.FromString(message.body)
    event.data = delivered_data(event.data_content_type, event.data)
    return message_of(event, message.expires_at)


def delivered_data(content_type: str, data: bytes) -> bytes:
    """Return the data that a gRPC subscriber of daprd gets."""
    if is_binary(content_type):
        return data
    if is_text(content_type):
        return data.decode(errors="replace").encode()
    if not is_json(content_type):
        return b""
    try:
        return rewritten(data)
    except (ValueError, RecursionError):
        return written_string(data.decode(errors="replace"))  # what is no JSON travels as a string
