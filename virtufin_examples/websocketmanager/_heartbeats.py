"""A topic's heartbeats: when one is due, and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from virtufin_examples.connections import Clock
from virtufin_examples.frames import ConnectionBeat, Heartbeat

HEARTBEAT_SECONDS = 2.0
BUSY_BEAT_PAUSES = 9
"""While frames wait, a heartbeat keeps so many times its own duration away from the next: on a bus that takes
seconds for a message, heartbeats take a tenth of it at most."""


class Heartbeats:
    """Of one topic, on a busy one too: a reader learns by them that a quiet connection's process lives.

    `name` is the process's. `beats` returns each connection's part, `publish` takes the whole, and `wake` is
    called when one is due.
    """

    def __init__(
        self,
        topic: str,
        clock: Clock,
        *,
        name: str,
        beats: Callable[[], Iterable[ConnectionBeat]],
        publish: Callable[[Heartbeat], Awaitable[None]],
        wake: Callable[[], None],
    ) -> None:
        self._topic = topic
        self._clock = clock
        self._name = name
        self._beats = beats
        self._publish = publish
        self._wake = wake
        self._due = "start"
        self._busy_until = 0.0
        self._frames_at = clock.monotonic()
        self.task = asyncio.get_running_loop().create_task(self._count(), name=f"heartbeat-{topic}")

    def is_due(self, *, frames_wait: bool) -> bool:
        """Return whether one is to go out now: the first one at once, the others not where frames wait."""
        if not self._due:
            return False
        return self._due == "start" or not frames_wait or self._clock.monotonic() >= self._busy_until

    def frames_went(self) -> None:
        """Note that frames may still be on their way, which a heartbeat by a topic of its own overtakes."""
        self._frames_at = self._clock.monotonic()

    async def beat(self) -> None:
        """Publish the one that is due."""
        kind, self._due = self._due, ""
        if kind == "beat" and self._clock.monotonic() - self._frames_at < HEARTBEAT_SECONDS:
            kind = "busy"
        await self._send(kind)

    async def stop(self) -> None:
        """Publish the last one."""
        await self._send("stop")

    async def _send(self, kind: str) -> None:
        note = Heartbeat(
            topic=self._topic,
            kind=kind,
            sent_ns=self._clock.now_ns(),
            connections=tuple(self._beats()),
            publisher=self._name,
        )
        began = self._clock.monotonic()
        await self._publish(note)
        ended = self._clock.monotonic()
        self._busy_until = ended + BUSY_BEAT_PAUSES * (ended - began)

    async def _count(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            self._due = self._due or "beat"
            self._wake()
