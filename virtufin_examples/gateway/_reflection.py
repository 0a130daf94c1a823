"""What a back end's methods look like, asked by gRPC server reflection."""

from __future__ import annotations

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
        try:
            return await _read_schema(_Reflection(channel, path, metadata, timeout_seconds))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise
    raise PreconditionError(
        "the back end serves no gRPC reflection", hint="switch server reflection on in that service"
    )


class _Reflection:
    """Asks one thing a call.

    The method takes a stream of questions, but a write to a stream that its server has just ended hides why:
    grpc's asyncio client then reports INTERNAL in place of the status. One question needs no such write.
    """

    def __init__(
        self, channel: grpc.aio.Channel, path: str, metadata: Metadata, timeout_seconds: float
    ) -> None:
        self._method: Any = channel.unary_stream(
            path,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        self._metadata = tuple(metadata)
        self._timeout_seconds = timeout_seconds

    async def ask(self, **question: str) -> Any:  # noqa: ANN401 - the stubs are untyped
        """Return the answer to `question`, a field of the request."""
        request = reflection_pb2.ServerReflectionRequest(**question)
        call = self._method(request, metadata=self._metadata, timeout=self._timeout_seconds)
        try:
            answer = await call.read()
        finally:
            call.cancel()
        if answer is grpc.aio.EOF:
            raise PreconditionError("the back end ended the reflection call early")
        return answer


async def _read_schema(server: _Reflection) -> Schema:
    listing = await server.ask(list_services="")
    names = [service.name for service in listing.list_services_response.service]
    files: dict[str, FileDescriptorProto] = {}
    for name in names:
        _take(files, await server.ask(file_containing_symbol=name), name)
    # Servers may send a file without those it imports.
    while missing := {needed for file in files.values() for needed in file.dependency} - files.keys():
        name = min(missing)
        _take(files, await server.ask(file_by_filename=name), name)
        if name not in files:
            raise PreconditionError(f"the back end's reflection answered another file than {name!r}")
    pool = DescriptorPool()
    added: set[str] = set()
    for file in files.values():
        _add(pool, file, files, added)
    return Schema(pool, [pool.FindServiceByName(name) for name in names])


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
