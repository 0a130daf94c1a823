"""Whole programs as a user starts them, and what a test needs to await, end and count them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "run_alpaca_market_data_example.py"
BINANCE_SCRIPT = ROOT / "scripts" / "run_binance_market_data_example.py"
LINES_SECONDS = 18.0
"""How long a program that prints at once may take for what a test waits for: a test has 20 s."""
_OURS = ("VIRTUFIN_", "ALPACA_", "APCA_", "DAPR_")


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without anything that the project reads, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, **extra}


def processes_in(folder: Path, word: str = "") -> dict[int, str]:
    """Command lines by process id of what runs in `folder` and whose command line holds `word`.

    A child keeps its parent's folder even where it is not given its environment.
    """
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if command and word in command:
                    found[int(entry.name)] = command
    return found


@dataclass
class Program:
    """A child process whose JSON lines can be awaited."""

    process: subprocess.Popen[str]
    folder: Path
    lines: list[dict] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    _queue: Queue[dict | None] = field(default_factory=Queue)

    def __post_init__(self) -> None:
        self._readers = [
            threading.Thread(target=self._read_out, daemon=True),
            threading.Thread(target=self._read_err, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_out(self) -> None:
        for line in self.process.stdout:
            self._queue.put(json.loads(line))
        self._queue.put(None)

    def _read_err(self) -> None:
        self.stderr.extend(self.process.stderr)

    def until(self, matches, timeout: float = 25.0) -> dict:
        """Return the next line that `matches`; fail with what was seen when the program ends or is silent."""
        while True:
            try:
                line = self._queue.get(timeout=timeout)
            except Empty:
                line = None
            if line is None:
                pytest.fail(f"no such line; saw {self.lines[-5:]}; stderr: {''.join(self.stderr)[-3000:]}")
            self.lines.append(line)
            if matches(line):
                return line

    def event(self, kind: str, timeout: float = 25.0) -> dict:
        """Return the next line of one kind."""
        return self.until(lambda line: line.get("event") == kind, timeout)

    def end(self, number: int | None = None, timeout: float = 25.0) -> int:
        """Send a signal if asked to, wait for the end, keep what was still said."""
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(timeout)
        while (line := self._queue.get(timeout=timeout)) is not None:
            self.lines.append(line)
        return status

    def events(self, kind: str) -> list[dict]:
        """All lines of one kind so far."""
        return [line for line in self.lines if line.get("event") == kind]


@contextlib.contextmanager
def programs(folder: Path) -> Iterator[Callable[..., Program]]:
    """Yield what starts programs in `folder`; whatever is left of them at the end is a failure."""
    started: list[Program] = []

    def run(*arguments: str | Path, **environment: str) -> Program:
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=clean_environment(**{"VIRTUFIN_SPOOL_DIR": str(folder / ".spool"), **environment}),
        )
        started.append(Program(process, folder))
        return started[-1]

    try:
        yield run
    finally:
        for program in reversed(started):
            _finish(program)
    left = eventually_none(lambda: processes_in(folder))
    assert not left, left


def _finish(program: Program) -> None:
    program.process.stdin.close()
    if program.process.poll() is None:
        program.process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.process.wait(10)
    program.process.kill()
    program.process.wait()
    for reader in program._readers:
        reader.join(5)
    program.process.stdout.close()
    program.process.stderr.close()


def eventually_none(look, seconds: float = 5.0):
    """Look again until nothing is found or the time is up; return what is left."""
    done = threading.Event()
    for _ in range(int(seconds / 0.05)):
        found = look()
        if not found:
            return found
        done.wait(0.05)
    return look()


def start_simulator(run: Callable[..., Program]) -> dict:
    """Start a simulator; return its addresses (control port included), its keys and the program."""
    program = run(
        "-m", "virtufin_examples.cli", "simulate", "alpaca", "--port", "0", "--ephemeral", "--rate", "300"
    )
    return {**program.until(lambda line: "control" in line), "program": program}


def start_binance_simulator(run: Callable[..., Program], *flags: str) -> dict:
    """Start Binance's simulator; return its addresses and the program."""
    cli = ("-m", "virtufin_examples.cli")
    program = run(*cli, "simulate", "binance", "--port", "0", "--ephemeral", "--rate", "300", *flags)
    return {**program.until(lambda line: "control" in line), "program": program}


def keys_of(simulator: dict) -> dict[str, str]:
    """Its keys as if they were an account's, allowed to go to this machine."""
    return {
        "ALPACA_API_KEY": simulator["key"],
        "ALPACA_API_SECRET": simulator["secret"],
        "VIRTUFIN_SECRET_ALPACA_HOSTS": "127.0.0.1",
    }


def write_settings(path: Path, simulator: dict, *, topic: str) -> Path:
    """Write settings of a feed of two books from that simulator."""
    settings = {
        "url": f"{simulator['url']}/v1beta3/crypto/us",
        "channel": "orderbooks",
        "symbols": ["BTC/USD", "ETH/USD"],
        "topic": topic,
        "connector": "alpaca",
    }
    path.write_text(json.dumps(settings))
    return path


def start_platform(run: Callable[..., Program], simulator: dict, *flags: str | Path) -> dict:
    """Start a platform that holds the simulator's keys; return its services' addresses and the program."""
    program = run("-m", "virtufin_examples.cli", "up", "--ephemeral", *flags, **keys_of(simulator))
    return {**program.until(lambda line: "gateway" in line), "program": program}


def control(simulator: dict, path: str, *, post: bool = False) -> dict:
    """Call the simulator's control port."""
    request = urllib.request.Request(
        f"{simulator['control']}/control/{path}", method="POST" if post else "GET"
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read() or b"{}")


@contextlib.contextmanager
def running_feed(folder: Path, *, topic: str) -> Iterator[tuple[Callable[..., Program], dict[str, str]]]:
    """Run simulator, platform and a feed onto `topic`; yield what starts programs, and their environment."""
    with programs(folder) as run:
        simulator = start_simulator(run)
        platform = start_platform(run, simulator)
        environment = {"VIRTUFIN_API_URL": platform["gateway"]}
        settings = write_settings(folder / "feed.json", simulator, topic=topic)
        cli = ("-m", "virtufin_examples.cli")
        feed = run(*cli, "feed", "start", settings, "--engine", "python", "--json", **environment)
        assert feed.end() == 0, "".join(feed.stderr)
        yield run, environment


def read_lines(process: subprocess.Popen[str], matches: Callable[[list[str]], bool], what: str) -> list[str]:
    """Return what a program prints up to where the lines match; end it and fail when they do not in time."""
    lines: list[str] = []
    deadline = threading.Timer(LINES_SECONDS, process.kill)
    deadline.start()
    try:
        while not matches(lines):
            line = process.stdout.readline()
            if not line:
                process.kill()
                errors = process.stderr.read() if process.stderr is not None else ""
                pytest.fail(
                    f"{what}: ended, or ran for {LINES_SECONDS:g} s; printed {lines[-5:]}; {errors[-3000:]}"
                )
            lines.append(line)
    finally:
        deadline.cancel()
    return lines


def first_lines(script: Path, count: int, *, folder: Path, environment: dict[str, str]) -> list[str]:
    """Run a script that prints without end; return its first lines, fail if it says anything on stderr."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=clean_environment(PYTHONUNBUFFERED="1", **environment),
    ) as process:
        lines = read_lines(process, lambda lines: len(lines) == count, script.name)
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert errors == ""
    return lines
