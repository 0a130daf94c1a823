"""Work that must end even when whoever waits for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from virtufin_examples.errors import DeadlineError


async def finish(work: Coroutine[object, object, None], *, limit_seconds: float) -> None:
    """Run `work` to its end, for at most `limit_seconds`, whatever happens to the caller.

    A cancellation that arrives meanwhile is raised afterwards. `DeadlineError` when the limit is hit.
    """

    async def bounded() -> None:
        try:
            async with asyncio.timeout(limit_seconds):
                await work
        except TimeoutError:
            raise DeadlineError(f"cleaning up has not ended within {limit_seconds:g} s") from None

    task = asyncio.create_task(bounded(), name="clean-up")
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # retrieved: the cancellation is what the caller hears
        raise cancelled
    task.result()
