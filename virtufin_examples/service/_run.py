"""Running a service until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading


async def run_until_stopped(*, stdin_closes: bool = False) -> str:
    """Wait for SIGINT, SIGTERM or, when asked to, the end of stdin; return which it was.

    A parent that holds our stdin open ends us by dying, however it dies.
    """
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[str] = loop.create_future()

    def stop(why: str) -> None:
        if not stopped.done():
            stopped.set_result(why)

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop, number.name)
        except NotImplementedError:  # Windows
            signal.signal(
                number, lambda caught, _frame: loop.call_soon_threadsafe(stop, signal.Signals(caught).name)
            )
    if stdin_closes:

        def watch() -> None:
            # Not sys.stdin.buffer: its lock, held by a daemon thread, aborts the interpreter as it ends.
            while os.read(sys.stdin.fileno(), 4096):
                pass
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                loop.call_soon_threadsafe(stop, "stdin closed")

        threading.Thread(target=watch, name="stdin-watch", daemon=True).start()
    return await stopped
