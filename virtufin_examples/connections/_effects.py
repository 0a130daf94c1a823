"""Does what a session asks for: messages, requests over HTTP, and what their answers ask for in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from virtufin_examples.connections._context import Context
from virtufin_examples.connections._outbox import Outbox
from virtufin_examples.errors import VirtufinError
from virtufin_examples.venues import Effect, HttpRequest, Leaving, Outgoing, Refused, Session, Verdict


class EffectsOwner(Protocol):
    """Who hears what came of them."""

    def judged(self, verdict: Verdict) -> None: ...

    def noted(self, error_type: str, reason: str) -> None: ...


class Effects:
    """Those of one socket."""

    __slots__ = ("_context", "_outbox", "_owner", "_session", "_tasks")  # thousands of sockets have them

    def __init__(self, owner: EffectsOwner, context: Context, session: Session, outbox: Outbox) -> None:
        self._owner = owner
        self._context = context
        self._session = session
        self._outbox = outbox
        self._tasks: list[asyncio.Task[None]] = []  # empty, a set would be four times as large

    def perform(self, effects: Sequence[Effect]) -> None:
        """Begin these, one after the other."""
        if effects:
            task = asyncio.get_running_loop().create_task(self._perform(effects), name="epoch-effects")
            self._tasks.append(task)
            task.add_done_callback(self._tasks.remove)

    async def request(self, request: HttpRequest) -> None:
        """Make a request at once; raises a `VirtufinError` when there is no answer."""
        response = await self._context.http.request(await self._context.request(request))
        verdict = self._session.responded(request, response, self._context.clock.now_ns())
        if verdict is not None:
            self._owner.judged(verdict)

    def cancel(self) -> None:
        """Leave what is under way."""
        for task in self._tasks:
            task.cancel()

    async def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            try:
                match effect:
                    case Outgoing():
                        await self._outbox.say(effect)
                    case HttpRequest():
                        wait = self._context.scope.request_wait(self._context.clock.monotonic())
                        if wait > 0:
                            await self._context.clock.sleep(wait)
                        await self.request(effect)
                    case Leaving() | Refused():
                        self._owner.judged(effect)
            except VirtufinError as error:
                self._owner.noted(type(error).__name__, str(error))
