"""Channels between neighbours: services of one platform, and the runtime and its app."""

from __future__ import annotations

MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # as daprd is started with --max-body-size 16Mi

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),  # a proxy is for the outside world
    # A neighbour that was restarted is back in a second: gRPC alone waits up to two minutes between tries.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
