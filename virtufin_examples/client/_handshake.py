"""Whether the venue took the handshake: its answers are the first frames of the stream."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtufin_examples.client._commands import WorkerCommands
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


async def await_handshake(
    subscription: Subscription,
    session: Session,
    commands: WorkerCommands,
    connection_id: str,
    *,
    venue: str,
    limit_seconds: float = HANDSHAKE_SECONDS,
) -> Handshaken:
    """Read items until the venue has answered all that `session` sent, or the first data show that it has.

    `VenueError` with the venue's code when it refuses, also when the connection failed with no frame to tell;
    `DeadlineError` when it says nothing within `limit_seconds`.
    """
    reading = asyncio.create_task(_read(subscription, session, connection_id, venue), name="handshake")
    looking = asyncio.create_task(_look(commands, connection_id, venue), name="handshake-status")
    tasks = (reading, looking)
    try:
        done, _ = await asyncio.wait(tasks, timeout=limit_seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise DeadlineError(
                f"{venue} has left {session.expects()} messages unanswered for {limit_seconds:g} s",
                hint="were they sent? `list` shows the connection",
            )
        if reading in done:
            return reading.result()
        looking.result()
        raise AssertionError("the look at the connection ends only by raising")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(subscription: Subscription, session: Session, connection_id: str, venue: str) -> Handshaken:
    items: list[Item] = []
    missing: tuple[str, ...] = ()
    async for item in subscription:
        items.append(item)
        if not isinstance(item, Frame) or item.connection_id != connection_id:
            continue
        verdict = session.received(item.data, binary=bool(item.flags & FrameFlag.BINARY))
        if isinstance(verdict, Refused):
            raise VenueError(f"{venue} refused: {verdict.code} {verdict.reason}")
        if isinstance(verdict, Acknowledged):
            missing = verdict.missing
        if session.expects() == 0 or not session.is_control(item.data):
            return Handshaken(tuple(items), missing)
    raise UnavailableError("the subscription ended before the venue had answered")


async def _look(commands: WorkerCommands, connection_id: str, venue: str) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        for connection in (await commands.list()).connections:
            if connection.id == connection_id:
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
