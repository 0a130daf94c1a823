from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc.aio
import pytest
from dapr.conf import settings
from dapr.proto.runtime.v1 import dapr_pb2_grpc

from virtufin_examples.bus.embedded import EmbeddedRuntime
from virtufin_examples.service import Addresses

MAX_BYTES = 16 * 1024 * 1024
SECRETS = {"alpaca": {"key": "canary-key", "hosts": "api.alpaca.markets"}, "other": {"token": "t"}}


@contextlib.contextmanager
def runtime_process(**options: object) -> Iterator[Addresses]:
    """Start a runtime as a child process; it ends with the block."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bus.embedded.serve", json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Addresses(**json.loads(child.stdout.readline()))
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


@pytest.fixture(scope="module", params=["memory", "file"])
def sidecar(request, tmp_path_factory) -> Iterator[Addresses]:
    """A runtime in a process of its own, once in memory and once with a file."""
    data_dir = None if request.param == "memory" else str(tmp_path_factory.mktemp("runtime"))
    with runtime_process(secrets=SECRETS, data_dir=data_dir) as addresses:
        yield addresses


@pytest.fixture
def sdk_address(sidecar, monkeypatch) -> str:
    """The gRPC address to give to an SDK client, which probes health where its settings say."""
    monkeypatch.setattr(settings, "DAPR_HTTP_ENDPOINT", f"http://{sidecar.http}", raising=False)
    return sidecar.grpc


@contextlib.asynccontextmanager
async def running(**options) -> AsyncIterator[Addresses]:
    """A runtime on the test's own loop."""
    runtime = EmbeddedRuntime(**options)
    addresses = await runtime.start()
    try:
        yield addresses
    finally:
        await runtime.stop()


@contextlib.asynccontextmanager
async def channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    options = [("grpc.max_receive_message_length", MAX_BYTES), ("grpc.max_send_message_length", MAX_BYTES)]
    async with grpc.aio.insecure_channel(address, options=options) as opened:
        yield opened


@pytest.fixture(params=["memory", "file"])
def data_dir(request, tmp_path) -> Path | None:
    return None if request.param == "memory" else tmp_path


@pytest.fixture
async def stub(data_dir):
    async with (
        running(data_dir=data_dir, secrets=SECRETS) as addresses,
        channel(addresses.grpc) as opened,
    ):
        yield dapr_pb2_grpc.DaprStub(opened)
