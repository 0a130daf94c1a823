"""A platform and a venue simulator as child processes, for a script that has neither.

This is the one part of the client that needs the services installed; it starts them and imports none.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Generic, TypeVar

import msgspec

from virtufin_examples.client._end_child import END_SECONDS, end_child
from virtufin_examples.client._shield import finish
from virtufin_examples.errors import UnavailableError, VirtufinError, error_from_status
from virtufin_examples.simulated import SIMULATED_KEY, SIMULATED_SECRET

SIMULATOR_SECRET_NAME = "alpacasim"
"""Name of the platform's secret that holds them."""

_START_SECONDS = 30.0
_KEPT_LINES = 200
_SHOWN_LINES = 15

Line = TypeVar("Line", bound=msgspec.Struct)


class EmbeddedPlatform(msgspec.Struct, frozen=True):
    """Where the platform listens, `host:port` each."""

    gateway: str
    runtime: str


class EmbeddedSimulator(msgspec.Struct, frozen=True):
    """Where a simulator listens (`url` has no path), and its public credentials where it wants any."""

    url: str
    control: str
    key: str = ""
    secret: str = ""


class ErrorLine(msgspec.Struct, frozen=True, tag_field="event", tag="error"):
    """Why a child cannot start."""

    code: str
    message: str
    hint: str

    @property
    def error(self) -> VirtufinError:
        """The error itself."""
        error = error_from_status(self.code, self.message)
        error.hint = self.hint
        return error


class ChildService(Generic[Line]):
    """A `virtufin` command as a child that prints one JSON line when it is ready and ends with its stdin.

    It has a process group of its own, so that Ctrl-C reaches only us, and however we die, its stdin closes.
    `line` is the type of that line; a child that cannot start may print an `ErrorLine` instead. The last 200
    lines of its log are kept for `UnavailableError`s; `on_start` gets them while it starts.
    Use it as `async with child as line`.
    """

    def __init__(
        self,
        title: str,
        arguments: Sequence[str],
        line: type[Line],
        environment: Mapping[str, str] | None = None,
        *,
        module: str = "virtufin_examples.cli",
        start_seconds: float | None = None,
        on_start: Callable[[str], None] | None = None,
    ) -> None:
        self._module = module
        self._start_seconds = _START_SECONDS if start_seconds is None else start_seconds
        self._on_start = on_start
        self._title = title
        self._arguments = tuple(arguments)
        self._line = line
        self._environment = dict(environment or {})
        self._log: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Line:
        """Start it; return what it says of itself, or raise `UnavailableError` with its log."""
        try:
            return await self._start()
        except BaseException:
            # It reads its stdin only once it is up: do not wait for that.
            if self._process is not None and self._process.returncode is None:
                self._process.terminate()
            await finish(self._stop(), limit_seconds=3 * END_SECONDS)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, even when we are cancelled meanwhile."""
        await finish(self._stop(), limit_seconds=3 * END_SECONDS)

    async def _start(self) -> Line:
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self._module,
            *self._arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self._environment},
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101 - a pipe, as asked for
        self._reader = asyncio.create_task(self._read_log(), name=f"log of {self._title}")
        try:
            async with asyncio.timeout(self._start_seconds):
                first = await process.stdout.readline()
        except TimeoutError:
            raise self._failure(f"is not ready after {self._start_seconds:g} s") from None
        if not first:
            raise await self.ended()
        self._on_start = None
        with contextlib.suppress(msgspec.DecodeError):
            raise msgspec.json.decode(first, type=ErrorLine).error
        try:
            return msgspec.json.decode(first, type=self._line)
        except msgspec.DecodeError as error:
            raise self._failure(f"said {first[:200]!r} where its addresses were expected: {error}") from None

    async def ended(self) -> UnavailableError:
        """Wait until it has ended by itself; return an error with the end of its log."""
        assert self._process is not None  # noqa: S101 - it was started
        status = await self._process.wait()
        await self._drained()
        return self._failure(f"ended with status {status}")

    async def _stop(self) -> None:
        if self._process is not None:
            await end_child(self._process)
            await self._drained()

    async def _drained(self) -> None:
        """Wait for the rest of the log, which a grandchild may hold open a little longer."""
        if self._reader is not None:
            await asyncio.wait({self._reader}, timeout=1)
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _read_log(self) -> None:
        assert self._process is not None  # noqa: S101 - it was started
        assert self._process.stderr is not None  # noqa: S101 - a pipe, as asked for
        pending = b""
        while chunk := await self._process.stderr.read(65_536):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                self._log.append(text := line.decode("utf-8", "replace"))
                if self._on_start is not None:
                    self._on_start(text)
        if pending:
            self._log.append(pending.decode("utf-8", "replace"))

    def _failure(self, what: str) -> UnavailableError:
        lines = [*self._log][-_SHOWN_LINES:]
        log = "".join(f"\n  {line}" for line in lines) if lines else " it logged nothing"
        return UnavailableError(f"{self._title} {what}; the end of its log:{log}")


def platform_child(environment: Mapping[str, str] | None = None) -> ChildService[EmbeddedPlatform]:
    """Return a platform on free ports: all services and the Dapr-compatible runtime."""
    return ChildService("the embedded platform", ("up", "--ephemeral"), EmbeddedPlatform, environment)


def simulator_child(venue: str = "alpaca", *, rate: float | None = None) -> ChildService[EmbeddedSimulator]:
    """Return a venue's simulator on a free port; `rate` is in messages a second."""
    flags = () if rate is None else ("--rate", str(rate))
    return ChildService(
        f"the {venue} simulator",
        ("simulate", venue, "--port", "0", "--ephemeral", *flags),
        EmbeddedSimulator,
    )


def simulator_secret() -> dict[str, str]:
    """Return the environment that gives the platform's secret store the Alpaca simulator's credentials.

    They may go to any port of this machine: the simulator's is not known when the platform starts.
    """
    prefix = f"VIRTUFIN_SECRET_{SIMULATOR_SECRET_NAME.upper()}"
    return {
        f"{prefix}_KEY": SIMULATED_KEY,
        f"{prefix}_SECRET": SIMULATED_SECRET,
        f"{prefix}_HOSTS": "127.0.0.1",
    }
