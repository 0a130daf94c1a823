"""Ctrl-C and SIGTERM: they cancel what is being opened, end what is live, and leave cleaning up alone."""

from __future__ import annotations

import asyncio
import enum
import signal
import sys


class Phase(enum.Enum):
    """Where a run is."""

    OPENING = enum.auto()
    LIVE = enum.auto()
    CLOSING = enum.auto()


class Interrupts:
    """Knows the phase of a run and what an interrupt does in it."""

    def __init__(self) -> None:
        self.phase = Phase.OPENING
        self.asked = asyncio.Event()
        """Set when the data shall end."""
        self._task: asyncio.Task[object] | None = None

    def guard(self, task: asyncio.Task[object]) -> None:
        """Take the signals over for this task, until the process ends."""
        self._task = task
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            if sys.platform == "win32":
                signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(self.interrupt))
            else:
                loop.add_signal_handler(number, self.interrupt)

    def interrupt(self) -> None:
        """Do what the phase asks for; once is enough, and in the end phase it changes nothing."""
        if self.asked.is_set():
            return
        self.asked.set()
        if self.phase is Phase.OPENING and self._task is not None:
            self._task.cancel()
