"""The product's publisher of a topic, fed with frames that are made up here instead of read from a socket."""

from __future__ import annotations

import asyncio
import threading
import time

from prometheus_client import CollectorRegistry

from benchmarks.dapr._protocol import CONNECTION, END, PAYLOAD, PUBLISHER, WARM_UP_FRAMES, Task
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.connections import SystemClock
from virtufin_examples.frames import ConnectionBeat, Encoding, Frame, Markers, Overflow, run_of
from virtufin_examples.websocketmanager._guard import PauseGuard
from virtufin_examples.websocketmanager._metrics import publish_latency
from virtufin_examples.websocketmanager._partition import Partition
from virtufin_examples.websocketmanager._publisher import TopicPublisher
from virtufin_examples.websocketmanager._source import PublishOptions
from virtufin_examples.websocketmanager.spool import Mark

_OPTIONS = {
    Encoding.FRAME: PublishOptions(Encoding.FRAME, Overflow.BLOCK, Markers.COMPANION),
    Encoding.BATCH: PublishOptions(Encoding.BATCH, Overflow.BLOCK, Markers.INLINE),
}
_AHEAD_BYTES = {Encoding.FRAME: 64 * 1024, Encoding.BATCH: 4 * 1024 * 1024}
"""What waits for the bus while as much as goes is sent: always more than the next message takes."""
_CHUNK = 500
_LOOK_SECONDS = 0.001
_DRAIN_SECONDS = 30.0


class _Source:
    """A connection as the publisher sees it."""

    id = CONNECTION
    settled = Mark(0, 0)

    def __init__(self) -> None:
        self.sequence = 0

    def beat(self, last_sequence: int) -> ConnectionBeat:
        now = time.time_ns()
        return ConnectionBeat(
            connection_id=CONNECTION,
            state="connected",
            epoch=1,
            last_received_ns=now,
            last_sequence=last_sequence,
        )

    async def confirm(self) -> None:
        """It is nobody else's."""

    def note(self, error_type: str, reason: str) -> None:
        raise RuntimeError(f"{error_type}: {reason}")

    def pause_reading(self) -> None:
        raise RuntimeError("the publisher's queue is full: more was sent than goes")

    def resume_reading(self) -> None:
        """It is never paused."""


class OurPublisher:
    """Publishes a task's frames."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._bus = DaprBus(target=task.endpoint, app_id=PUBLISHER)
        clock = SystemClock()
        self._publisher = TopicPublisher(
            Partition(task.topic),
            _OPTIONS[task.encoding],
            bus=self._bus,
            clock=clock,
            instance="benchmark",
            name="benchmark",
            latency=publish_latency(CollectorRegistry()).labels(task.topic),
            guard=PauseGuard(clock.monotonic()),
            spool=None,
        )
        self._source = _Source()
        self._publisher.attach(self._source)

    @property
    def sequence(self) -> int:
        """The last one that was sent."""
        return self._source.sequence

    async def warm_up(self) -> None:
        """Publish some frames."""
        self._put([time.time_ns()] * WARM_UP_FRAMES)

    async def run(self) -> None:
        """Publish for the task's time, then the end; returns when all is out."""
        await self._bus.sidecar()  # as the service does at its start
        if self._task.frames_a_second:
            await self._send_by_schedule()
        else:
            await self._send_what_goes()
        self._put([time.time_ns()], END)
        self._publisher.detach(self._source)
        if not await self._publisher.finished(_DRAIN_SECONDS):
            raise RuntimeError(f"{self._publisher.queued_bytes} bytes were not published")

    async def close(self) -> None:
        """End it and the connection."""
        await self._publisher.abort()
        await self._bus.close()

    async def _send_what_goes(self) -> None:
        ahead = _AHEAD_BYTES[self._task.encoding]
        until = time.monotonic() + self._task.seconds
        while (now := time.monotonic()) < until:
            while self._publisher.backlog.memory_bytes < ahead:
                self._put([time.time_ns()] * _CHUNK)
                await asyncio.sleep(0)
            await asyncio.sleep(min(_LOOK_SECONDS, until - now))

    async def _send_by_schedule(self) -> None:
        """Send each frame when it is due, whatever became of those before it: an open loop.

        A frame's time of receipt is the time when it was due, so that a late sender counts as latency. The
        due times come from a thread, whose sleep is exact; the event loop's is rounded up to milliseconds.
        """
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        interval_ns = round(1e9 / self._task.frames_a_second)
        count = round(self._task.seconds * self._task.frames_a_second)
        start_ns = time.time_ns() + interval_ns

        def keep_time() -> None:
            for number in range(count):
                due_ns = start_ns + number * interval_ns
                wait_ns = due_ns - time.time_ns()
                if wait_ns > 0:
                    time.sleep(wait_ns / 1e9)
                loop.call_soon_threadsafe(self._put, [due_ns])
            loop.call_soon_threadsafe(done.set)

        thread = threading.Thread(target=keep_time)
        thread.start()
        await done.wait()
        thread.join()

    def _put(self, received_ns: list[int], data: bytes = PAYLOAD) -> None:
        first = self._source.sequence + 1
        frames = [
            Frame("", CONNECTION, 1, first + index, each, data) for index, each in enumerate(received_ns)
        ]
        self._source.sequence += len(frames)
        run = run_of(frames)
        self._publisher.put([run], run.memory_bytes)
