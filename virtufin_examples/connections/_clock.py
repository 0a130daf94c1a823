"""Time as a port, so that a test moves it by hand."""

from __future__ import annotations

import asyncio
import functools
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

from virtufin_examples.connections._signal import Signal


class Timer(Protocol):
    """Something that is to be done later."""

    def cancel(self) -> None:
        """Do it no more; nothing when it is done."""


class Clock(Protocol):
    """Where the connection core takes its time from."""

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back on the event loop: what thousands of connections do every second needs no task each."""

    async def sleep(self, seconds: float) -> None:
        """Wait; 0 or less only lets others run."""


SLOTS_A_SECOND = 256
"""Calls that are due within 4 ms share a timer of the event loop: thousands of timers in its heap cost more
than what they call, and all due at once would hold up what has just arrived."""


class _Call:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None

    def __call__(self) -> None:
        if self.callback is not None:
            self.callback()


class SystemClock:
    """The machine's clocks, for one event loop at a time."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._slots: dict[int, list[_Call]] = {}

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back on the event loop, up to `1 / SLOTS_A_SECOND` later."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._slots = loop, {}
        slot = int((loop.time() + seconds) * SLOTS_A_SECOND) + 1
        calls = self._slots.get(slot)
        if calls is None:
            calls = self._slots[slot] = []
            loop.call_at(slot / SLOTS_A_SECOND, self._call, loop, slot)
        call = _Call(callback)
        calls.append(call)
        return call

    def _call(self, loop: asyncio.AbstractEventLoop, slot: int) -> None:
        for call in self._slots.pop(slot):
            loop.call_soon(call)

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(max(0.0, seconds))


_SETTLE_TURNS = 40  # of the event loop: more than the longest chain of tasks that wake one another


class VirtualClock:
    """A clock that stands still until `advance` is called, so that minutes pass in milliseconds.

    `start_ns` is the Unix time it begins at.
    """

    def __init__(self, start_ns: int = 1_700_000_000_000_000_000) -> None:
        self._start_ns = start_ns
        self._elapsed_ns = 0
        self._order = itertools.count()
        self._timers: list[tuple[int, int, _Call]] = []  # a heap by time due

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds."""
        return self._start_ns + self._elapsed_ns

    def monotonic(self) -> float:
        """Return the seconds since the clock was made."""
        return self._elapsed_ns / 1e9

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back when `advance` has moved past."""
        due = self._elapsed_ns + max(1, round(seconds * 1e9))  # time moves, or a loop never ends
        timer = _Call(callback)
        heapq.heappush(self._timers, (due, next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved past."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, functools.partial(_wake, wake))
        try:
            await wake
        finally:
            timer.cancel()

    def set_wall(self, seconds: float) -> None:
        """Set the Unix time forward or, below 0, back, as an operator does; nobody sleeps shorter for it."""
        self._start_ns += round(seconds * 1e9)

    async def advance(self, seconds: float) -> None:
        """Move time on, waking sleepers in the order in which they are due, each with its effects."""
        await settle()
        until = self._elapsed_ns + round(seconds * 1e9)
        while self._timers and self._timers[0][0] <= until:
            due, _, timer = heapq.heappop(self._timers)
            self._elapsed_ns = max(self._elapsed_ns, due)
            if timer.callback is not None:
                timer()
                await settle()
        self._elapsed_ns = until
        await settle()


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


async def settle() -> None:
    """Let every task that can run do so until it waits."""
    for _ in range(_SETTLE_TURNS):
        await asyncio.sleep(0)


async def completed_within(clock: Clock, seconds: float, event: Signal) -> bool:
    """Wait for an event for at most `seconds` of the clock; return whether it came."""
    if event.is_set():
        return True
    waiter = asyncio.ensure_future(event.wait())
    timer = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({waiter, timer}, return_when=asyncio.FIRST_COMPLETED)
        return event.is_set()
    finally:
        waiter.cancel()
        timer.cancel()
        await asyncio.gather(waiter, timer, return_exceptions=True)
