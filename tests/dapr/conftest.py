"""The conformance suite runs with `--dapr` (`make test-dapr`): without daprd and the brokers it fails."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from dapr.conf import settings

from tests.dapr.clients import WAIT_SECONDS, Client, Kind, connect
from tests.dapr.sidecars import Sidecar, started
from tests.dapr.targets import APP, Platform, Target, platform


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if config.getoption("--dapr") else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # One loop for all: the SDK's async client leaves calls behind that end after it was closed.
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def target(request, tmp_path_factory) -> Iterator[Platform]:
    """A target with its broker; tests name theirs with `on(...)`."""
    wanted: Target = request.param
    with platform(wanted, tmp_path_factory.mktemp(wanted)) as running:
        yield running


@pytest.fixture
def topic() -> str:
    """A topic of the test's own; the JetStream stream holds it."""
    return f"conformance.{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=list(Kind), ids=str)
def kind(request) -> Kind:
    return request.param


@pytest.fixture
def further(target) -> Iterator[Callable[..., Sidecar]]:
    """Starts sidecars of the test's own, which outlive its clients: daprd waits long for open streams."""
    with contextlib.ExitStack() as stack:

        def start(app_id: str, **options) -> Sidecar:
            return stack.enter_context(started(target.make(app_id, **options)))

        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def opened(target, further, monkeypatch) -> AsyncIterator[Callable[..., Client]]:
    """Connects clients, and closes them and their readers."""
    monkeypatch.setattr(settings, "DAPR_HTTP_ENDPOINT", "", raising=False)
    monkeypatch.setattr(settings, "DAPR_API_TOKEN", "", raising=False)
    async with contextlib.AsyncExitStack() as stack:

        async def open_client(kind: Kind, app_id: str = APP, sidecar: Sidecar | None = None) -> Client:
            client = await connect(kind, sidecar or target.sidecar(app_id), app_id)
            stack.push_async_callback(client.close)
            _close_readers(client, stack)
            return client

        yield open_client


@pytest_asyncio.fixture(loop_scope="session")
async def client(opened, kind) -> Client:
    return await opened(kind)


def _close_readers(client: Client, stack: contextlib.AsyncExitStack) -> None:
    subscribe = client.subscribe

    async def subscribe_and_close(*args, **options):
        async with asyncio.timeout(WAIT_SECONDS):  # a call that hangs is to fail by its name
            reader = await subscribe(*args, **options)
        stack.push_async_callback(reader.close)
        return reader

    client.subscribe = subscribe_and_close
