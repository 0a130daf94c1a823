"""How a child process of ours is ended: asked to by its stdin, then told, then made to."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import Process

END_SECONDS = 5.0
"""How long each way of ending it may take before the next, harder one."""


async def end_child(process: Process) -> None:
    """Close the child's stdin, which ends it; terminate, then kill one that does not end in time."""
    if process.stdin is not None:
        process.stdin.close()
    for end in (process.terminate, process.kill):
        try:
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
                return
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                end()
    await process.wait()
