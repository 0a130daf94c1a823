"""Locks, with the SDK."""

from __future__ import annotations

import asyncio
import uuid
import warnings

import pytest
from dapr.clients.grpc._response import UnlockResponseStatus

from tests.dapr.clients import Kind
from tests.dapr.targets import LOCKS

pytestmark = pytest.mark.parametrize("target", LOCKS, indirect=True, scope="session")

STORE = "lockstore"


@pytest.fixture(params=[Kind.SYNC, Kind.ASYNC], ids=str)
def call(request, opened):
    async def call_method(name: str, *args):
        method = getattr((await opened(request.param)).client, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the SDK says each time that locks are an alpha API
            if request.param is Kind.ASYNC:
                return await method(*args)
            return await asyncio.to_thread(method, *args)

    return call_method


@pytest.fixture
def resource() -> str:
    return f"resource-{uuid.uuid4().hex[:12]}"


async def test_a_lock_is_held_once_until_its_owner_gives_it_back(call, resource):
    assert (await call("try_lock", STORE, resource, "me", 60)).success
    assert not (await call("try_lock", STORE, resource, "you", 60)).success
    assert not (await call("try_lock", STORE, resource, "me", 60)).success
    assert (
        await call("unlock", STORE, resource, "you")
    ).status is UnlockResponseStatus.lock_belongs_to_others
    assert (await call("unlock", STORE, resource, "me")).status is UnlockResponseStatus.success
    assert (await call("unlock", STORE, resource, "me")).status is UnlockResponseStatus.lock_does_not_exist
    assert (await call("try_lock", STORE, resource, "you", 60)).success


async def test_a_lock_expires(call, resource):
    assert (await call("try_lock", STORE, resource, "me", 1)).success

    async with asyncio.timeout(10):
        while not (await call("try_lock", STORE, resource, "you", 60)).success:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.1)
