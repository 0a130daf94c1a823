"""`virtufin.v1.Gateway`."""

# ruff: noqa: N802 - the methods are named by the contract

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc.aio

from virtufin_examples._generated.virtufin.v1 import gateway_pb2, gateway_pb2_grpc
from virtufin_examples.gateway._json import request_from_json, response_to_json
from virtufin_examples.gateway._method_schema import method_info, method_schema
from virtufin_examples.gateway._proxy import Answer, Encode, Proxy
from virtufin_examples.gateway._reflection import Metadata
from virtufin_examples.gateway._registry import Registry

FORWARDED_HEADERS = frozenset(
    ("traceparent", "tracestate", "grpc-trace-bin", "x-correlation-id", "x-request-id", "correlationid")
)
"""Trace and correlation; nothing else of a caller reaches a back end, least of all its key."""


def forwarded(headers: Iterable[tuple[str, Any]]) -> Metadata:
    """Return the headers of a call that its back end may see."""
    return tuple((name, value) for name, value in headers if name in FORWARDED_HEADERS)


def bytes_as_they_are(data: bytes) -> Encode:
    """Return the encoder of a request that is encoded already."""
    return lambda _schema, _method: data


def json_text(text: str, *, field: str = "request_data") -> Encode:
    """Return the encoder of a request in JSON; `field` is where it stood, for the errors."""
    return lambda schema, method: request_from_json(text, schema, method, field=field)


class GatewayServicer(gateway_pb2_grpc.GatewayServicer):
    """Calls, lists and describes the methods of the back ends.

    A back end's error is no error of the call: `success` is false, `status` and `message` are the back end's.
    """

    def __init__(self, proxy: Proxy, registry: Registry) -> None:
        self._proxy = proxy
        self._registry = registry

    async def Invoke(
        self, request: gateway_pb2.InvokeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> gateway_pb2.InvokeResponse:
        """Call with encoded messages."""
        answer = await self._call(request, bytes_as_they_are(request.request_data), context)
        return gateway_pb2.InvokeResponse(
            success=answer.status == "OK",
            status=answer.status,
            message=answer.message,
            response_data=answer.data,
        )

    async def InvokeJson(
        self, request: gateway_pb2.InvokeJsonRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> gateway_pb2.InvokeJsonResponse:
        """Call with proto3 JSON."""
        answer = await self._call(request, json_text(request.request_data), context)
        return gateway_pb2.InvokeJsonResponse(
            success=answer.status == "OK",
            status=answer.status,
            message=answer.message,
            response_data=answer_json(answer),
        )

    async def ListServices(
        self, _request: gateway_pb2.ListServicesRequest, _context: object
    ) -> gateway_pb2.ListServicesResponse:
        """Name the back ends."""
        return gateway_pb2.ListServicesResponse(services=[b.entry.name for b in self._registry.backends])

    async def ListMethods(
        self, request: gateway_pb2.ListMethodsRequest, _context: object
    ) -> gateway_pb2.ListMethodsResponse:
        """List the methods of a back end, save for health and reflection."""
        schema = await self._proxy.schema(request.service)
        return gateway_pb2.ListMethodsResponse(methods=[method_info(method) for method in schema.listed])

    async def GetMethodSchema(
        self, request: gateway_pb2.GetMethodSchemaRequest, _context: object
    ) -> gateway_pb2.GetMethodSchemaResponse:
        """Tell the fields of a method's input or output."""
        schema = await self._proxy.schema(request.service)
        method = schema.find(request.method, service=request.service)
        return gateway_pb2.GetMethodSchemaResponse(schema=method_schema(method, request.type))

    async def _call(
        self,
        request: gateway_pb2.InvokeRequest | gateway_pb2.InvokeJsonRequest,
        encode: Encode,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> Answer:
        return await self._proxy.invoke(
            request.service,
            request.method,
            encode,
            headers=forwarded(context.invocation_metadata() or ()),
            caller_seconds=context.time_remaining(),
        )


def answer_json(answer: Answer) -> str:
    """Return the response of a call as JSON; empty when there is none."""
    if answer.schema is None or answer.method is None:
        return ""
    return response_to_json(answer.data, answer.schema, answer.method)
