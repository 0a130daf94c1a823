"""Waiting until a venue has confirmed a change of symbols, as the WebSocketManager lists it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from virtufin_examples.client._handshake import connection_error
from virtufin_examples.errors import DeadlineError, UnavailableError, VenueError

if TYPE_CHECKING:
    from virtufin_examples.client._layout import Edit
    from virtufin_examples.client._replies import ConnectionInfo

ACKNOWLEDGE_SECONDS = 20.0
"""Long enough for a reconnect on the way, which replays what is wanted."""
_LOOK_SECONDS = 0.1


async def await_acknowledged(
    edits: Sequence[Edit],
    look: Callable[[], Awaitable[Sequence[ConnectionInfo]]],
    *,
    venue: str,
    limit_seconds: float = ACKNOWLEDGE_SECONDS,
) -> None:
    """Return when every connection has what was added acknowledged, and wants no more what was removed.

    `VenueError` names symbols that the venue refused: it takes a refused change back. `UnavailableError` for
    a connection that is gone, `DeadlineError` for symbols that are not confirmed within `limit_seconds`.
    """
    open_symbols: list[str] = []
    try:
        async with asyncio.timeout(limit_seconds):
            while True:
                found = {one.id: one for one in await look()}
                open_symbols = [symbol for edit in edits for symbol in _open(edit, found, venue)]
                if not open_symbols:
                    return
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        raise DeadlineError(
            f"{venue} has not confirmed {', '.join(open_symbols) or 'the change'} within {limit_seconds:g} s",
            hint="`virtufin status` shows what its connection does",
        ) from None


def _open(edit: Edit, found: dict[str, ConnectionInfo], venue: str) -> list[str]:
    connection = found.get(edit.part.connection)
    if connection is None:
        raise UnavailableError(f"connection {edit.part.connection} is gone")
    error = connection_error(connection, venue)
    if error is not None:
        raise error
    wanted, confirmed = set(connection.wanted_symbols), set(connection.acknowledged_symbols)
    refused = [symbol for symbol in edit.add if symbol not in wanted]
    if refused:
        raise VenueError(
            f"{venue} refused {', '.join(refused)}",
            hint="its words are on the topic websocketmanager.lifecycle; is the account's limit reached?",
        )
    added = [symbol for symbol in edit.add if symbol not in confirmed]
    return added + [symbol for symbol in edit.remove if symbol in wanted]
