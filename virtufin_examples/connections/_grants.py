"""The numbers of epochs, taken before their sockets open."""

from __future__ import annotations

import asyncio

from virtufin_examples.connections._clock import Clock
from virtufin_examples.connections._sequencer import Grant, Ledger
from virtufin_examples.connections._stream import Stream


class Grants:
    """Takes epochs from the ledger; one whose socket never opened is used again."""

    def __init__(self, ledger: Ledger, stream: Stream, clock: Clock) -> None:
        self._ledger = ledger
        self._stream = stream
        self._clock = clock
        self._spare: Grant | None = None
        self._taking = asyncio.Lock()

    async def take(self) -> Grant:
        """Return an epoch that is still ours; raises what the ledger raises."""
        async with self._taking:
            if self._spare is not None:
                await self._ledger.confirm()
                grant, self._spare = self._spare, None
                return grant
            grant = await self._ledger.begin_epoch()
            self._stream.grant(grant, self._clock.now_ns())
            return grant

    def give_back(self, grant: Grant) -> None:
        """Keep the number of a socket that did not open for the next try."""
        self._spare = grant
