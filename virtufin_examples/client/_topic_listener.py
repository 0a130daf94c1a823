"""Counts what comes out of a topic, by the gateway's broadcast, which takes nobody's messages."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping

from virtufin_examples.client._api import ApiClient
from virtufin_examples.client._events import CloudEvent
from virtufin_examples.client._feed_facts import TapFacts
from virtufin_examples.client._tap import TopicTap
from virtufin_examples.errors import InvalidInputError, VirtufinError
from virtufin_examples.frames import Frame, decode_message, events_topic
from virtufin_examples.venues import Session

SUBSCRIBE_SECONDS = 5.0
_NS_PER_SECOND = 1_000_000_000


class TopicListener:
    """Counts what a topic carries. `sessions` read the symbols out of a connection's frames."""

    def __init__(self, topic: str, sessions: Mapping[str, Session]) -> None:
        self.error = ""
        self._sessions = sessions
        self._symbols: dict[str, dict[str, int]] = {}
        self._topic = topic
        self._began = time.monotonic()
        self._frames: dict[str, int] = {}
        self._lags: dict[str, float] = {}
        self._notes = 0

    async def read(self, tap: TopicTap) -> None:
        """Read until the tap is closed."""
        try:
            async for event in tap:
                self._count(event)
        except VirtufinError as error:
            self.error = error.message

    def facts(self, connection_id: str) -> TapFacts:
        """What was heard of a connection so far."""
        return TapFacts(
            seconds=round(time.monotonic() - self._began, 1),
            frames=self._frames.get(connection_id, 0),
            notes=self._notes,
            lag_seconds=self._lags.get(connection_id),
            symbols=tuple(sorted(self._symbols.get(connection_id, {}).items())),
            error=self.error,
        )

    def _count(self, event: CloudEvent) -> None:
        try:
            items = decode_message(self._topic, event.type, event.content_type, event.data, event.extensions)
        except InvalidInputError:  # somebody else's message
            return
        for item in items:
            if isinstance(item, Frame):
                connection = item.connection_id
                self._frames[connection] = self._frames.get(connection, 0) + 1
                self._lags[connection] = max(0.0, (time.time_ns() - item.received_ns) / _NS_PER_SECOND)
                self._note_symbols(item)
            else:
                self._notes += 1

    def _note_symbols(self, frame: Frame) -> None:
        session = self._sessions.get(frame.connection_id)
        if session is None or session.is_control(frame.data):
            return
        known = self._symbols.setdefault(frame.connection_id, {})
        for seen in session.peek(frame.data):
            known[seen.symbol] = frame.received_ns


@contextlib.asynccontextmanager
async def listening(
    api: ApiClient, topic: str, sessions: Mapping[str, Session]
) -> AsyncIterator[TopicListener]:
    """Listen to a topic and its companion, while the block runs."""
    listener = TopicListener(topic, sessions)
    taps: list[TopicTap] = []
    tasks: list[asyncio.Task[None]] = []
    try:
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                for name in (topic, events_topic(topic)):
                    tap = await api.subscribe(name)
                    taps.append(tap)
                    tasks.append(asyncio.create_task(listener.read(tap), name=f"listen-{name}"))
        except VirtufinError as error:
            listener.error = error.message
        except TimeoutError:
            listener.error = f"subscribing to {topic} took over {SUBSCRIBE_SECONDS:g} s"
        yield listener
    finally:
        for tap in taps:
            await tap.close()
        await asyncio.gather(*tasks)
