"""The subscribing process: `python -m benchmarks.dapr.reader`, which counts what arrives."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from benchmarks.dapr._bare import BATCH_FRAMES, BareStub, bare_messages
from benchmarks.dapr._protocol import (
    END,
    READER,
    WARM_UP_FRAMES,
    Received,
    Task,
    Way,
    listen,
    open_input,
    say,
)
from virtufin_examples.client import subscribe
from virtufin_examples.frames import Frame, Gap


@dataclass
class Count:
    """What has arrived; sequences begin at 1."""

    with_latency: bool
    last: int = 0
    frames: int = 0
    disordered: int = 0
    gaps: int = 0
    latencies_us: list[int] = field(default_factory=list)
    _warm: bool = False
    _before: int = 0
    _since: float = 0.0

    def add(self, sequence: int, frames: int = 1) -> None:
        """Count frames up to a sequence."""
        self.frames += frames
        self.disordered += sequence < self.last
        self.last = max(sequence, self.last)

    def look(self) -> None:
        """After each message: say when the warm-up is over, and begin to measure with what follows it."""
        if not self._warm and self.frames >= WARM_UP_FRAMES:
            self._warm = True
            say("warm")
        elif not self._before and self.frames > WARM_UP_FRAMES:
            self._before, self._since = self.frames, time.perf_counter()

    def received(self) -> Received:
        """Return what was counted; the rate leaves out the first message, at which it began."""
        seconds = time.perf_counter() - self._since
        return Received(
            rate=(self.frames - self._before) / seconds,
            last_sequence=self.last,
            disordered=self.disordered,
            lost=self.gaps + self.last - self.frames,
            latencies_us=self.latencies_us,
        )


async def read_ours(task: Task) -> Received:
    """Read by `subscribe()` to the end."""
    count = Count(with_latency=task.frames_a_second > 0)
    async with subscribe(task.topic, dapr=task.endpoint, app_id=READER) as items:
        say("ready")
        async for batch in items.batches():
            now_ns = time.time_ns()
            for item in batch:
                if isinstance(item, Gap):
                    count.gaps += 1
                elif isinstance(item, Frame):
                    count.add(item.sequence)
                    if count.with_latency and count.frames > WARM_UP_FRAMES:
                        count.latencies_us.append((now_ns - item.received_ns) // 1000)
                    if item.data.startswith(END):
                        count.latencies_us = count.latencies_us[:-1]
                        return count.received()
            count.look()
    raise RuntimeError("the subscription ended")


async def read_bare(task: Task) -> Received:
    """Read by Dapr's stubs to the end."""
    count = Count(with_latency=False)
    stub = BareStub(task.endpoint, READER)
    messages = bare_messages(stub, task.topic)
    try:
        await anext(messages)
        say("ready")
        ended = False
        async for message in messages:
            if message.data.startswith(END):
                ended = True
            elif message.type == "com.dapr.event.sent":
                count.add(count.last + BATCH_FRAMES, BATCH_FRAMES)
            else:
                count.add(int(message.id.rpartition("-")[2]))
            count.look()
            # Entries of a bulk publish may overtake one another, and the end all of them.
            if ended and (count.frames == count.last or task.way is Way.BARE):
                return count.received()
    finally:
        await messages.aclose()
        await stub.close()
    raise RuntimeError("the subscription ended")


async def main() -> None:
    """Take tasks until the input ends: say when subscribed and when warm, then what was received."""
    lines = await open_input()
    while (task := await listen(lines, Task)) is not None:
        say(await (read_ours(task) if task.way is Way.OURS else read_bare(task)))


if __name__ == "__main__":
    asyncio.run(main())
