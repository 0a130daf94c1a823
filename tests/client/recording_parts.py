"""Parts of the tests of recording and replay: a runtime, a bus in memory, a clock moved by its waiter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.frames.recording_samples import recording
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.bus.embedded import EmbeddedRuntime
from virtufin_examples.frames import RecordingReader


@asynccontextmanager
async def running_runtime() -> AsyncIterator[str]:
    runtime = EmbeddedRuntime()
    addresses = await runtime.start()
    try:
        yield addresses.grpc
    finally:
        await runtime.stop()


@asynccontextmanager
async def running_bus(target: str, app_id: str = "publisher") -> AsyncIterator[DaprBus]:
    bus = DaprBus(target=target, app_id=app_id)
    try:
        yield bus
    finally:
        await bus.close()


class MemoryBus:
    """Keeps what is published, and when."""

    def __init__(self, clock: HandClock | None = None) -> None:
        self.messages: list[tuple[str, bytes, str, dict[str, str]]] = []
        self.times: list[int] = []
        self.fail: Exception | None = None
        self.on_publish = lambda: None
        self._clock = clock

    async def publish(self, topic, data, *, content_type, metadata=None):
        await asyncio.sleep(0)
        if self.fail is not None:
            raise self.fail
        self.messages.append((topic, data, content_type, dict(metadata or {})))
        self.times.append(self._clock.monotonic_ns() if self._clock else 0)
        self.on_publish()


class HandClock:
    """Stands still but for those who wait."""

    def __init__(self) -> None:
        self._ns = 5_000_000_000
        self.waits = 0

    def now_ns(self) -> int:
        return 1_800_000_000_000_000_000 + self._ns

    def monotonic_ns(self) -> int:
        return self._ns

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        self.waits += 1
        await asyncio.sleep(0)
        if not wake.is_set():
            self._ns += max(1, round(seconds * 1e9))


def write_recording(path: Path, **parts) -> Path:
    path.write_bytes(recording(**parts))
    return path


def items_of(path: Path) -> list:
    with path.open("rb") as stream:
        return [item for record in RecordingReader(stream, str(path)) for item in record.items]
