"""A child of the benchmark, as the benchmark sees it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from virtufin_examples.errors import UnavailableError

_ROOT = Path(__file__).parents[1]
ANSWER_SECONDS = 60.0
"""For one line: a consumer group of Kafka forms, a slow bus is drained."""

_LINE_BYTES = 1 << 20  # the latencies of one run

T = TypeVar("T")


class Child:
    """Commands in, answers out, one JSON line each."""

    def __init__(self, module: str, process: asyncio.subprocess.Process) -> None:
        self._module = module
        self._process = process
        self.pid = process.pid

    def kill(self) -> None:
        """End it where it is, for one that knows no end; leaving its block waits for that."""
        self._process.kill()

    async def ended(self) -> UnavailableError:
        """Wait until it has ended, which it was not to."""
        status = await self._process.wait()
        return UnavailableError(f"{self._module} ended with status {status}; what it said is above")

    def tell(self, message: object) -> None:
        """Send a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(message) + b"\n")

    async def answer(self, kind: type[T]) -> T:
        """Return the next line that it says; raise `UnavailableError` when none comes."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise UnavailableError(f"{self._module} did not answer within {ANSWER_SECONDS:g} s") from None
        if not line:
            raise UnavailableError(f"{self._module} ended; what it said is above")
        return msgspec.json.decode(line, type=kind)


@asynccontextmanager
async def running(module: str, *arguments: str, python: str | Path = sys.executable) -> AsyncIterator[Child]:
    """Run a module as a child for the block; what it logs goes to our standard error."""
    process = await asyncio.create_subprocess_exec(
        python,
        *("-m", module, *arguments),
        cwd=_ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES,
        start_new_session=True,  # Ctrl-C reaches only us, who end it
    )
    try:
        yield Child(module, process)
        assert process.stdin is not None
        process.stdin.close()  # which ends it
        async with asyncio.timeout(ANSWER_SECONDS):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
