"""The WorkManager's side of one worker host: start, load, process, end; and its last words."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from virtufin_examples.errors import ResourceLimitError
from virtufin_examples.workmanager._environment import HostSetup
from virtufin_examples.workmanager._failures import (
    HostDiedError,
    LoadFailedError,
    WorkerRaisedError,
    WorkerTimeoutError,
)
from virtufin_examples.workmanager._last_words import StderrLines, describe_exit
from virtufin_examples.workmanager._wire import (
    HEADER_BYTES,
    Error,
    Failed,
    FromHost,
    GatewayCall,
    GatewayResult,
    Load,
    Process,
    Ready,
    Result,
    Shutdown,
    ToHost,
    body_length,
    pack,
    read_from_host,
)

LOAD_TIMEOUT_SECONDS = 15.0
SHUTDOWN_GRACE_SECONDS = 1.0
STDERR_READ_BYTES = 64 * 1024
DRAIN_SECONDS = 2.0  # for the pipes of a host that has ended

_log = structlog.get_logger(__name__)

CallGateway = Callable[[GatewayCall], Awaitable[GatewayResult]]


class HostProcess:
    """One child process with one loaded worker. Made by `start`."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        *,
        worker_id: str,
        abort_hint: str,
        call_gateway: CallGateway,
    ) -> None:
        self._process = process
        self._abort_hint = abort_hint
        self._worker_id = worker_id
        self._call_gateway = call_gateway
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._loaded: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._loaded.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._calls: set[asyncio.Task[None]] = set()
        self._stderr = StderrLines()
        self._verdict = ""
        self.exit_reason = ""
        """Why it ended, in one line; set before `closed`."""
        self.closed = asyncio.create_task(self._run(), name=f"host-{worker_id}")
        """Ends, without an error, when the process has."""

    @classmethod
    async def start(cls, *, worker_id: str, setup: HostSetup, call_gateway: CallGateway) -> HostProcess:
        """Start a host. Nothing of the worker is in its arguments or environment."""
        windows = sys.platform == "win32"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the current folder is no place to import from
            "-m",
            "virtufin_examples.workmanager.host",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(setup.environment),
            start_new_session=not windows,  # a terminal's Ctrl-C is ours to handle
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) if windows else 0,
        )
        return cls(process, worker_id=worker_id, abort_hint=setup.abort_hint, call_gateway=call_gateway)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    async def load(self, message: Load) -> Ready:
        """Load the code; `LoadFailedError` or `HostDiedError` says why it cannot be run."""
        await self._send(message)
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_SECONDS):
                return await asyncio.shield(self._loaded)
        except TimeoutError:
            reason = f"the code was not loaded and started within {LOAD_TIMEOUT_SECONDS:g} s"
            self.kill(reason)
            raise LoadFailedError(
                reason, hint="do no long work in the module, the constructor or Start"
            ) from None

    async def process(self, event: bytes, *, timeout_seconds: float) -> bytes | None:
        """Have the worker handle an event and return its answer.

        Raises `WorkerRaisedError`, `HostDiedError`, or `WorkerTimeoutError` after killing the host.
        """
        number = next(self._numbers)
        future: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._send(Process(id=number, event=msgspec.Raw(event)))
                answer = bytes(await future)
        except TimeoutError:
            reason = f"no answer within {timeout_seconds:g} s"
            self.kill(reason)
            await asyncio.wait([self.closed])
            raise WorkerTimeoutError(reason) from None
        except ResourceLimitError as error:
            raise WorkerRaisedError(error.message) from error
        finally:
            self._waiting.pop(number, None)
        return None if answer == b"null" else answer

    async def close(self) -> None:
        """End it: ask, then close its stdin, then kill."""
        with contextlib.suppress(HostDiedError):
            await self._send(Shutdown())
        if self._process.stdin is not None:
            self._process.stdin.close()
        done, _ = await asyncio.wait([self.closed], timeout=SHUTDOWN_GRACE_SECONDS)
        if not done:
            self.kill("stopped")
            await asyncio.wait([self.closed])

    def kill(self, reason: str) -> None:
        """Kill it; `reason` becomes the exit reason."""
        self._verdict = self._verdict or reason
        self._kill_group()

    def _kill_group(self) -> None:
        """Kill the host and what it started: it leads a process group of its own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _send(self, message: ToHost) -> None:
        data = pack(message)
        stdin = self._process.stdin
        if stdin is None or stdin.is_closing() or self.closed.done():
            raise HostDiedError(self.exit_reason or "the worker's host is closed")
        try:
            stdin.write(data)
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            await asyncio.shield(self.closed)
            raise HostDiedError(self.exit_reason) from None

    async def _run(self) -> None:
        stderr = asyncio.create_task(self._read_stderr())
        try:
            await self._read_messages()
        except (ResourceLimitError, msgspec.MsgspecError) as error:
            self.kill(f"the worker's host broke the protocol: {error}")
        # Its pipe is closed, so it has ended or is of no use; the status of an exit under way stays as it is.
        self._kill_group()
        status = await self._exit_status()
        await asyncio.wait([stderr], timeout=DRAIN_SECONDS)
        stderr.cancel()
        self.exit_reason = self._verdict or describe_exit(
            status, self._stderr.last, abort_hint=self._abort_hint
        )
        for call in self._calls:
            call.cancel()
        if not self._loaded.done():
            self._loaded.set_exception(HostDiedError(self.exit_reason))
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(HostDiedError(self.exit_reason))
        self._close_pipes()

    async def _exit_status(self) -> int:
        """Wait for the end. asyncio waits for the pipes too, which a process that got away may hold open."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                return await self._process.wait()
        except TimeoutError:
            return self._process.returncode if self._process.returncode is not None else -signal.SIGKILL

    def _close_pipes(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        transport = getattr(
            self._process, "_transport", None
        )  # else it is closed by its finaliser, with a warning
        if transport is not None:
            transport.close()

    async def _read_messages(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            return
        while True:
            try:
                header = await stdout.readexactly(HEADER_BYTES)
                body = await stdout.readexactly(body_length(header))
            except asyncio.IncompleteReadError:
                return
            self._received(read_from_host(body))

    def _received(self, message: FromHost) -> None:
        match message:
            case Ready():
                if not self._loaded.done():
                    self._loaded.set_result(message)
            case Failed(message=reason):
                self._verdict = reason
                if not self._loaded.done():
                    self._loaded.set_exception(LoadFailedError(reason))
            case Result(id=number, event=event):
                self._answer(number, msgspec.Raw(bytes(event)))
            case Error(id=number, message=reason):
                self._answer(number, WorkerRaisedError(reason))
            case GatewayCall():
                task = asyncio.create_task(self._serve(message))
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)
            case _:
                pass  # a pong says nothing that a living pipe does not

    def _answer(self, number: int, answer: msgspec.Raw | WorkerRaisedError) -> None:
        future = self._waiting.get(number)
        if future is None or future.done():
            return
        if isinstance(answer, WorkerRaisedError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    async def _serve(self, call: GatewayCall) -> None:
        result = await self._call_gateway(call)
        with contextlib.suppress(HostDiedError):  # nobody waits for it any more
            try:
                await self._send(result)
            except ResourceLimitError as error:
                refusal = GatewayResult(
                    id=call.id, success=False, status=error.code, message=error.message, response=""
                )
                await self._send(refusal)

    async def _read_stderr(self) -> None:
        stderr = self._process.stderr
        if stderr is None:
            return
        while data := await stderr.read(STDERR_READ_BYTES):
            self._log_lines(self._stderr.feed(data))
        self._log_lines(self._stderr.feed(b"", final=True))

    def _log_lines(self, lines: list[str]) -> None:
        for line in lines:
            _log.info("worker output", worker_id=self._worker_id, line=line)
