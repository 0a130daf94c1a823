"""A service as a child process of `virtufin up`, restarted when it dies."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

import structlog

from virtufin_examples.cli._settings import FROM_STDIN
from virtufin_examples.client._end_child import end_child
from virtufin_examples.errors import UnavailableError

_START_SECONDS = 15.0
_RESTART_PAUSE_SECONDS = (0.1, 0.5, 2.0, 5.0)  # the last one repeats

_log = structlog.get_logger(__name__)


class SupervisedChild:
    """Runs `virtufin NAME --ephemeral ...`, which reads its sidecar's address from stdin and prints its own.

    `spawn` comes first and is quick; while the child loads its modules the parent can load its own, and
    `start` hands over the address. It ends when our end of its stdin closes, so also when we are killed.
    A restart takes the same ports once more.
    """

    def __init__(self, name: str, arguments: Sequence[str], *, title: str = "") -> None:
        self._name = name
        self._title = title or name
        self._is_up = False
        self._arguments = list(arguments)
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """`ok` while it serves, else what is wrong."""
        return "ok" if self._is_up else "not running"

    async def spawn(self) -> None:
        """Start the process."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "virtufin_examples.cli",
            self._name,
            "--ephemeral",
            "--dapr",
            FROM_STDIN,
            *self._arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is ours to pass on
        )

    async def start(self, dapr: str) -> Mapping[str, str]:
        """Hand over the sidecar's address; return the child's own addresses.

        `UnavailableError` when it ends or says nothing in time.
        """
        line = await self._ready(dapr)
        for kind in ("grpc", "http"):
            self._arguments += [f"--{kind}-port", line[kind].rpartition(":")[2]]
        self._supervisor = asyncio.create_task(self._supervise(dapr), name=f"supervise-{self._title}")
        return line

    async def stop(self) -> None:
        """Close its stdin and wait; terminate, then kill, when it does not end."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        if self._process is not None:
            await end_child(self._process)

    async def _ready(self, dapr: str) -> Mapping[str, str]:
        process = self._process
        assert process is not None  # noqa: S101 - spawned before
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.write(dapr.encode() + b"\n")
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            first = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise UnavailableError(f"{self._title} did not start within {_START_SECONDS:g} s") from None
        if not first:
            status = await process.wait()
            raise UnavailableError(
                f"{self._title} ended with status {status} as it started", hint="see its log above"
            )
        line: Mapping[str, str] = json.loads(first)
        self._is_up = True
        return line

    async def _supervise(self, dapr: str) -> None:
        failures = 0
        while True:
            assert self._process is not None  # noqa: S101 - set by spawn
            status = await self._process.wait()
            self._is_up = False
            _log.error("service ended unexpectedly; restarting it", child=self._title, status=status)
            await asyncio.sleep(_RESTART_PAUSE_SECONDS[min(failures, len(_RESTART_PAUSE_SECONDS) - 1)])
            await self.spawn()
            try:
                await self._ready(dapr)
            except (UnavailableError, OSError) as error:
                _log.error("service could not be restarted", child=self._title, error=str(error))
                failures += 1
            else:
                failures = 0
