"""What a back end's methods look like, asked by gRPC server reflection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2

from virtufin_examples.errors import PreconditionError
from virtufin_examples.gateway._methods import Schema

Metadata: TypeAlias = Sequence[tuple[str, str]]

_METHODS = (
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",  # the same messages under another name
)


async def fetch_schema(channel: grpc.aio.Channel, *, metadata: Metadata, timeout_seconds: float) -> Schema:
    """Return the methods of the server behind `channel`.

    Raises gRPC's error when it cannot be reached, `PreconditionError` when it serves no reflection or an
    incomplete one.
    """
    for path in _METHODS:
        call = channel.stream_stream(
            path,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )(metadata=tuple(metadata), timeout=timeout_seconds)
        try:
            return await _read_schema(call)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise
        finally:
            call.cancel()
    raise PreconditionError(
        "the back end serves no gRPC reflection", hint="switch server reflection on in that service"
    )


async def _read_schema(call: Any) -> Schema:  # noqa: ANN401 - gRPC's call, its messages are untyped
    listing = await _ask(call, reflection_pb2.ServerReflectionRequest(list_services=""))
    names = [service.name for service in listing.list_services_response.service]
    files: dict[str, FileDescriptorProto] = {}
    for name in names:
        answer = await _ask(call, reflection_pb2.ServerReflectionRequest(file_containing_symbol=name))
        _take(files, answer, name)
    # Servers may send a file without those it imports.
    while missing := {needed for file in files.values() for needed in file.dependency} - files.keys():
        name = min(missing)
        answer = await _ask(call, reflection_pb2.ServerReflectionRequest(file_by_filename=name))
        _take(files, answer, name)
        if name not in files:
            raise PreconditionError(f"the back end's reflection answered another file than {name!r}")
    with contextlib.suppress(asyncio.InvalidStateError):  # it ended the call first
        await call.done_writing()
    pool = DescriptorPool()
    added: set[str] = set()
    for file in files.values():
        _add(pool, file, files, added)
    return Schema(pool, [pool.FindServiceByName(name) for name in names])


async def _ask(call: Any, request: object) -> Any:  # noqa: ANN401 - the stubs are untyped
    with contextlib.suppress(asyncio.InvalidStateError):  # the call is over: read() says why
        await call.write(request)
    answer = await call.read()
    if answer is grpc.aio.EOF:
        raise PreconditionError("the back end ended the reflection call early")
    return answer


def _take(files: dict[str, FileDescriptorProto], answer: Any, wanted: str) -> None:  # noqa: ANN401 - the stubs are untyped
    if answer.HasField("error_response"):
        raise PreconditionError(
            f"the back end's reflection does not know {wanted!r}: {answer.error_response.error_message}"
        )
    for encoded in answer.file_descriptor_response.file_descriptor_proto:
        file = FileDescriptorProto.FromString(encoded)
        files.setdefault(file.name, file)


def _add(
    pool: DescriptorPool,
    file: FileDescriptorProto,
    files: dict[str, FileDescriptorProto],
    added: set[str],
) -> None:
    """Add a file after those it imports, which is the order that a pool demands."""
    if file.name in added:
        return
    added.add(file.name)
    for needed in file.dependency:
        _add(pool, files[needed], files, added)
    pool.AddSerializedFile(file.SerializeToString())
