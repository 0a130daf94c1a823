"""What the benchmark tells its two children, and what they say: one JSON line each."""

from __future__ import annotations

import asyncio
import enum
import sys
from typing import TypeVar

import msgspec

from virtufin_examples.frames import Encoding

CONNECTION = "benchmark"
PUBLISHER, READER = "publisher", "reader"
PAYLOAD = b'{"T":"t","S":"AAPL","i":52983525029461,"x":"V","p":187.43,"s":100,"c":["@","I"]}'.ljust(150)
BULK_ENTRIES = 100
WARM_UP_FRAMES = 20
END = b"end"
"""The payload of the last message begins with it."""


class Way(enum.StrEnum):
    """Who publishes and reads: the product, or the generated stubs of Dapr alone, which is the limit."""

    OURS = "ours"
    BARE = "bare"
    BULK = "bulk"
    """Bare calls again, `BULK_ENTRIES` messages in each."""


class Task(msgspec.Struct, frozen=True):
    """One measurement; both children get the same but for the endpoint."""

    way: Way
    encoding: Encoding
    topic: str
    endpoint: str
    seconds: float
    frames_a_second: float = 0.0
    """0: as many as go."""


class Received(msgspec.Struct, frozen=True):
    """What the reader counted."""

    rate: float
    """Frames a second after the warm-up."""
    last_sequence: int
    disordered: int
    """Frames that came behind a later one."""
    lost: int
    """Gaps that were told, or numbers that never came."""
    latencies_us: list[int]
    """From when a frame was due to be sent to the reader's hands; empty without `frames_a_second`."""


T = TypeVar("T")


async def open_input() -> asyncio.StreamReader:
    """Return this child's commands."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


def say(message: object) -> None:
    """Say one line to the benchmark."""
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


async def listen(lines: asyncio.StreamReader, kind: type[T]) -> T | None:
    """Return the next line; None at the end."""
    line = await lines.readline()
    return msgspec.json.decode(line, type=kind) if line else None
