"""Memory and processor time of real processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest

from benchmarks._processes import command_line, descendants, loopback_bytes, memory_of, processor_ns
from virtufin_examples.errors import PreconditionError

MB = 1_000_000
HOLD = "import sys; held = bytes(range(1, 251)) * 200_000; print('ready', flush=True); sys.stdin.read()"
NEST = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"


@pytest.fixture
def holder():
    """A child with a child that holds 50 MB; the ids of both."""
    with subprocess.Popen(
        [sys.executable, "-c", NEST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        yield process.pid, *descendants(process.pid)
        process.stdin.close()


def test_the_tree_holds_children_of_children(holder):
    _, grandchild = holder
    assert set(holder) <= set(descendants(os.getpid()))
    assert "held" in command_line(grandchild)


def test_memory_is_counted_where_it_is_held(holder):
    child, grandchild = holder
    memory = memory_of(holder)
    assert 50 * MB < memory.own[grandchild] < 70 * MB
    assert memory.own[child] < 20 * MB


def test_code_that_processes_share_counts_once(holder):
    both, one = memory_of(holder).files, memory_of(holder[1:]).files
    assert 1 * MB < one <= both < 1.5 * one


def test_processor_time_is_that_of_work():
    before = processor_ns(os.getpid())
    started = time.process_time_ns()
    while time.process_time_ns() - started < 50_000_000:
        pass
    used = processor_ns(os.getpid()) - before
    assert 45_000_000 <= used < 500_000_000


def test_bytes_over_the_loopback_interface_are_counted():
    before = loopback_bytes()
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        client.sendall(b"x" * 10_000)
        assert accepted.recv(10_000, socket.MSG_WAITALL)
    assert loopback_bytes() - before >= 10_000


def test_a_process_that_is_not_there_is_an_error():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    with pytest.raises(PreconditionError, match="smaps"):
        memory_of([process.pid])
