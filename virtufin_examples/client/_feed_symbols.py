"""Changing the symbols of a feed while it runs."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from virtufin_examples.client._acknowledged import await_acknowledged
from virtufin_examples.client._close_feed import CLOSE_SECONDS
from virtufin_examples.client._layout import Edit, Opening, Part, Plan, plan_change
from virtufin_examples.client._shield import undone_by
from virtufin_examples.client._steps import Steps
from virtufin_examples.client._together import together
from virtufin_examples.client._traded import why_unchecked
from virtufin_examples.client._venue_port import Change

if TYPE_CHECKING:
    from virtufin_examples.client._engine import Engine
    from virtufin_examples.client._feed_builder import FeedBuilder


class FeedSymbols:
    """Changes what a feed is subscribed to, as a whole or not at all; what is not named flows on."""

    def __init__(self, builder: FeedBuilder, engine: Engine) -> None:
        self._builder = builder
        self._engine = engine
        self._changing = asyncio.Lock()
        self._connection_ids = tuple(part.connection for part in builder.parts)

    @property
    def connection_ids(self) -> tuple[str, ...]:
        """The connections that are to be there, which those of a change that is under way are not yet."""
        return self._connection_ids

    @property
    def workers(self) -> int:
        """How many workers serve them."""
        return len({part.worker for part in self._builder.parts})

    async def change(self, add: Sequence[str], remove: Sequence[str]) -> Plan:
        """Add and remove symbols; return what was done, once the venue has confirmed it.

        New symbols first, so that a change that cannot be made has removed nothing: it is undone and raised.
        """
        async with self._changing:
            builder = self._builder
            settings = builder.settings
            builder.parts = await self._as_listed()
            plan = plan_change(builder.parts, add, remove, settings.sizes)
            settings.check_parts(len(builder.parts) + sum(len(opening.chunks) for opening in plan.openings))
            unchecked = await why_unchecked(settings.venue, settings.url, plan.added)
            plan = dataclasses.replace(plan, unchecked=unchecked)
            await self._add(plan)
            closed = {part.connection for part in plan.closed}
            self._connection_ids = tuple(
                part.connection for part in builder.parts if part.connection not in closed
            )
            await self._remove(plan)
            return plan

    async def _as_listed(self) -> list[Part]:
        """What each connection wants now: somebody else may have changed it."""
        wanted = {one.id: one.wanted_symbols for one in await self._builder.connections()}
        return [
            dataclasses.replace(part, symbols=wanted[part.connection])
            for part in self._builder.parts
            if part.connection in wanted
        ]

    async def _add(self, plan: Plan) -> None:
        builder = self._builder
        before = {part.connection for part in builder.parts}
        adding = [edit for edit in plan.edits if edit.add]
        new_workers: list[str] = []
        async with undone_by(lambda: self._undo(adding, before, new_workers), limit_seconds=CLOSE_SECONDS):
            fresh = sum(not opening.worker for opening in plan.openings)
            if fresh:
                _, new_workers = await builder.start_workers(self._engine, fresh, Steps(None))
            waiting = iter(new_workers)
            openings = [Opening(opening.worker or next(waiting), opening.chunks) for opening in plan.openings]
            if openings:
                await builder.connect(openings, Steps(None))
            await together(builder.change(edit.part, {Change.SUBSCRIBE: edit.add}) for edit in adding)
            opened = [Edit(part, part.symbols) for part in builder.parts if part.connection not in before]
            await self._confirmed([*(Edit(edit.part, edit.add) for edit in adding), *opened])

    async def _undo(self, adding: Sequence[Edit], before: set[str], new_workers: Sequence[str]) -> None:
        builder = self._builder
        await builder.disconnect([part for part in builder.parts if part.connection not in before])
        await builder.end_workers(new_workers)
        for edit in adding:
            await builder.change(edit.part, {Change.UNSUBSCRIBE: edit.add})

    async def _remove(self, plan: Plan) -> None:
        builder = self._builder
        removing = [Edit(edit.part, remove=edit.remove) for edit in plan.edits if edit.remove]
        await together(builder.change(edit.part, {Change.UNSUBSCRIBE: edit.remove}) for edit in removing)
        await builder.disconnect(plan.closed)
        await builder.end_workers(plan.ended_workers)
        await self._confirmed(removing)

    async def _confirmed(self, edits: Sequence[Edit]) -> None:
        await await_acknowledged(edits, self._builder.connections, venue=self._builder.settings.venue.title)
