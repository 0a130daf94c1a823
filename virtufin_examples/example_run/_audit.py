"""The account of a run with faults: what the simulator sent against what the script was handed."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus

from virtufin_examples.audit import Auditor, AuditResult, VenueAccount
from virtufin_examples.client import Feed
from virtufin_examples.client._http import fetch
from virtufin_examples.errors import UnavailableError
from virtufin_examples.frames import Item

SETTLE_SECONDS = 8.0
"""After the last fault: the longest lasts four seconds, and then the feed has to come back."""
QUIET_SECONDS = 1.0
_MOST_QUIET_SECONDS = 15.0
_LOOK_SECONDS = 0.1
_SLACK_NS = 1_000_000_000
"""What a frame may take from the simulator to the time at which it is received, on a busy machine."""


class RunAudit:
    """Has a simulator (`control` is its control port) keep its account and make faults; compares."""

    def __init__(self, control: str, seed: int) -> None:
        self._control = control
        self._seed = seed
        self._auditor = Auditor(slack_ns=_SLACK_NS)
        self._last = time.monotonic()

    async def begin(self) -> None:
        """Have the account kept, before the first socket opens."""
        await self._ask("POST", "account")

    async def disturb(self) -> None:
        """Begin with the faults."""
        await self._ask("POST", f"faults?seed={self._seed}")

    def received(self, item: Item) -> None:
        """Take what was handed out."""
        self._last = time.monotonic()
        self._auditor.received(item)

    async def finish(self, feed: Feed) -> AuditResult:
        """End the faults, let the feed heal, stop the market, read what is on its way, compare."""
        reading = asyncio.create_task(self._read(feed), name="audit")
        try:
            await self._ask("POST", "faults", b'{"faults": []}')
            await asyncio.wait([reading], timeout=SETTLE_SECONDS)
            await self._ask("POST", "pause")
            until_ns = time.time_ns()
            given_up = time.monotonic() + _MOST_QUIET_SECONDS
            self._last = time.monotonic()
            while not reading.done() and time.monotonic() < min(self._last + QUIET_SECONDS, given_up):
                await asyncio.wait([reading], timeout=_LOOK_SECONDS)
            if reading.done():
                reading.result()  # a feed ends by raising
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        account = VenueAccount.decode(await self._ask("GET", "account"))
        return self._auditor.audit(account, until_ns=until_ns)

    async def _read(self, feed: Feed) -> None:
        async for item in feed:
            self.received(item)

    async def _ask(self, method: str, what: str, body: bytes | None = None) -> bytes:
        answer = await fetch(f"{self._control}/control/{what}", method=method, body=body)
        if answer.status != HTTPStatus.OK:
            raise UnavailableError(f"the simulator answered {what} with HTTP status {answer.status}")
        return answer.body
