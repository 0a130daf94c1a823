"""Whether the venue took the handshake: its answers are the first frames of the stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtufin_examples.errors import DeadlineError, UnavailableError, VenueError, VirtufinError
from virtufin_examples.frames import Frame, FrameFlag
from virtufin_examples.venues import Acknowledged, Refused

if TYPE_CHECKING:
    from virtufin_examples.client._replies import ConnectionInfo
    from virtufin_examples.client._subscribe import Subscription
    from virtufin_examples.frames import Item
    from virtufin_examples.venues import Session

HANDSHAKE_SECONDS = 15.0
"""Alpaca itself gives up on a client that has not authenticated after 10 s."""
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Handshaken:
    """What arrived while the handshake was awaited, and the symbols that the venue left out."""

    items: tuple[Item, ...]
    missing: tuple[str, ...] = ()


Look = Callable[[], Awaitable[Sequence["ConnectionInfo"]]]


async def await_handshake(
    subscription: Subscription,
    sessions: Mapping[str, Session],
    look: Look,
    *,
    venue: str,
    limit_seconds: float = HANDSHAKE_SECONDS,
) -> Handshaken:
    """Read items until the venue has answered, on every connection, all that its session sent, or the first
    data show that it has.

    `VenueError` with the venue's code when it refuses, also when a connection failed with no frame to tell;
    `DeadlineError` when it says nothing within `limit_seconds`.
    """
    reading = asyncio.create_task(_read(subscription, sessions, venue), name="handshake")
    looking = asyncio.create_task(_look(look, sessions, venue), name="handshake-status")
    tasks = (reading, looking)
    try:
        done, _ = await asyncio.wait(tasks, timeout=limit_seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            unanswered = sum(session.expects() for session in sessions.values())
            raise DeadlineError(
                f"{venue} has left {unanswered} messages unanswered for {limit_seconds:g} s",
                hint="were they sent? `list` shows the connection",
            )
        if reading in done:
            return reading.result()
        looking.result()
        raise AssertionError("the look at the connections ends only by raising")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(subscription: Subscription, sessions: Mapping[str, Session], venue: str) -> Handshaken:
    items: list[Item] = []
    missing: dict[str, tuple[str, ...]] = {}
    waiting = dict(sessions)
    async for item in subscription:
        items.append(item)
        session = waiting.get(item.connection_id) if isinstance(item, Frame) else None
        if session is None or not isinstance(item, Frame):
            continue
        verdict = session.received(item.data, binary=bool(item.flags & FrameFlag.BINARY))
        if isinstance(verdict, Refused):
            raise VenueError(f"{venue} refused: {verdict.code} {verdict.reason}")
        if isinstance(verdict, Acknowledged):
            missing[item.connection_id] = verdict.missing
        if session.expects() == 0 or not session.is_control(item.data):
            del waiting[item.connection_id]
        if not waiting:
            return Handshaken(tuple(items), tuple(name for names in missing.values() for name in names))
    raise UnavailableError("the subscription ended before the venue had answered")


async def _look(look: Look, sessions: Mapping[str, Session], venue: str) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        for connection in await look():
            if connection.id in sessions:
                error = connection_error(connection, venue)
                if error is not None:
                    raise error


def connection_error(connection: ConnectionInfo, venue: str) -> VirtufinError | None:
    """Return why a connection will bring no more frames, or None when it may."""
    why = f": {connection.reason}" if connection.reason else ""
    if connection.status == "failed":
        return VenueError(f"{venue} connection failed{why}")
    if connection.status == "disconnected":
        return UnavailableError(
            f"{venue} connection is closed{why}",
            hint="" if connection.auto_reconnect else "set auto_reconnect",
        )
    return None
