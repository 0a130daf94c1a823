"""A line of sockets, one after the other: back-off between them, or the next before the last one ends."""

from __future__ import annotations

import asyncio
import functools
from typing import Protocol

from virtufin_examples.connections._backoff import STABLE_SECONDS, Backoff
from virtufin_examples.connections._clock import completed_within
from virtufin_examples.connections._context import Context
from virtufin_examples.connections._ending import PLANNED, Ending
from virtufin_examples.connections._epoch import Epoch
from virtufin_examples.connections._signal import Signal
from virtufin_examples.connections._silence import Silence
from virtufin_examples.frames import Cause
from virtufin_examples.venues import Session

OVERLAP_SECONDS = 2.0
"""How long two sockets live side by side before the old one closes: more than one may be behind the other."""

SUCCESSOR_SECONDS = 60.0
"""How long a planned successor may take to be up, and how long after a failed one the next is tried."""


class LineHost(Protocol):
    """The connection, as one of its lines sees it."""

    def new_epoch(self, session: Session) -> Epoch: ...

    def line_broke(self, line: Line, ending: Ending) -> bool:
        """A socket of the line ended, or did not come about; return whether another is to be opened."""

    def line_moved(self, line: Line, reason: str) -> None:
        """A successor has taken over."""

    def may_open_another(self) -> bool:
        """Return whether the venue allows one more socket."""

    def leave(self, epoch: Epoch, cause: Cause = Cause.RECONNECT) -> None:
        """This socket carries nothing any more; `cause` is that of a gap."""

    def noted(self, error_type: str, reason: str) -> None: ...


class Line:
    """Keeps one socket open. `attempt` counts the tries since the last socket that was up."""

    def __init__(self, host: LineHost, context: Context) -> None:
        self.attempt = 1
        self.current: Epoch | None = None
        self.silence = Silence()
        self._host = host
        self._context = context
        self._backoff = Backoff(context.randomness)
        self._was_renewed_young = False
        self._renewal_pause = 0.0
        self._running: asyncio.Task[Ending] | None = None
        self._replacement: asyncio.Task[tuple[Epoch, asyncio.Task[Ending]] | None] | None = None
        self.session = self._new_session()

    async def run(self) -> None:
        """Open socket after socket until there is to be none any more."""
        try:
            while await self._go_on(*await self._one_socket()):
                pass
        finally:
            await self._cancel()

    def renew(self, reason: str) -> None:
        """Replace the socket by plan: make before break, or where the venue allows one socket the reverse."""
        epoch = self.current
        if epoch is None or not epoch.is_up or self._replacement is not None:
            return
        if not self._context.spec.auto_reconnect:
            return
        self._renewal_pause = self._pause_before_renewal(epoch)
        if not self._host.may_open_another():
            epoch.end(Ending(reason, PLANNED))
            return
        self._replacement = asyncio.get_running_loop().create_task(
            self._replace(epoch, reason), name="connection-successor"
        )

    # --- one socket after the other ---

    async def _one_socket(self) -> tuple[Epoch, Ending]:
        epoch = self.current = self._host.new_epoch(self.session)
        self._running = asyncio.get_running_loop().create_task(epoch.run(), name="connection-epoch")
        while True:
            ending = await self._running
            successor = await self._succeeded(epoch, ending)
            if successor is None:
                return epoch, ending
            epoch, self._running = successor

    async def _succeeded(self, old: Epoch, ending: Ending) -> tuple[Epoch, asyncio.Task[Ending]] | None:
        """Return the socket that has taken over from an old one, or None: it was not replaced.

        An old one that ends while its successor is on the way is waited for no longer.
        """
        replacement, self._replacement = self._replacement, None
        if replacement is None:
            return None
        if not replacement.done():
            self._replacement = replacement
            replacement.cancel()
        result = (await asyncio.gather(replacement, return_exceptions=True))[0]
        self._replacement = None
        if isinstance(result, BaseException) or result is None or result[1].done():
            self._host.leave(old, ending.cause)
            return None
        return result

    async def _replace(self, old: Epoch, reason: str) -> tuple[Epoch, asyncio.Task[Ending]] | None:
        """Bring a successor up beside the old socket, then close that one."""
        clock = self._context.clock
        await clock.sleep(self._renewal_pause)
        while True:
            session = self._new_session()
            epoch = self._host.new_epoch(session)
            running = asyncio.get_running_loop().create_task(epoch.run(), name="connection-epoch")
            running.add_done_callback(functools.partial(_set, epoch.up))
            try:
                if await completed_within(clock, SUCCESSOR_SECONDS, epoch.up) and not running.done():
                    await clock.sleep(OVERLAP_SECONDS)
            except asyncio.CancelledError:
                if not epoch.is_up or running.done():  # both are gone: the line is broken
                    self._host.leave(epoch)
                    await _cancelled(running)
                    raise
            if epoch.is_up and not running.done():
                self.current, self.session = epoch, session
                self._host.leave(old)
                old.end(Ending(reason, PLANNED))
                epoch.takes_over(old)
                self._host.line_moved(self, reason)
                return epoch, running
            self._host.leave(epoch)
            ending = await _cancelled(running)
            why = ending.reason if isinstance(ending, Ending) else "it was not up in time"
            self._host.noted("SuccessorFailed", why)
            await clock.sleep(SUCCESSOR_SECONDS)

    async def _go_on(self, epoch: Epoch, ending: Ending) -> bool:
        self._host.leave(epoch, ending.cause)
        if epoch.is_up:
            self._backoff.lived(self._context.clock.monotonic() - epoch.up_at)
            self.attempt = 1
        else:
            self.attempt += 1
        if not self._host.line_broke(self, ending):
            return False
        planned = ending.error_type == PLANNED
        pause = self._renewal_pause if planned else self._backoff.next_seconds(ending.wait_seconds)
        await self._context.clock.sleep(pause)
        return True

    def _pause_before_renewal(self, epoch: Epoch) -> float:
        """Return 0 but for a venue that sends every new socket away: those are paced like failures."""
        young = self._context.clock.monotonic() - epoch.up_at < STABLE_SECONDS
        pause = self._backoff.next_seconds() if young and self._was_renewed_young else 0.0
        self._was_renewed_young = young
        return pause

    async def _cancel(self) -> None:
        replacement = self._replacement
        if replacement is not None:
            replacement.cancel()
            result = (await asyncio.gather(replacement, return_exceptions=True))[0]
            if isinstance(result, tuple):  # it had just taken over
                await _cancelled(result[1])
        if self._running is not None:
            await _cancelled(self._running)

    def _new_session(self) -> Session:
        """Return a session that knows nothing yet: the replayed handshake tells it what is wanted."""
        spec = self._context.spec
        return spec.connector.session(spec.url, spec.options)


def _set(event: Signal, _: object) -> None:
    event.set()


async def _cancelled(task: asyncio.Task[Ending]) -> Ending | BaseException:
    """End a task; return how it ended."""
    task.cancel()
    return (await asyncio.gather(task, return_exceptions=True))[0]
