"""Programs that the suite starts on free ports of this machine, and ends whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

READY_SECONDS = 45.0
END_SECONDS = 15.0
LOG_LINES = 40

_given: set[int] = set()


def free_port() -> int:
    """Return a port that nobody listens on, never the same one twice."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


class Process:
    """A child whose output goes to a file, which is shown when it fails."""

    def __init__(self, name: str, command: list[str | Path], folder: Path, **environment: str) -> None:
        self.name = name
        self._command = [str(part) for part in command]
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self._log = folder / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """The end of what it said."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LOG_LINES:])

    def start(self, ready: Callable[[], bool]) -> None:
        """Start it and return when it is ready; fail with its log when it is not in time."""
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            until(lambda: self._alive() and ready(), self.name)
        except BaseException:
            self.end()
            raise

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it, by force when it does not go."""
        child, self._child = self._child, None
        if child is None:
            return
        child.send_signal(number)
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _alive(self) -> bool:
        status = self._child.poll()
        if status is not None:
            raise AssertionError(f"{self.name} ended with status {status}:\n{self.log}")
        return True


@contextlib.contextmanager
def running(process: Process, ready: Callable[[], bool]) -> Iterator[Process]:
    """Run a process for the block."""
    process.start(ready)
    try:
        yield process
    finally:
        process.end()


def until(condition: Callable[[], bool], what: str, seconds: float = READY_SECONDS) -> None:
    """Look until it is true."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} was not ready within {seconds:g} s")
        pause.wait(0.05)


def answers(url: str) -> bool:
    """Whether a GET is answered with a success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status < 300
    except OSError:  # HTTP errors are
        return False


def accepts(port: int) -> bool:
    """Whether somebody listens."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
