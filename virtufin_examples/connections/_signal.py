"""An event for things of which there are thousands."""

from __future__ import annotations

import asyncio


class Signal:
    """`asyncio.Event` that keeps no queue while nobody waits: 60 bytes in place of 700."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self) -> None:
        self._is_set = False
        self._waiters: list[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Let all go on who wait, and who come until it is cleared."""
        self._is_set = True
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Let those who come from now on wait."""
        self._is_set = False

    async def wait(self) -> None:
        """Return when it is set, at once where it is."""
        if self._is_set:
            return
        if self._waiters is None:
            self._waiters = []
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if self._waiters is not None and waiter in self._waiters:
                self._waiters.remove(waiter)
            raise
