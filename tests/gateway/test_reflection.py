"""Reflection of servers that do it in other ways than ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2 as pb

from tests.gateway.conftest import channel_to
from virtufin_examples._generated.virtufin.v1 import pubsub_pb2
from virtufin_examples.errors import PreconditionError
from virtufin_examples.gateway._reflection import fetch_schema

SERVICE = "virtufin.v1.Pubsub"
V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"

Answer = Callable[[pb.ServerReflectionRequest], pb.ServerReflectionResponse]


def encoded(file: FileDescriptor) -> bytes:
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    return proto.SerializeToString()


def all_files(file: FileDescriptor, into: dict[str, FileDescriptor]) -> dict[str, FileDescriptor]:
    into[file.name] = file
    for needed in file.dependencies:
        all_files(needed, into)
    return into


FILES = all_files(pubsub_pb2.DESCRIPTOR, {})


def one_file_an_answer(request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
    """As Go's server does it: imports have to be asked for."""
    kind = request.WhichOneof("message_request")
    if kind == "list_services":
        services = [pb.ServiceResponse(name=SERVICE)]
        return pb.ServerReflectionResponse(list_services_response=pb.ListServiceResponse(service=services))
    file = FILES[request.file_by_filename] if kind == "file_by_filename" else pubsub_pb2.DESCRIPTOR
    files = pb.FileDescriptorResponse(file_descriptor_proto=[encoded(file)])
    return pb.ServerReflectionResponse(file_descriptor_response=files)


def always_the_same_file(request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
    if request.WhichOneof("message_request") == "file_by_filename":
        request = pb.ServerReflectionRequest(file_containing_symbol=SERVICE)
    return one_file_an_answer(request)


def knows_nothing(request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
    if request.WhichOneof("message_request") == "list_services":
        return one_file_an_answer(request)
    error = pb.ErrorResponse(error_code=5, error_message="not here")
    return pb.ServerReflectionResponse(error_response=error)


@asynccontextmanager
async def reflecting(answer: Answer | None, name: str = V1ALPHA) -> AsyncIterator[grpc.aio.Channel]:
    async def info(requests, _context):
        async for request in requests:
            if answer is None:
                return
            yield answer(request)

    handler = grpc.stream_stream_rpc_method_handler(
        info, pb.ServerReflectionRequest.FromString, pb.ServerReflectionResponse.SerializeToString
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with channel_to(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


@pytest.mark.parametrize("name", [V1, V1ALPHA])
async def test_imports_are_fetched_where_they_are_not_sent_along(name: str) -> None:
    async with reflecting(one_file_an_answer, name) as channel:
        schema = await fetch_schema(channel, metadata=(), timeout_seconds=5)
    assert schema.find("PublishEvent", service="x").input.full_name == "virtufin.v1.PublishEventRequest"
    assert schema.find("Subscribe", service="x").streaming_kind == "server"
    assert schema.pool.FindMessageTypeByName("io.cloudevents.v1.CloudEvent")


@pytest.mark.parametrize(
    ("answer", "name", "message"),
    [
        (one_file_an_answer, "some.other.Service", "serves no gRPC reflection"),
        (always_the_same_file, V1ALPHA, "another file than"),
        (knows_nothing, V1ALPHA, "does not know 'virtufin.v1.Pubsub': not here"),
        (None, V1ALPHA, "ended the reflection call early"),
    ],
)
async def test_a_reflection_of_no_use_is_said_to_be_so(answer: Answer, name: str, message: str) -> None:
    async with reflecting(answer, name) as channel:
        with pytest.raises(PreconditionError, match=message):
            await fetch_schema(channel, metadata=(), timeout_seconds=5)
