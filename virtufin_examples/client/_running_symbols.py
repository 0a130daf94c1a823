"""Changing the symbols of a feed that another program runs, or that was left running."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from virtufin_examples.client._acknowledged import await_acknowledged
from virtufin_examples.client._close_feed import CLOSE_SECONDS, RUN_TAG
from virtufin_examples.client._commands import COMMAND_TOPIC, RESPONSE_TOPIC, WorkerCommands
from virtufin_examples.client._connections import WebSocketManagerClient
from virtufin_examples.client._feed_builder import CHANNEL_TAG, send
from virtufin_examples.client._layout import Edit, Part, Plan, spread
from virtufin_examples.client._open_feed import new_run_id
from virtufin_examples.client._requests import Requests
from virtufin_examples.client._shield import undone_by
from virtufin_examples.client._together import together
from virtufin_examples.client._traded import why_unchecked
from virtufin_examples.client._venue import venue_named
from virtufin_examples.client._venue_port import Change, Venue
from virtufin_examples.errors import InvalidInputError, NotFoundError, PreconditionError

if TYPE_CHECKING:
    from virtufin_examples.client._api import ApiClient
    from virtufin_examples.client._replies import ConnectionInfo


async def change_symbols(
    api: ApiClient, feed: str, *, add: Sequence[str] = (), remove: Sequence[str] = (), channel: str = ""
) -> Plan:
    """Add and remove symbols of a feed; return what was done, once the venue has confirmed it.

    `feed` is a run, a topic or a connection. Nothing is opened or closed: new symbols go to the connections
    with the fewest. `channel` is only needed where the feed's connections do not tell theirs.
    Raises `NotFoundError` for an unknown feed, `InvalidInputError` for a symbol that cannot be added or that
    is not there to be removed, `ResourceLimitError` where the venue allows no more, `VenueError` where it
    refuses; nothing has changed then.
    """
    manager = WebSocketManagerClient(api)
    running = _find(feed, await manager.list_connections(), channel)
    _check(running, add, remove)
    unchecked = await why_unchecked(running.venue, running.url, add)
    limits = running.venue.limits(running.url, {})
    plan = replace(spread(running.parts, add, remove, limits.symbols), unchecked=unchecked)
    requests = Requests(api, f"{RESPONSE_TOPIC}.{new_run_id()}")
    try:
        await _Changing(running, requests, manager).carry_out(plan)
    finally:
        await requests.close()
    return plan


@dataclass(frozen=True, slots=True)
class _Running:
    """A feed as it is listed."""

    venue: Venue
    url: str
    channel: str
    parts: tuple[Part, ...]


def _find(feed: str, listed: Sequence[ConnectionInfo], channel: str) -> _Running:
    found = [one for one in listed if feed in (one.tags.get(RUN_TAG), one.topic, one.id)]
    if not found:
        names = sorted({one.tags.get(RUN_TAG) or one.topic or one.id for one in listed})
        hint = f"there is {', '.join(names)}" if names else "nothing runs"
        raise NotFoundError(f"no feed, topic or connection is {feed!r}", hint=hint)
    if not any(one.wanted_symbols for one in found):
        raise PreconditionError(
            f"feed {feed} does not tell its symbols",
            hint="it may have all of them, or its connector cannot tell",
        )
    orphan = next((one for one in found if not one.owner), None)
    if orphan is not None:
        raise PreconditionError(f"connection {orphan.id} has no worker that could be told")
    first = found[0]
    channels = {channel or one.tags.get(CHANNEL_TAG, "") for one in found}
    if len(channels) > 1 or "" in channels:
        raise InvalidInputError(
            f"feed {feed}: the channel of its symbols is not known", hint="name it with --channel"
        )
    parts = tuple(Part(one.owner, one.id, one.wanted_symbols) for one in found)
    return _Running(venue_named(first.connector), first.url, channels.pop(), parts)


def _check(running: _Running, add: Sequence[str], remove: Sequence[str]) -> None:
    running.venue.check(running.url, running.channel, {})
    for symbol in add:
        try:
            running.venue.check_symbol(symbol)
        except InvalidInputError as error:
            raise InvalidInputError(f'"{symbol}" is {error.message}', hint=error.hint) from None
    there = [symbol for part in running.parts for symbol in part.symbols]
    for symbol in remove:
        if symbol not in there:
            near = difflib.get_close_matches(symbol, there, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"it has {', '.join(sorted(there)[:10])}"
            raise InvalidInputError(f'"{symbol}" is no symbol of this feed', hint=hint)


class _Changing:
    """One change on its way."""

    def __init__(self, running: _Running, requests: Requests, manager: WebSocketManagerClient) -> None:
        self._running = running
        self._requests = requests
        self._manager = manager

    async def carry_out(self, plan: Plan) -> None:
        """Add, then remove; what cannot be added is taken back."""
        adding = [Edit(edit.part, add=edit.add) for edit in plan.edits if edit.add]
        removing = [Edit(edit.part, remove=edit.remove) for edit in plan.edits if edit.remove]
        added = [(edit.part, edit.add) for edit in adding]
        async with undone_by(lambda: self._tell(Change.UNSUBSCRIBE, added), limit_seconds=CLOSE_SECONDS):
            await self._tell(Change.SUBSCRIBE, added)
            await self._confirmed(adding)
        await self._tell(Change.UNSUBSCRIBE, [(edit.part, edit.remove) for edit in removing])
        await self._confirmed(removing)

    async def _tell(self, change: Change, what: Sequence[tuple[Part, Sequence[str]]]) -> None:
        running = self._running

        async def one(part: Part, symbols: Sequence[str]) -> None:
            commands = WorkerCommands(self._requests, f"{COMMAND_TOPIC}.{part.worker}")
            await send(commands, part.connection, running.venue.change(change, running.channel, symbols))

        await together(one(part, symbols) for part, symbols in what)

    async def _confirmed(self, edits: Sequence[Edit]) -> None:
        await await_acknowledged(edits, self._manager.list_connections, venue=self._running.venue.title)
