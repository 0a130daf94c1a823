"""The lane: publish and subscribe at the embedded runtime without gRPC around every message.

A gRPC call from Python and back takes 0.7 ms, as much processor time, and four threads; a message on a plain
socket of the event loop 0.1 ms. So the runtime listens a second time, on a free port of the loopback
interface, which GetMetadata names. Whoever does not know it, as every other client of Dapr, misses nothing.

A connection carries frames either way: length of the body (4 bytes, big-endian), kind (1 byte), number
(4 bytes), body. The client says `HELLO` and is answered `WELCOME`. Then it publishes, any number at a time,
each answered `DONE` or `PROBLEM` under its number; or it subscribes, once, and gets `WELCOME` again, then
`EVENT`s, which it answers with `ACK`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import msgspec

LANE_METADATA = "virtufin.lane"
"""Where the runtime's extended metadata say `PORT/KEY/GRPC_PORT`."""

LANE_HOST = "127.0.0.1"
MAX_BODY_BYTES = 16 * 1024 * 1024 + 64 * 1024
"""Dapr's limit for a message, and room for what is around its data."""

HELLO = 1
WELCOME = 2
PUBLISH = 3
DONE = 4
PROBLEM = 5
SUBSCRIBE = 6
EVENT = 7
ACK = 8
"""The number is the answer, the body the id of the event."""
PUBLISH_BULK = 9
"""Its `DONE` has Dapr's response for a body."""

_HEADER = struct.Struct(">IBI")

Received = tuple[int, int, bytes]
"""Kind, number, body."""


class LaneError(ValueError):
    """The other side does not keep to the protocol."""


class Hello(msgspec.Struct, frozen=True):
    """Who comes. `key` names the runtime: what listens on its port now may be another program."""

    key: str
    app_id: str
    token: str


class Problem(msgspec.Struct, frozen=True):
    """Why not: the status that gRPC would have given, and its details."""

    code: str
    details: str


@dataclass(frozen=True, slots=True)
class LaneAddress:
    """Where a runtime's lane is. Who reaches its gRPC at another port has something between, on purpose."""

    port: int
    key: str
    grpc_port: int


def parse_lane(text: str) -> LaneAddress | None:
    """Return what the metadata say, None when they name no lane."""
    port, _, rest = text.partition("/")
    key, _, grpc_port = rest.partition("/")
    if not (port.isdecimal() and key and grpc_port.isdecimal()):
        return None
    return LaneAddress(int(port), key, int(grpc_port))


def lane_frame(kind: int, number: int, body: bytes) -> bytes:
    """Return a frame."""
    return lane_header(kind, number, len(body)) + body


def lane_header(kind: int, number: int, length: int) -> bytes:
    """Return what stands before a body of `length` bytes."""
    return _HEADER.pack(length, kind, number)


class FrameReader:
    """Cuts what is received into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Received]:
        """Return the frames that are complete; raises `LaneError` for one that is too long."""
        if not self._rest:
            frames, end = _cut(data, data)
            self._rest += data[end:]
            return frames
        self._rest += data
        with memoryview(self._rest) as view:
            frames, end = _cut(self._rest, view)
        del self._rest[:end]
        return frames


def _cut(data: bytes | bytearray, view: bytes | memoryview) -> tuple[list[Received], int]:
    frames: list[Received] = []
    begin, size = 0, len(data)
    while size - begin >= _HEADER.size:
        length, kind, number = _HEADER.unpack_from(data, begin)
        if length > MAX_BODY_BYTES:
            raise LaneError(f"a frame of {length} bytes, at most {MAX_BODY_BYTES} are taken")
        end = begin + _HEADER.size + length
        if end > size:
            break
        frames.append((kind, number, bytes(view[begin + _HEADER.size : end])))
        begin = end
    return frames, begin
