"""What WorkManager and worker host say to each other (architecture, "Worker hosts").

A message is a 4-byte big-endian length and UTF-8 JSON. Both sides use this module, so it stays light.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from virtufin_examples.errors import ResourceLimitError

HEADER_BYTES = 4
MAX_MESSAGE_BYTES = 16 * 1024 * 1024


class _Message(msgspec.Struct, frozen=True, tag_field="type"):
    pass


class Load(_Message, frozen=True, tag="load"):
    """Load this code and start the worker in it."""

    worker_id: str
    topic: str
    mime_type: str
    code: bytes


class Process(_Message, frozen=True, tag="process"):
    """Handle one event."""

    id: int
    event: msgspec.Raw


class GatewayResult(_Message, frozen=True, tag="gateway_result"):
    """The gateway's answer to a worker's call; `response` is proto3 JSON."""

    id: int
    success: bool
    status: str
    message: str
    response: str


class Ping(_Message, frozen=True, tag="ping"):
    """Say that you live."""

    id: int


class Shutdown(_Message, frozen=True, tag="shutdown"):
    """End after the event in hand."""


class Ready(_Message, frozen=True, tag="ready"):
    """The worker is loaded and started."""

    runtime: str
    language: str


class Failed(_Message, frozen=True, tag="failed"):
    """The code cannot be run; the message says why and what to do."""

    message: str


class Result(_Message, frozen=True, tag="result"):
    """What the worker answered: a CloudEvent or null."""

    id: int
    event: msgspec.Raw


class Error(_Message, frozen=True, tag="error"):
    """The worker raised."""

    id: int
    message: str


class GatewayCall(_Message, frozen=True, tag="gateway_call"):
    """The worker calls a service; `request` is proto3 JSON."""

    id: int
    service: str
    method: str
    request: str


class Pong(_Message, frozen=True, tag="pong"):
    """The answer to a ping."""

    id: int


ToHost: TypeAlias = Load | Process | GatewayResult | Ping | Shutdown
FromHost: TypeAlias = Ready | Failed | Result | Error | GatewayCall | Pong

_encoder = msgspec.json.Encoder()
_to_host: msgspec.json.Decoder[ToHost] = msgspec.json.Decoder(ToHost)
_from_host: msgspec.json.Decoder[FromHost] = msgspec.json.Decoder(FromHost)


def pack(message: ToHost | FromHost) -> bytes:
    """Return a message as header and body; `ResourceLimitError` above 16 MiB."""
    body = _encoder.encode(message)
    if len(body) > MAX_MESSAGE_BYTES:
        raise ResourceLimitError(
            f"{type(message).__name__.lower()}: {len(body)} bytes, at most {MAX_MESSAGE_BYTES} fit"
        )
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def body_length(header: bytes) -> int:
    """Return the length that a header announces; `ResourceLimitError` above 16 MiB."""
    length = int.from_bytes(header, "big")
    if length > MAX_MESSAGE_BYTES:
        raise ResourceLimitError(
            f"message of {length} bytes announced, at most {MAX_MESSAGE_BYTES} are allowed"
        )
    return length


def read_to_host(body: bytes) -> ToHost:
    """Parse a message of the WorkManager; raises `msgspec.MsgspecError` when it is none."""
    return _to_host.decode(body)


def read_from_host(body: bytes) -> FromHost:
    """Parse a message of a host; raises `msgspec.MsgspecError` when it is none."""
    return _from_host.decode(body)
