"""The subscriber: reads topics to the last frame, counts what is missing, and how old the frames are.

`python -m benchmarks.throughput.reader --dapr HOST:PORT --topics T[,T] --frames N [--bare] [--latency 1]`
says "ready", then a `Read` line at the end of a round, and with `--every SECONDS` one for each such span.
The end is the last frame, or that frames came and then none for `--quiet` seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator

import msgspec

from benchmarks._measure import percentile
from benchmarks.throughput.sender import DUE
from virtufin_examples.client import Subscription, subscribe
from virtufin_examples.frames import Frame, Gap

SHARES = (0.5, 0.99, 0.999, 1.0)


class Read(msgspec.Struct, frozen=True):
    """What was counted since the last line. Latencies in us at `SHARES`, empty without `--latency`."""

    frames: int = 0
    ended_ns: int = 0
    lost: int = 0
    """Gaps that were told, and frames that came out of turn."""
    missing: int = 0
    """Frames that never came."""
    last: bool = True
    from_receipt_us: list[float] = []
    from_due_us: list[float] = []


class _Count:
    def __init__(self, latency_of: int) -> None:
        self.frames = self.lost = 0
        self._latency_of = latency_of
        self._receipt_ns: list[int] = []
        self._due_ns: list[int] = []
        self._sequences: dict[str, int] = {}

    def add(self, items: list[object]) -> None:
        """Count items as a callback gets them, one after the other."""
        frames, latency_of, sequences = self.frames, self._latency_of, self._sequences
        for item in items:
            if type(item) is Frame:
                frames += 1
                connection = item.connection_id
                if item.sequence != sequences.get(connection, 0) + 1:
                    self.lost += 1
                sequences[connection] = item.sequence
                if latency_of and not frames % latency_of:
                    now_ns = time.time_ns()
                    self._receipt_ns.append(now_ns - item.received_ns)
                    self._due_ns.append(now_ns - int(item.data[DUE]))
            elif isinstance(item, Gap):
                self.lost += 1
        self.frames = frames

    def take(self, *, last: bool, missing: int = 0) -> Read:
        """Return what was counted, and begin anew."""
        read = Read(
            self.frames,
            time.monotonic_ns(),
            self.lost,
            missing,
            last,
            _percentiles(self._receipt_ns),
            _percentiles(self._due_ns),
        )
        self.frames = self.lost = 0
        self._receipt_ns, self._due_ns = [], []
        return read


def _percentiles(samples_ns: list[int]) -> list[float]:
    ordered = sorted(samples_ns)
    return [percentile(ordered, share) / 1000 for share in SHARES] if ordered else []


async def _one_by_one(subscription: Subscription) -> AsyncIterator[list[object]]:
    async for item in subscription:
        yield [item]


def _say(message: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


async def _read_ours(given: argparse.Namespace) -> None:
    count, left = _Count(given.latency), given.frames
    ended = asyncio.Event()
    next_line = time.monotonic() + given.every

    async with contextlib.AsyncExitStack() as stack:
        app_id = f"reader-{os.getpid()}"
        subscriptions = [
            await stack.enter_async_context(subscribe(topic, dapr=given.dapr, app_id=app_id))
            for topic in given.topics.split(",")
        ]
        _say("ready")

        async def read(batches: AsyncIterator[list[object]]) -> None:
            nonlocal left, next_line
            async for batch in batches:
                before = count.frames
                count.add(batch)
                left -= count.frames - before
                if left <= 0:
                    ended.set()
                elif given.every and time.monotonic() >= next_line:
                    next_line += given.every
                    _say(count.take(last=False))

        tasks = [
            asyncio.ensure_future(read(_one_by_one(each) if given.singly else each.batches()))  # type: ignore[arg-type]
            for each in subscriptions
        ]
        for _ in range(given.rounds):
            before = given.frames
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), given.quiet)
                if left == before < given.frames:
                    break
                before = left
            missing, left = max(0, left), given.frames
            ended.clear()
            _say(count.take(last=True, missing=missing))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read_bare(given: argparse.Namespace) -> None:
    from benchmarks.dapr._bare import BareStub, bare_messages  # noqa: PLC0415 - ours needs none of it

    stub = BareStub(given.dapr, f"reader-{os.getpid()}")
    messages = bare_messages(stub, given.topics)
    try:
        await anext(messages)
        _say("ready")
        left = given.frames
        async for _ in messages:
            left -= 1
            if not left:
                break
        _say(Read(given.frames, time.monotonic_ns(), 0))
    finally:
        await messages.aclose()
        await stub.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--dapr", required=True)
    parser.add_argument("--topics", required=True)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--bare", action="store_true", help="single messages, by the generated stubs alone")
    parser.add_argument("--latency", type=int, default=0, help="of every so many frames; 0: of none")
    parser.add_argument("--singly", action="store_true", help="iterate by frame, not by batch")
    parser.add_argument("--rounds", type=int, default=1, help="so many times the frames")
    parser.add_argument("--every", type=float, default=0.0)
    parser.add_argument("--quiet", type=float, default=10.0)
    arguments = parser.parse_args()
    asyncio.run(_read_bare(arguments) if arguments.bare else _read_ours(arguments))
    sys.stdin.read()
