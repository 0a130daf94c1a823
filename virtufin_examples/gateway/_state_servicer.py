"""`virtufin.v1.State`."""

# ruff: noqa: N802 - the methods are named by the contract

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec
import structlog

from virtufin_examples._generated.virtufin.v1 import state_pb2, state_pb2_grpc
from virtufin_examples.bus import Bus, StateEntry
from virtufin_examples.bus._port import CLOUDEVENT_JSON
from virtufin_examples.errors import InvalidInputError, VirtufinError

_log = structlog.get_logger(__name__)

CHANGE_TOPIC = "state.change"
SOURCE = "urn:com.virtufin.api"

_TYPES = {"save": "com.virtufin.state.change.saved", "delete": "com.virtufin.state.change.deleted"}
_CALLS_AT_ONCE = 16
"""Of one bulk request, so that it does not crowd out others."""

Result = TypeVar("Result")


class StateServicer(state_pb2_grpc.StateServicer):
    """Keys and values of the bus's state store. Errors, a stale etag (ABORTED) too, are the call's.

    A change event is published after the write and at most once: a write that succeeded is not undone, nor
    called failed, because its event could not be published.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def SaveState(
        self, request: state_pb2.SaveStateRequest, _context: object
    ) -> state_pb2.SaveStateResponse:
        """Write a value; answers its etag, empty when somebody else wrote another value in between."""
        _check_key(request.key)
        await self._bus.save_state(request.key, request.value, etag=request.etag or None)
        etag = await self._etag_of(request.key, request.value)
        if request.publish_change:
            change: dict[str, object] = {"service": request.service, "key": request.key, "action": "save"}
            if request.include_value:
                change["value"] = _text(request.value)
            await self._announce("save", change)
        return state_pb2.SaveStateResponse(status=_ok(), etag=etag)

    async def GetState(
        self, request: state_pb2.GetStateRequest, _context: object
    ) -> state_pb2.GetStateResponse:
        """Read a value; the etag is empty when there is no such key."""
        _check_key(request.key)
        entry = await self._bus.get_state(request.key)
        if entry is None:
            return state_pb2.GetStateResponse(key=request.key)
        return state_pb2.GetStateResponse(key=request.key, value=entry.value, etag=entry.etag)

    async def DeleteState(
        self, request: state_pb2.DeleteStateRequest, _context: object
    ) -> state_pb2.DeleteStateResponse:
        """Delete a key; it is no error when there is none."""
        _check_key(request.key)
        told = request.publish_change and request.include_value
        before = await self._bus.get_state(request.key) if told else None
        await self._bus.delete_state(request.key, etag=request.etag or None)
        if request.publish_change:
            change: dict[str, object] = {"service": request.service, "key": request.key, "action": "delete"}
            if before is not None:
                change["value"] = _text(before.value)
            await self._announce("delete", change)
        return state_pb2.DeleteStateResponse(status=_ok())

    async def GetBulkState(
        self, request: state_pb2.GetBulkStateRequest, _context: object
    ) -> state_pb2.GetBulkStateResponse:
        """Read several keys; those that do not exist are left out."""
        _check_keys(request.keys)
        entries: list[StateEntry | None] = await _each(self._bus.get_state, request.keys)
        found = zip(request.keys, entries, strict=True)
        return state_pb2.GetBulkStateResponse(
            items=[state_pb2.StateItem(key=k, value=e.value, etag=e.etag) for k, e in found if e is not None]
        )

    async def DeleteBulkState(
        self, request: state_pb2.DeleteBulkStateRequest, _context: object
    ) -> state_pb2.DeleteBulkStateResponse:
        """Delete several keys; those that failed are named, the change event names those that are gone."""
        _check_keys(request.keys)
        errors: list[VirtufinError | None] = await _each(self._try_delete, request.keys)
        failed = [key for key, error in zip(request.keys, errors, strict=True) if error is not None]
        deleted = [key for key in request.keys if key not in failed]
        if request.publish_change and deleted:
            change: dict[str, object] = {"service": request.service, "keys": deleted, "action": "delete"}
            await self._announce("delete", change)
        first = next((error for error in errors if error is not None), None)
        status = state_pb2.StatusResponse(
            success=first is None,
            status="OK" if first is None else first.code,
            message=f"deleted {len(deleted)} of {len(request.keys)}" + (f": {first}" if first else ""),
        )
        return state_pb2.DeleteBulkStateResponse(status=status, failed_keys=failed)

    async def _etag_of(self, key: str, value: bytes) -> str:
        try:
            entry = await self._bus.get_state(key)
        except VirtufinError as error:
            _log.warning("etag of a written value not read", error=str(error))
            return ""
        # The etag of somebody else's value would let the caller overwrite what it has not seen.
        return entry.etag if entry is not None and entry.value == value else ""

    async def _try_delete(self, key: str) -> VirtufinError | None:
        try:
            await self._bus.delete_state(key)
        except VirtufinError as error:
            return error
        return None

    async def _announce(self, action: str, change: dict[str, object]) -> None:
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": SOURCE,
            "type": _TYPES[action],
            "time": dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": change,
        }
        try:
            await self._bus.publish(CHANGE_TOPIC, msgspec.json.encode(event), content_type=CLOUDEVENT_JSON)
        except VirtufinError as error:
            _log.warning("state change not published", topic=CHANGE_TOPIC, action=action, error=str(error))


async def _each(call: Callable[[str], Awaitable[Result]], keys: Iterable[str]) -> list[Result]:
    slots = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def one(key: str) -> Result:
        async with slots:
            return await call(key)

    return list(await asyncio.gather(*(one(key) for key in keys)))


def _check_key(key: str) -> None:
    if not key:
        raise InvalidInputError("key is empty", hint="name the key")


def _check_keys(keys: Iterable[str]) -> None:
    given = list(keys)
    if not given:
        raise InvalidInputError("keys is empty", hint="name at least one key")
    for position, key in enumerate(given):
        if not key:
            raise InvalidInputError(f"keys[{position}] is empty", hint="name the key")


def _ok() -> state_pb2.StatusResponse:
    return state_pb2.StatusResponse(success=True, status="OK")


def _text(value: bytes) -> str:
    """Return a value as the proto3 JSON mapping writes bytes."""
    return base64.b64encode(value).decode()
