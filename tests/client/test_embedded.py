from __future__ import annotations

import asyncio
import os
import signal
import sys

import msgspec
import pytest

from virtufin_examples.client import ChildService, _end_child, simulator_child, simulator_secret
from virtufin_examples.client import _embedded as embedded
from virtufin_examples.errors import UnavailableError


class Line(msgspec.Struct):
    pid: int
    pgid: int = 0


READY = "import json, os, sys; print(json.dumps({'pid': os.getpid(), 'pgid': os.getpgrp()}), flush=True)\n"


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch):
    """Return a factory of children that run a given program in place of the command line."""
    run = asyncio.create_subprocess_exec

    def make(program: str) -> ChildService[Line]:
        async def instead(*_command: str, **options: object) -> asyncio.subprocess.Process:
            return await run(sys.executable, "-c", program, **options)

        monkeypatch.setattr(embedded.asyncio, "create_subprocess_exec", instead)
        return ChildService("the child", ("x",), Line)

    return make


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_child_ends_when_its_stdin_closes_and_has_a_group_of_its_own(child) -> None:
    async with child(READY + "sys.stdin.read()") as line:
        assert line.pgid == line.pid != os.getpgrp()
    assert not alive(line.pid)


@pytest.mark.parametrize("ignored", ["", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"])
async def test_child_that_does_not_end_is_terminated_then_killed(
    ignored: str, child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_end_child, "END_SECONDS", 0.2)
    async with child(ignored + READY + "import threading; threading.Event().wait()") as line:
        pass
    assert not alive(line.pid)


async def test_child_that_fails_shows_the_end_of_its_log(child) -> None:
    program = "import sys\nfor n in range(500): print('line', n, file=sys.stderr)\nsys.exit(3)"
    with pytest.raises(UnavailableError, match=r"the child ended with status 3(.|\n)*line 499") as caught:
        async with child(program):
            pass
    assert "line 480" not in str(caught.value)


async def test_child_that_is_never_ready_is_ended(child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_START_SECONDS", 0.3)
    with pytest.raises(UnavailableError, match=r"not ready after 0\.3 s"):
        async with child("import sys; sys.stdin.read()"):
            pass


async def test_child_that_talks_nonsense_is_told(child) -> None:
    with pytest.raises(UnavailableError, match="where its addresses were expected"):
        async with child("import sys; print('hello', flush=True); sys.stdin.read()"):
            pass


async def test_death_of_a_child_is_noticed(child) -> None:
    service = child(
        "import sys; print('last words', file=sys.stderr, flush=True)\n" + READY + "sys.stdin.read()"
    )
    async with service as line:
        os.kill(line.pid, signal.SIGKILL)
        error = await service.ended()
    assert "ended with status -9" in str(error)
    assert "last words" in str(error)


async def test_interrupt_while_starting_ends_the_child(child) -> None:
    service = child("import sys; sys.stdin.read()")

    async def use() -> None:
        async with service:
            pass

    task = asyncio.create_task(use())
    while service._process is None:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0)
    pid = service._process.pid
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(pid)


async def test_simulator_says_where_it_is() -> None:
    async with simulator_child() as line:
        assert line.url.startswith("ws://127.0.0.1:")
        assert line.control.startswith("http://127.0.0.1:")
        secret = simulator_secret()
        assert secret["VIRTUFIN_SECRET_ALPACASIM_KEY"] == line.key
        assert secret["VIRTUFIN_SECRET_ALPACASIM_SECRET"] == line.secret
