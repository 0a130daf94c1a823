"""A service as a child process of `virtufin up`, restarted when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

import structlog

from virtufin_examples.errors import UnavailableError

_START_SECONDS = 15.0
_STOP_SECONDS = 5.0
_RESTART_PAUSE_SECONDS = (0.1, 0.5, 2.0, 5.0)  # the last one repeats

_log = structlog.get_logger(__name__)


class SupervisedChild:
    """Runs `virtufin NAME --ephemeral ...` and reads the addresses that it prints.

    `arguments` are its flags at the first start, `again` those for a restart, which takes the same ports once
    more. It ends when our end of its stdin closes, so also when we are killed.
    """

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._name = name
        self._arguments = list(arguments)
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    async def start(self) -> Mapping[str, str]:
        """Start it; return its address line. `UnavailableError` when it ends or says nothing in time."""
        line = await self._spawn(self._arguments)
        ports = {kind: line[kind].rpartition(":")[2] for kind in ("grpc", "http")}
        again = [*self._arguments, "--grpc-port", ports["grpc"], "--http-port", ports["http"]]
        self._supervisor = asyncio.create_task(self._supervise(again), name=f"supervise-{self._name}")
        return line

    async def stop(self) -> None:
        """Close its stdin and wait; terminate, then kill, when it does not end."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        for end in (process.terminate, process.kill):
            try:
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                end()
            else:
                return
        await process.wait()

    async def _spawn(self, arguments: Sequence[str]) -> Mapping[str, str]:
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "virtufin_examples.cli",
            self._name,
            "--ephemeral",
            *arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **self._environment},
            start_new_session=True,  # Ctrl-C in a terminal is ours to pass on
        )
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            first = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise UnavailableError(f"{self._name} did not start within {_START_SECONDS:g} s") from None
        if not first:
            status = await process.wait()
            raise UnavailableError(
                f"{self._name} ended with status {status} as it started", hint="see its log above"
            )
        line: Mapping[str, str] = json.loads(first)
        return line

    async def _supervise(self, again: Sequence[str]) -> None:
        failures = 0
        while True:
            assert self._process is not None  # noqa: S101 - set by start
            status = await self._process.wait()
            _log.error("service ended unexpectedly; restarting it", child=self._name, status=status)
            await asyncio.sleep(_RESTART_PAUSE_SECONDS[min(failures, len(_RESTART_PAUSE_SECONDS) - 1)])
            with contextlib.suppress(UnavailableError):  # the next turn waits longer and tries again
                await self._spawn(again)
                failures = -1
            failures += 1
