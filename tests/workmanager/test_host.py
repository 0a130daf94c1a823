"""The host process by itself, over its pipe."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from virtufin_examples.workmanager import _wire

LOOP = b"""
import sys
sys.stderr.write("loaded\\n")
def Process(event):
    while True:
        pass
"""
# A pattern that holds the GIL for ever.
STUBBORN = b"""
import re
def Process(event):
    re.match(r"(a+)+$", "a" * 64 + "b")
"""


class Host:
    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "virtufin_examples.workmanager.host"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def send(self, *messages: _wire.ToHost) -> None:
        self.process.stdin.write(b"".join(_wire.pack(message) for message in messages))
        self.process.stdin.flush()

    def receive(self) -> _wire.FromHost:
        length = _wire.body_length(self.process.stdout.read(4))
        return _wire.read_from_host(self.process.stdout.read(length))

    def load(self, code: bytes) -> _wire.FromHost:
        self.send(_wire.Load("w", "t", "text/x-python", code))
        return self.receive()


@pytest.fixture
def host() -> Iterator[Host]:
    started = Host()
    with started.process:
        yield started
        started.process.kill()


def test_it_answers_pings_while_the_worker_works(host: Host) -> None:
    assert isinstance(host.load(LOOP), _wire.Ready)
    host.send(_wire.Process(1, _raw("{}")), _wire.Ping(2))
    assert host.receive() == _wire.Pong(2)


@pytest.mark.parametrize("code", [LOOP, STUBBORN])
def test_it_ends_when_the_other_side_is_gone_whatever_the_worker_does(code: bytes) -> None:
    """A process in the middle starts a host and is killed, as a WorkManager would be."""
    middle = f"""
import os, subprocess, sys, time
sys.path.insert(0, {str(Path.cwd())!r})
from tests.workmanager.test_host import Host, _raw
from virtufin_examples.workmanager import _wire
host = Host()
host.load({code!r})
host.send(_wire.Process(1, _raw("{{}}")), _wire.Ping(2))
print(host.process.pid, flush=True)
time.sleep(3600)
"""
    with subprocess.Popen([sys.executable, "-c", middle], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    asyncio.run(_gone(pid))


async def _gone(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.01)


def test_an_event_before_the_code_is_an_error(host: Host) -> None:
    host.send(_wire.Process(7, _raw("{}")))
    assert host.receive() == _wire.Error(7, "no code is loaded")


def test_it_ends_when_told_to(host: Host) -> None:
    host.load(b"def Process(event): pass")
    host.send(_wire.Process(1, _raw("{}")), _wire.Shutdown())
    assert bytes(host.receive().event) == b"null"
    assert host.process.wait() == 0


def test_garbage_ends_it_with_a_word(host: Host) -> None:
    host.process.stdin.write(b"\x00\x00\x00\x02{]")
    host.process.stdin.flush()
    assert host.process.wait() == 1
    assert b"malformed" in host.process.stderr.read()


def test_gateway_calls_of_several_threads_find_their_answers(host: Host) -> None:
    code = b"""
from concurrent.futures import ThreadPoolExecutor
def Start(worker_id, topic, gateway):
    global call
    call = gateway.invoke
def Process(event):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: call("s", "m", str(n)), range(4)))
    return {"data": answers}
"""
    host.load(code)
    host.send(_wire.Process(1, _raw("{}")))
    calls = [host.receive() for _ in range(4)]
    for call in reversed(calls):
        host.send(
            _wire.GatewayResult(call.id, success=True, status="OK", message="", response=f"r{call.request}")
        )
    assert bytes(host.receive().event) == b'{"data":["r0","r1","r2","r3"]}'


def test_a_host_is_light_to_import() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, virtufin_examples.workmanager.host._main; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"grpc", "httpx", "structlog", "pydantic", "asyncio", "clr_loader", "pythonnet"} & set(loaded)


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())
