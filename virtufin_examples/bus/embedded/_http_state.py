"""State over HTTP: values are JSON, kept as they are written."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import state_pb2
from starlette.requests import Request
from starlette.responses import Response

from virtufin_examples.bus.embedded._content import holds_json
from virtufin_examples.bus.embedded._go_json import rewritten
from virtufin_examples.bus.embedded._http_body import (
    METADATA_PREFIX,
    json_answer,
    no_content,
    query_metadata,
    read_json,
)
from virtufin_examples.bus.embedded._state import StateService
from virtufin_examples.bus.embedded._statuses import HttpRefusedError, RefusedError
from virtufin_examples.errors import ConflictError, InvalidInputError, VirtufinError

_SAVE, _DELETE, _TRANSACTION = "ERR_STATE_SAVE", "ERR_STATE_DELETE", "ERR_STATE_TRANSACTION"
_CONCURRENCY = {
    "": common_pb2.StateOptions.StateConcurrency.CONCURRENCY_UNSPECIFIED,
    "first-write": common_pb2.StateOptions.StateConcurrency.CONCURRENCY_FIRST_WRITE,
    "last-write": common_pb2.StateOptions.StateConcurrency.CONCURRENCY_LAST_WRITE,
}


class _Options(msgspec.Struct):
    concurrency: str = ""
    consistency: str = ""  # one process: always strong


class _Item(msgspec.Struct):
    key: str = ""
    value: msgspec.Raw = msgspec.Raw(b"null")
    etag: str | None = None
    metadata: dict[str, str] | None = None
    options: _Options | None = None


class _BulkGet(msgspec.Struct):
    keys: list[str] = []


class _Operation(msgspec.Struct):
    operation: str = ""
    request: _Item = msgspec.field(default_factory=_Item)


class _Transaction(msgspec.Struct):
    operations: list[_Operation] = []
    metadata: dict[str, str] | None = None


class StateRoutes:
    """The routes below `/v1.0/state`. `strict`: JSON is written anew as by daprd, which rounds integers."""

    def __init__(self, state: StateService, *, strict: bool) -> None:
        self._state = state
        self._strict = strict

    async def get(self, request: Request, app_id: str) -> Response:
        """Return the value, 204 when there is none."""
        stored = await self._state.get(
            state_pb2.GetStateRequest(
                store_name=request.path_params["store"], key=request.path_params["key"]
            ),
            app_id,
        )
        if not stored.etag:
            return no_content()
        headers = {"etag": stored.etag}
        headers |= {METADATA_PREFIX + name: value for name, value in stored.metadata.items()}
        return Response(stored.data, headers=headers, media_type="application/json")

    async def get_bulk(self, request: Request, app_id: str) -> Response:
        """Return one object a key, with `data` where there is a value."""
        wanted = await read_json(request, _BulkGet)
        stored = await self._state.get_bulk(
            state_pb2.GetBulkStateRequest(store_name=request.path_params["store"], keys=wanted.keys), app_id
        )
        return json_answer([_bulk_item(item) for item in stored.items])

    async def save(self, request: Request, app_id: str) -> Response:
        """Write all values of a JSON array or none."""
        items = await read_json(request, list[_Item])
        store, shared = request.path_params["store"], query_metadata(request)
        states = [self._state_item(item, shared) for item in items]
        try:
            await self._state.save(state_pb2.SaveStateRequest(store_name=store, states=states), app_id)
        except VirtufinError as error:
            raise _answered(error, _SAVE, f"failed saving state in state store {store}") from error
        return no_content()

    async def delete(self, request: Request, app_id: str) -> Response:
        """Delete a key; the etag comes as If-Match."""
        store, key = request.path_params["store"], request.path_params["key"]
        deletion = state_pb2.DeleteStateRequest(
            store_name=store,
            key=key,
            etag=common_pb2.Etag(value=request.headers.get("if-match", "")),
            options=_options(_Options(concurrency=request.query_params.get("concurrency", ""))),
        )
        try:
            await self._state.delete(deletion, app_id)
        except VirtufinError as error:
            raise _answered(error, _DELETE, f"failed deleting state with key {key}") from error
        return no_content()

    async def transact(self, request: Request, app_id: str) -> Response:
        """Make all changes or none."""
        wanted = await read_json(request, _Transaction)
        shared = {**(wanted.metadata or {}), **query_metadata(request)}
        for operation in wanted.operations:
            if operation.operation not in ("upsert", "delete"):
                raise HttpRefusedError(
                    f"operation type {operation.operation} not supported",
                    error_code="ERR_NOT_SUPPORTED_STATE_OPERATION",
                    hint="it is upsert or delete",
                )
        transaction = state_pb2.ExecuteStateTransactionRequest(
            storeName=request.path_params["store"],
            operations=[
                state_pb2.TransactionalStateOperation(
                    operationType=operation.operation, request=self._state_item(operation.request, shared)
                )
                for operation in wanted.operations
            ],
        )
        try:
            await self._state.transact(transaction, app_id)
        except VirtufinError as error:
            raise _answered(error, _TRANSACTION, "") from error
        return no_content()

    def _state_item(self, item: _Item, shared: dict[str, str]) -> common_pb2.StateItem:
        if not item.key:
            raise HttpRefusedError('"key" is a required field', error_code="ERR_MALFORMED_REQUEST")
        value = bytes(item.value)
        return common_pb2.StateItem(
            key=item.key,
            value=rewritten(value) if self._strict else value,
            etag=common_pb2.Etag(value=item.etag or ""),
            metadata={**(item.metadata or {}), **shared},
            options=_options(item.options or _Options()),
        )


def _options(given: _Options) -> common_pb2.StateOptions:
    if given.concurrency not in _CONCURRENCY:
        raise InvalidInputError(
            f"unrecognized concurrency {given.concurrency!r}", hint="give first-write or last-write"
        )
    return common_pb2.StateOptions(concurrency=_CONCURRENCY[given.concurrency])


def _bulk_item(item: state_pb2.BulkStateItem) -> dict[str, object]:
    answer: dict[str, object] = {"key": item.key}
    if not item.etag:
        return answer
    if holds_json(item.data):
        answer["data"] = msgspec.Raw(item.data)
    else:
        answer["error"] = "the value is no JSON: read it over gRPC, or by itself"
    answer["etag"] = item.etag
    if item.metadata:
        answer["metadata"] = dict(item.metadata)
    return answer


def _answered(error: VirtufinError, error_code: str, what: str) -> VirtufinError:
    """Return the error as daprd's HTTP API names it; unknown stores and keys keep their own code."""
    if isinstance(error, RefusedError | HttpRefusedError):
        return error
    status = HTTPStatus.CONFLICT if isinstance(error, ConflictError) else HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, InvalidInputError):
        status = HTTPStatus.BAD_REQUEST
    message = f"{what}: {error.message}" if what else error.message
    return HttpRefusedError(message, error_code=error_code, status=status, hint=error.hint)
