"""What goes out on one socket, one message at a time, within the venue's message budgets."""

from __future__ import annotations

import asyncio

from virtufin_examples.connections._budget import Window
from virtufin_examples.connections._context import Context
from virtufin_examples.connections._handshake import HandshakeMessage
from virtufin_examples.connections._link import Link
from virtufin_examples.errors import UnavailableError
from virtufin_examples.venues import Outgoing


class Outbox:
    """Sends on `link`, which is there from the attempt to connect on."""

    __slots__ = ("_budget", "_context", "_turn", "link")  # thousands of sockets have one

    def __init__(self, context: Context) -> None:
        self.link: Link | None = None
        self._context = context
        self._budget = Window(context.limits.messages) if context.limits.messages is not None else None
        self._turn = asyncio.Lock()

    async def send(self, message: HandshakeMessage, *, lasting: bool) -> None:
        """Send a message that the session is to know of; raises what resolving its secrets raises."""
        link = self._require_link()
        async with self._turn:
            payload = await self._context.message(message)
            await self._pay()
            link.send(payload, binary=message.binary, noted=message.payload, lasting=lasting)

    async def say(self, out: Outgoing) -> None:
        """Send what the session itself asks for."""
        link = self._require_link()
        async with self._turn:
            await self._pay()
            message = HandshakeMessage(out.payload, out.binary, secrets=True, json=True)
            link.send_plain(Outgoing(await self._context.message(message), out.binary))

    async def _pay(self) -> None:
        """Wait until one more message is within the budgets of the socket and of its scope."""
        now = self._context.clock.monotonic()
        wait = self._context.scope.message_wait(now)
        if self._budget is not None:
            wait += self._budget.reserve(now + wait)
        if wait > 0:
            await self._context.clock.sleep(wait)

    def _require_link(self) -> Link:
        if self.link is None or self.link.ended.done():
            raise UnavailableError("the socket is not open")
        return self.link
