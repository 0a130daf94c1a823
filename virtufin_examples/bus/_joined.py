"""Several messages of a subscription stream in one: `virtufin.v1.JoinedMessages`.

A gRPC message costs each side some 50 us, whatever it holds. Who calls with `ASK` in the call's metadata can
read joined messages; a runtime that answers with the same in its initial metadata sends and takes them. With
any other, which ignores it, a message holds one event or answer, as ever, and is read in the same way.
"""

from __future__ import annotations

from virtufin_examples._generated.virtufin.v1.joined_pb2 import JoinedMessages

ASK = ("virtufin-joined-messages", "1")

SUBSCRIBE_METHOD = "SubscribeTopicEventsAlpha1"
MOST_BYTES = 256 * 1024
"""Of joined messages; a larger one goes by itself."""
MOST_MESSAGES = 128

split = JoinedMessages.FromString
