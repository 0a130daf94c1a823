"""Fixtures of the client's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.client.fakes import FakePlatform
from virtufin_examples.client import ApiClient


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """No variable and no `.env` of the developer's reaches a test."""
    for name in (
        "VIRTUFIN_API_URL",
        "VIRTUFIN_API_KEY",
        "ALPACA_API_KEY",
        "ALPACA_API_SECRET",
        "APCA_API_KEY_ID",
        "APCA_API_SECRET_KEY",
        "DAPR_GRPC_ENDPOINT",
        "DAPR_GRPC_PORT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def platform() -> AsyncIterator[FakePlatform]:
    async with FakePlatform() as fake:
        yield fake


@pytest.fixture
async def api(platform: FakePlatform) -> AsyncIterator[ApiClient]:
    async with ApiClient(platform.endpoint) as client:
        yield client
