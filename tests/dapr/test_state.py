"""State: values, ETags, transactions, time to live, with the SDK and with our bus."""

from __future__ import annotations

import asyncio
import uuid

import grpc
import pytest
from dapr.clients.grpc._request import TransactionalStateOperation, TransactionOperationType
from dapr.clients.grpc._state import Concurrency, StateItem, StateOptions
from dapr.conf import settings

from tests.dapr.clients import Kind
from tests.dapr.differences import expected
from tests.dapr.targets import APP, STATES
from virtufin_examples.errors import ConflictError

pytestmark = pytest.mark.parametrize("target", STATES, indirect=True, scope="session")

STORE = "statestore"
FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write)


@pytest.fixture
def key() -> str:
    return f"key-{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=[Kind.SYNC, Kind.ASYNC], ids=str)
def call(request, opened):
    """Calls a method of either SDK client."""

    async def call_method(name: str, *args, **options):
        client = (await opened(request.param)).client
        method = getattr(client, name)
        if request.param is Kind.ASYNC:
            return await method(*args, **options)
        return await asyncio.to_thread(method, *args, **options)

    return call_method


async def code_of(awaitable) -> grpc.StatusCode:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each SDK client wraps it in a class of its own
        await awaitable
    error = caught.value
    return error.code() if hasattr(error, "code") else error.__cause__.code()


async def test_a_value_is_read_back_with_its_etag(call, key):
    await call("save_state", STORE, key, b"one")

    stored = await call("get_state", STORE, key)

    assert (stored.data, bool(stored.etag)) == (b"one", True)


async def test_a_key_without_a_value_is_empty(call, key):
    stored = await call("get_state", STORE, key)

    assert (stored.data, stored.etag) == (b"", "")


async def test_a_stale_etag_is_refused(call, key):
    await call("save_state", STORE, key, b"one")
    stale = (await call("get_state", STORE, key)).etag
    await call("save_state", STORE, key, b"two", etag=stale, options=FIRST_WRITE)

    code = await code_of(call("save_state", STORE, key, b"three", etag=stale, options=FIRST_WRITE))
    deletion = await code_of(call("delete_state", STORE, key, etag=stale, options=FIRST_WRITE))

    assert (code, deletion) == (grpc.StatusCode.ABORTED, grpc.StatusCode.ABORTED)
    assert (await call("get_state", STORE, key)).data == b"two"


async def test_a_first_write_finds_no_value(call, key, target):
    await call("save_state", STORE, key, b"one", options=FIRST_WRITE)

    code = await code_of(call("save_state", STORE, key, b"two", options=FIRST_WRITE))

    assert code.name == expected("first write", target.target)
    assert (await call("get_state", STORE, key)).data == b"one"


async def test_a_last_write_to_a_key_that_began_with_a_first_write(call, key, target):
    await call("save_state", STORE, key, b"one", options=FIRST_WRITE)

    writing = call("save_state", STORE, key, b"two")
    if expected("last write", target.target) == "written":
        await writing
        assert (await call("get_state", STORE, key)).data == b"two"
    else:
        assert (await code_of(writing)).name == expected("last write", target.target)


async def test_a_deleted_key_is_gone_and_may_be_deleted_again(call, key):
    await call("save_state", STORE, key, b"one")
    await call("delete_state", STORE, key)
    await call("delete_state", STORE, key)

    assert (await call("get_state", STORE, key)).data == b""


async def test_several_values_at_once(call, key):
    keys = [f"{key}-{number}" for number in range(5)]
    await call("save_bulk_state", STORE, [StateItem(key=name, value=name) for name in keys])

    items = (await call("get_bulk_state", STORE, [*keys, f"{key}-missing"])).items

    found = {item.key: item.data for item in items}
    assert found == {**{name: name.encode() for name in keys}, f"{key}-missing": b""}


async def test_a_transaction_writes_and_deletes_together(call, key):
    await call("save_state", STORE, f"{key}-old", b"old")
    operations = [
        TransactionalStateOperation(key=f"{key}-new", data="new"),
        TransactionalStateOperation(
            key=f"{key}-old", data="", operation_type=TransactionOperationType.delete
        ),
    ]
    await call("execute_state_transaction", STORE, operations)

    assert (await call("get_state", STORE, f"{key}-new")).data == b"new"
    assert (await call("get_state", STORE, f"{key}-old")).data == b""


async def test_a_value_lives_as_long_as_it_is_told(call, key):
    await call("save_state", STORE, key, b"short", state_metadata={"ttlInSeconds": "1"})
    assert (await call("get_state", STORE, key)).data == b"short"

    async with asyncio.timeout(10):
        while (await call("get_state", STORE, key)).data:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.1)


async def test_an_unknown_store_and_a_bad_key_are_refused(call, key):
    assert await code_of(call("get_state", "nowhere", key)) is grpc.StatusCode.INVALID_ARGUMENT
    assert await code_of(call("save_state", STORE, "a||b", b"x")) is grpc.StatusCode.INVALID_ARGUMENT


async def test_our_bus_does_the_same(opened, key):
    bus = (await opened(Kind.OURS)).bus
    await bus.save_state(key, b"one", create=True)
    stored = await bus.get_state(key)
    with pytest.raises(ConflictError):
        await bus.save_state(key, b"two", create=True)
    await bus.save_state(key, b"two", etag=stored.etag)
    with pytest.raises(ConflictError):
        await bus.save_state(key, b"three", etag=stored.etag)
    with pytest.raises(ConflictError):
        await bus.delete_state(key, etag=stored.etag)
    await bus.delete_state(key)

    assert stored.value == b"one"
    assert await bus.get_state(key) is None


async def test_each_app_id_has_its_own_keys(opened, key, target):
    settings.DAPR_HTTP_ENDPOINT = f"http://{target.sidecar(APP).http}"
    here, there = (await opened(Kind.OURS)).bus, (await opened(Kind.OURS, "other")).bus
    await here.save_state(key, b"mine")

    assert await there.get_state(key) is None
