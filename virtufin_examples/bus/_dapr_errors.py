"""What a sidecar's statuses mean, and what to do about them."""

from __future__ import annotations

import grpc
import grpc.aio

from virtufin_examples.errors import (
    AccessDeniedError,
    ResourceLimitError,
    UnavailableError,
    VirtufinError,
    error_from_status,
)

_TOO_LARGE = {
    "Sent message larger than max": "send less at once: 16 MiB is the most that a sidecar is sent",
    "received message larger than max": "start daprd with --max-body-size 16Mi; its default is 4 MiB",
    "maximum payload exceeded": "raise max_payload of the NATS server (1 MB by default; base64 adds a third)",
    "message size exceeds maximum allowed": "raise max_msg_size of the JetStream stream",
    "larger than configured Producer.MaxMessageBytes": "raise maxMessageBytes of the Kafka component",
    "Message was too large": "raise message.max.bytes of the Kafka broker, or the topic's max.message.bytes",
}
"""What says in the details of an error that a message is too large: gRPC, daprd, NATS and Kafka's client."""

_NOT_ALLOWED = "is not allowed"
"""What daprd says of a topic outside an app id's scopes."""


def bus_error(error: grpc.aio.AioRpcError, what: str, endpoint: str) -> VirtufinError:
    """Return the error for a failed call; see `status_error`."""
    return status_error(error.code().name, error.details() or "no details", what, endpoint)


def status_error(status: str, details: str, what: str, endpoint: str) -> VirtufinError:
    """Return the error for a status and its details; `what` says what was tried, as in `publish to ticks`.

    INTERNAL is what daprd answers when the broker or the store behind it fails: to the caller the bus is
    down, as it is when the sidecar does not answer. It is also the answer to a message that the broker will
    never take for its size, which is no reason to wait: that is a `ResourceLimitError`.
    """
    message = f"Dapr at {endpoint}: {what}: {details}"
    for words, fix in _TOO_LARGE.items():
        if words in details:
            return ResourceLimitError(message, hint=fix)
    if _NOT_ALLOWED in details:  # daprd's status for a subscription is another one than for a publication
        status = "PERMISSION_DENIED"
    match status:
        case "UNAVAILABLE":
            return UnavailableError(
                message,
                hint="is the sidecar or the embedded runtime running there? "
                "DAPR_GRPC_ENDPOINT or DAPR_GRPC_PORT names it",
            )
        case "INTERNAL" | "CANCELLED":
            return UnavailableError(message)
        case "UNAUTHENTICATED":
            return AccessDeniedError(message, hint="set DAPR_API_TOKEN to the sidecar's token")
        case "PERMISSION_DENIED":
            return AccessDeniedError(
                message,
                hint="the component's file says which app id may do what: publishingScopes, "
                "subscriptionScopes, allowedTopics and protectedTopics; for secrets it is the Configuration",
            )
    return error_from_status(status, message)
