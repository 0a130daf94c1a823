"""Work that must end even when whoever waits for it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine

from virtufin_examples.errors import DeadlineError, VirtufinError


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


@contextlib.asynccontextmanager
async def undone_by(
    undo: Callable[[], Coroutine[object, object, None]], *, limit_seconds: float
) -> AsyncIterator[None]:
    """Undo what the body has begun when it raises or is cancelled; where that fails, its error says so."""
    try:
        yield
    except BaseException as error:
        try:
            await finish(undo(), limit_seconds=limit_seconds)
        except VirtufinError as trouble:
            error.add_note(f"then undoing it failed: {trouble}")
        raise
