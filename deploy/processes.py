"""Programs of this machine on free ports, started and ended; none outlives the process that started it."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from virtufin_examples.errors import UnavailableError

READY_SECONDS = 45.0
END_SECONDS = 15.0
LOG_LINES = 40

# Below the ports that Linux, macOS and Windows give to outgoing connections (from 32768 and from 49152): one
# that is free now is not taken meanwhile by a neighbour's connection. Drawn, as others may be looking too.
_PORTS = range(20_000, 32_000)
_GUARD = Path(__file__).with_name("_guard.py")

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

_given: set[int] = set()


def free_port() -> int:
    """Return a port that nobody listens on, never the same one twice."""
    for port in random.sample(_PORTS, len(_PORTS)):
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise UnavailableError(f"no port from {_PORTS.start} to {_PORTS.stop - 1} is free")


def is_free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class _Guard:
    """Our side of the program that ends our children when we are gone (`deploy/_guard.py`)."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def tell(self, line: str) -> None:
        """Hand it a line; it is started with the first one."""
        with self._lock:
            if self._child is None:
                self._child = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_GUARD)],
                    stdin=subprocess.PIPE,
                    text=True,
                    bufsize=1,
                    start_new_session=True,
                )
                atexit.register(self._close)
            assert self._child.stdin is not None
            self._child.stdin.write(f"{line}\n")

    def _close(self) -> None:
        if self._child is not None:
            self._child.communicate()


_guard = _Guard()


def remove_with_us(folder: Path) -> None:
    """Have a folder removed when this process is gone, also when it was killed."""
    _guard.tell(str(folder.absolute()))


class Process:
    """A child in a session of its own whose output goes to a file, which is shown when it fails.

    With `ends_with_stdin` it has an open stdin and is trusted to end when that closes, as when we die.
    """

    def __init__(
        self,
        name: str,
        command: list[str | Path],
        folder: Path,
        *,
        directory: Path | None = None,
        ends_with_stdin: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._command = [str(part) for part in command]
        self._directory = directory or folder
        self._environment = {**os.environ, **(environment or {})}
        self._ends_with_stdin = ends_with_stdin
        self._log = folder / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._asked = False

    @property
    def log(self) -> str:
        """The end of what it said."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LOG_LINES:])

    @property
    def pid(self) -> int:
        """Its process id, while it runs."""
        assert self._child is not None
        return self._child.pid

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs, or when it was not started or has been ended by us."""
        return None if self._child is None else self._child.poll()

    def spawn(self) -> None:
        """Start it; `await_ready` waits for it."""
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.PIPE if self._ends_with_stdin else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _guard.tell(f"{'=' if self._ends_with_stdin else '+'}{self._child.pid}")

    def await_ready(self, ready: Callable[[], bool]) -> None:
        """Return when it is ready; `UnavailableError` with its log when it ends or is not in time."""
        until(lambda: self._alive() and ready(), self.name, log=lambda: self.log)

    def start(self, ready: Callable[[], bool]) -> None:
        """Start it and return when it is ready; when it is not, it is ended and `UnavailableError` raised."""
        self.spawn()
        try:
            self.await_ready(ready)
        except BaseException:
            self.end()
            raise

    def terminate(self) -> None:
        """Ask it to end; `end` waits for it."""
        if self._child is not None:
            self._child.terminate()
            self._asked = True

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it, by force when it does not go."""
        child, self._child = self._child, None
        asked, self._asked = self._asked, False
        if child is None:
            return
        if not asked or number != signal.SIGTERM:
            child.send_signal(number)
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()
        _guard.tell(f"-{child.pid}")

    def _alive(self) -> bool:
        if self.status is not None:
            raise UnavailableError(f"{self.name} ended with status {self.status}:\n{self.log}")
        return True


@contextlib.contextmanager
def running(process: Process, ready: Callable[[], bool]) -> Iterator[Process]:
    """Run a process for the block."""
    process.start(ready)
    try:
        yield process
    finally:
        process.end()


def until(
    condition: Callable[[], bool],
    what: str,
    seconds: float = READY_SECONDS,
    *,
    log: Callable[[], str] = str,
) -> None:
    """Look until it is true; `UnavailableError` with the log when it is not in time."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise UnavailableError(f"{what} was not ready within {seconds:g} s\n{log()}".rstrip())
        pause.wait(0.05)


def answers(url: str) -> bool:
    """Whether a GET is answered with a success; it goes straight there, through no proxy."""
    try:
        with _DIRECT.open(url, timeout=2) as response:
            return bool(response.status < 300)
    except OSError:  # HTTP errors are
        return False


def accepts(port: int) -> bool:
    """Whether somebody listens."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
