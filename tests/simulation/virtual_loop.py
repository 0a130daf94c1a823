"""An event loop whose time is virtual: when nothing can run, it is the time of the next timer at once."""

from __future__ import annotations

import asyncio
import contextvars
import selectors

START_NS = 1_700_000_000_000_000_000

_LEAST_SECONDS = 1e-6  # time must move, or a loop that waits for a sum of floats never ends

PROCESS: contextvars.ContextVar[str] = contextvars.ContextVar("process", default="")
"""Which process of the simulation a task belongs to: inherited by the tasks that it makes."""


class StuckError(RuntimeError):
    """Nothing can run and no timer is set: everybody waits for somebody else."""


class _Timeless(selectors.SelectSelector):
    """Waits in virtual time. No real file is ever looked at."""

    now = 0.0

    def select(self, timeout=None):
        if timeout is None:
            raise StuckError("nothing can run any more")
        if timeout > 0:
            self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Seconds from 0. Tasks are remembered by process, so that one can be killed."""

    def __init__(self) -> None:
        self._timeless = _Timeless()
        super().__init__(self._timeless)
        self._clock_resolution = 1e-9
        self._processes: dict[str, set[asyncio.Task]] = {}
        self.failures: list[str] = []
        self.set_task_factory(_remembering)
        self.set_exception_handler(self._note_failure)

    def time(self) -> float:
        return self._timeless.now

    def note_task(self, task) -> None:
        tasks = self._processes.setdefault(PROCESS.get(), set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def kill(self, process: str) -> None:
        """End all tasks of a process where they stand."""
        while tasks := [task for task in self._processes.get(process, ()) if not task.done()]:
            for task in sorted(tasks, key=lambda each: each.get_name()):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _note_failure(self, loop, context) -> None:
        self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")


def _remembering(loop, coroutine, **options):
    task = asyncio.Task(coroutine, loop=loop, **options)
    loop.note_task(task)
    return task


class LoopClock:
    """The loop's time as the connection core's clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now_ns(self) -> int:
        return START_NS + round(self._loop.time() * 1e9)

    def monotonic(self) -> float:
        return self._loop.time()

    def call_later(self, seconds, callback):
        return self._loop.call_later(max(_LEAST_SECONDS, seconds), callback)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(_LEAST_SECONDS, seconds) if seconds > 0 else 0)
