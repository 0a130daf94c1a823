"""The gRPC channel to a sidecar: how its address is spelled, which limits it has."""

from __future__ import annotations

from urllib.parse import parse_qs

import grpc
import grpc.aio

from virtufin_examples.errors import InvalidInputError

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Both directions; daprd is started with `--max-body-size 16Mi` (its default is 4 MiB)."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A sidecar is a neighbour: a proxy meant for the outside world must not get its calls.
    ("grpc.enable_http_proxy", 0),
    # gRPC waits up to two minutes between tries to connect: far too long for a sidecar that restarts.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


def parse_target(endpoint: str) -> tuple[str, bool]:
    """Return gRPC's address and whether TLS is asked for.

    Takes what `DAPR_GRPC_ENDPOINT` may hold: `host:port`, `dns:`, `unix:` and `vsock:` addresses,
    `?tls=true`, and the older `http://` and `https://`. A host without a port is refused: the official
    SDK would go to port 443, which for a sidecar is never what was meant.
    """
    text = endpoint.strip()
    tls = False
    for scheme, secure in (("https://", True), ("http://", False)):
        if text.startswith(scheme):
            text, tls = text.removeprefix(scheme).rstrip("/"), secure
    address, _, query = text.partition("?")
    for name, values in parse_qs(query, keep_blank_values=True).items():
        if name != "tls" or values[-1] not in {"true", "false"}:
            raise InvalidInputError(
                f"Dapr endpoint {endpoint!r}: parameter {name!r} is not understood",
                hint="the only one is ?tls=true",
            )
        tls = values[-1] == "true"
    local = address.startswith(("unix:", "unix-abstract:", "vsock:"))
    host, _, port = address.rpartition(":")
    if not local and (not host or not port.isdigit()):
        raise InvalidInputError(
            f"Dapr endpoint {endpoint!r} is not host:port", hint="for example 127.0.0.1:50001"
        )
    return address, tls


def is_own_port(endpoint: str, port: int) -> bool:
    """Whether an address is a port of this machine, without TLS."""
    address, tls = parse_target(endpoint)
    host, _, at = address.removeprefix("dns:").lstrip("/").rpartition(":")
    return not tls and at == str(port) and (host in {"localhost", "[::1]"} or host.startswith("127."))


def open_channel(endpoint: str) -> grpc.aio.Channel:
    """Return a channel for the running loop; it connects with the first call."""
    address, tls = parse_target(endpoint)
    if tls:
        return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(), options=_OPTIONS)
    return grpc.aio.insecure_channel(address, options=_OPTIONS)


def call_metadata(app_id: str, api_token: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata of every call; a sidecar ignores the app id, the embedded runtime goes by it."""
    named = (("dapr-app-id", app_id), ("dapr-api-token", api_token))
    return tuple((name, value) for name, value in named if value)
