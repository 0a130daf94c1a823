"""State and locks over gRPC: the shell around the storage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import ParamSpec, Protocol, TypeVar

from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import lock_pb2, state_pb2
from google.protobuf import empty_pb2

from virtufin_examples.bus.embedded._metadata import MAX_TTL_SECONDS
from virtufin_examples.bus.embedded._statuses import RefusedError, UnimplementedError
from virtufin_examples.bus.embedded._storage import Change, Storage, StoredValue
from virtufin_examples.errors import ConflictError, InvalidInputError, VirtufinError

STATE_STORE_NAME = "statestore"
LOCK_STORE_NAME = "lockstore"
KEY_SEPARATOR = "||"
TTL_SECONDS = "ttlInSeconds"
TTL_EXPIRE_TIME = "ttlExpireTime"

_FIRST_WRITE = common_pb2.StateOptions.StateConcurrency.CONCURRENCY_FIRST_WRITE

P = ParamSpec("P")
T = TypeVar("T")


class Runner(Protocol):
    """Runs a call of the storage where it may wait."""

    def __call__(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Return the call's result."""


class StateService:
    """The state and lock methods of the Dapr service. Keys belong to an app id, as `<app id>||<key>`."""

    def __init__(self, storage: Storage, run: Runner) -> None:
        self._storage = storage
        self._run = run

    async def get(self, request: state_pb2.GetStateRequest, app_id: str) -> state_pb2.GetStateResponse:
        """Return a value; an empty response when there is none."""
        _check_store(request.store_name)
        (stored,) = await self._run(self._storage.get, [_qualified(app_id, request.key)])
        if stored is None:
            return state_pb2.GetStateResponse()
        return state_pb2.GetStateResponse(data=stored.value, etag=stored.etag, metadata=_expiry(stored))

    async def get_bulk(
        self, request: state_pb2.GetBulkStateRequest, app_id: str
    ) -> state_pb2.GetBulkStateResponse:
        """Return one item a key, empty where there is no value."""
        _check_store(request.store_name)
        values = await self._run(self._storage.get, [_qualified(app_id, key) for key in request.keys])
        return state_pb2.GetBulkStateResponse(
            items=[
                state_pb2.BulkStateItem(key=key)
                if stored is None
                else state_pb2.BulkStateItem(
                    key=key, data=stored.value, etag=stored.etag, metadata=_expiry(stored)
                )
                for key, stored in zip(request.keys, values, strict=True)
            ]
        )

    async def save(self, request: state_pb2.SaveStateRequest, app_id: str) -> empty_pb2.Empty:
        """Write all values or none."""
        _check_store(request.store_name)
        await self._change(_write(app_id, item) for item in request.states)
        return empty_pb2.Empty()

    async def delete(self, request: state_pb2.DeleteStateRequest, app_id: str) -> empty_pb2.Empty:
        """Delete a key; it is no error when there is none, unless an etag is given."""
        _check_store(request.store_name)
        await self._change([_deletion(app_id, request)])
        return empty_pb2.Empty()

    async def delete_bulk(self, request: state_pb2.DeleteBulkStateRequest, app_id: str) -> empty_pb2.Empty:
        """Delete all keys or none."""
        _check_store(request.store_name)
        await self._change(_deletion(app_id, item) for item in request.states)
        return empty_pb2.Empty()

    async def transact(
        self, request: state_pb2.ExecuteStateTransactionRequest, app_id: str
    ) -> empty_pb2.Empty:
        """Make all changes or none. A stale etag is INTERNAL here, not ABORTED: daprd's rule."""
        _check_store(request.storeName)
        changes = [_operation(app_id, operation, request.metadata) for operation in request.operations]
        try:
            await self._change(changes)
        except ConflictError as error:
            raise VirtufinError(f"error while executing state transaction: {error}") from error
        return empty_pb2.Empty()

    async def try_lock(self, request: lock_pb2.TryLockRequest, app_id: str) -> lock_pb2.TryLockResponse:
        """Take a lock."""
        resource = _lock(request.store_name, request.resource_id, request.lock_owner, app_id)
        if request.expiry_in_seconds <= 0:
            raise InvalidInputError(f"expiry_in_seconds is {request.expiry_in_seconds}, not positive")
        taken = await self._run(
            self._storage.try_lock, resource, request.lock_owner, request.expiry_in_seconds
        )
        return lock_pb2.TryLockResponse(success=taken)

    async def unlock(self, request: lock_pb2.UnlockRequest, app_id: str) -> lock_pb2.UnlockResponse:
        """Give a lock back."""
        resource = _lock(request.store_name, request.resource_id, request.lock_owner, app_id)
        status = await self._run(self._storage.unlock, resource, request.lock_owner)
        return lock_pb2.UnlockResponse(status=lock_pb2.UnlockResponse.Status.Value(status.name))

    async def _change(self, changes: Iterable[Change]) -> None:
        await self._run(self._storage.change, list(changes))


def _write(app_id: str, item: common_pb2.StateItem, defaults: Mapping[str, str] | None = None) -> Change:
    if not item.key:
        raise InvalidInputError("state key cannot be empty")
    return Change(
        _qualified(app_id, item.key),
        item.value,
        item.etag.value,
        item.options.concurrency == _FIRST_WRITE,
        _ttl_seconds({**(defaults or {}), **item.metadata}),
    )


def _deletion(app_id: str, item: common_pb2.StateItem | state_pb2.DeleteStateRequest) -> Change:
    return Change(
        _qualified(app_id, item.key), None, item.etag.value, item.options.concurrency == _FIRST_WRITE
    )


def _operation(
    app_id: str, operation: state_pb2.TransactionalStateOperation, metadata: Mapping[str, str]
) -> Change:
    if operation.operationType == "upsert":
        return _write(app_id, operation.request, metadata)
    if operation.operationType == "delete":
        return _deletion(app_id, operation.request)
    raise UnimplementedError(
        f"operation type {operation.operationType} not supported", hint="it is upsert or delete"
    )


def _qualified(app_id: str, key: str) -> str:
    if KEY_SEPARATOR in key:
        raise RefusedError(
            f"input key/keyPrefix {key!r} can't contain {KEY_SEPARATOR!r}", reason="DAPR_STATE_ILLEGAL_KEY"
        )
    return f"{app_id}{KEY_SEPARATOR}{key}"


def _lock(store_name: str, resource_id: str, owner: str, app_id: str) -> str:
    if store_name != LOCK_STORE_NAME:
        raise InvalidInputError(
            f"lock store {store_name!r} is not found", hint=f"it is named {LOCK_STORE_NAME!r}"
        )
    if not resource_id:
        raise InvalidInputError("resource_id of the lock is empty")
    if KEY_SEPARATOR in resource_id:
        raise InvalidInputError(f"resource_id {resource_id!r} contains {KEY_SEPARATOR!r}")
    if not owner:
        raise InvalidInputError("lock_owner of the lock is empty")
    return f"{app_id}{KEY_SEPARATOR}{resource_id}"


def _check_store(store_name: str) -> None:
    if store_name != STATE_STORE_NAME:
        raise RefusedError(
            f"state store {store_name} is not found",
            reason="DAPR_STATE_NOT_FOUND",
            hint=f"the runtime has {STATE_STORE_NAME!r}",
        )


def _ttl_seconds(metadata: Mapping[str, str]) -> int:
    given = metadata.get(TTL_SECONDS, "")
    if not given:
        return 0
    try:
        seconds = int(given)
    except ValueError:
        seconds = MAX_TTL_SECONDS + 1
    if seconds > MAX_TTL_SECONDS:
        raise InvalidInputError(
            f"{TTL_SECONDS} is {given!r}", hint=f"give a whole number of seconds up to {MAX_TTL_SECONDS}"
        )
    return seconds


def _expiry(stored: StoredValue) -> dict[str, str]:
    if stored.expires_at is None:
        return {}
    moment = dt.datetime.fromtimestamp(stored.expires_at, dt.UTC)
    return {TTL_EXPIRE_TIME: moment.strftime("%Y-%m-%dT%H:%M:%SZ")}
