"""The OpenAPI 3.1 document of the REST interface, made from the protobuf descriptors.

Schemas follow the proto3 JSON mapping. Those of the back ends come from their reflection: each time the
document is asked for, it tells what is there now.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from virtufin_examples import __version__
from virtufin_examples.errors import VirtufinError
from virtufin_examples.gateway._method_schema import is_map, real_oneof
from virtufin_examples.gateway._methods import Method, Schema
from virtufin_examples.gateway._openapi_static import ERROR_SCHEMA, SPECIAL_PATHS
from virtufin_examples.gateway._proxy import Proxy
from virtufin_examples.gateway._registry import Registry
from virtufin_examples.gateway._rest_table import OWN, REST_TABLE, RestRoute

BACKEND_TIMEOUT_SECONDS = 2.0
"""For each back end's reflection, all at once; the document is made without those that do not answer."""

Json = dict[str, Any]

_T = FieldDescriptor
_INT32: Json = {"type": "integer", "format": "int32"}
_UINT32: Json = {"type": "integer", "format": "int32", "minimum": 0}
_INT64: Json = {"type": "string", "format": "int64"}
_UINT64: Json = {"type": "string", "format": "uint64"}
_SCALARS: dict[int, Json] = {
    _T.TYPE_BOOL: {"type": "boolean"},
    _T.TYPE_STRING: {"type": "string"},
    _T.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    _T.TYPE_FLOAT: {"type": "number", "format": "float"},
    _T.TYPE_DOUBLE: {"type": "number", "format": "double"},
    **dict.fromkeys((_T.TYPE_INT32, _T.TYPE_SINT32, _T.TYPE_SFIXED32), _INT32),
    **dict.fromkeys((_T.TYPE_UINT32, _T.TYPE_FIXED32), _UINT32),
    **dict.fromkeys((_T.TYPE_INT64, _T.TYPE_SINT64, _T.TYPE_SFIXED64), _INT64),
    **dict.fromkeys((_T.TYPE_UINT64, _T.TYPE_FIXED64), _UINT64),
}
_WELL_KNOWN: dict[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?\d+(\.\d+)?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Any": {"type": "object", "properties": {"@type": {"type": "string"}}},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.ListValue": {"type": "array"},
    "google.protobuf.Value": {},
}
_PATH_PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")


async def openapi_document(proxy: Proxy, registry: Registry, own: Schema, *, keys_are_on: bool) -> Json:
    """Return the document; a back end that cannot be asked has its routes without schemas."""
    names = [backend.entry.name for backend in registry.backends]
    found = await asyncio.gather(*(_schema(proxy, name) for name in names))
    schemas = {name: schema for name, schema in zip(names, found, strict=True) if schema is not None}
    silent = [name for name in names if name not in schemas]
    components = _Components()
    paths: dict[str, Json] = {}
    for row in REST_TABLE:
        schema = own if row.service == OWN else schemas.get(row.service)
        path = _PATH_PARAMETER.sub(r"{\1}", row.path)
        paths.setdefault(path, {})[row.verb.lower()] = _operation(row, schema, components)
    paths.update(SPECIAL_PATHS)
    paths["/v1/grpc/call"] = _grpc_call(schemas, components)
    components.schemas["Error"] = ERROR_SCHEMA
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "Virtufin API gateway",
            "version": __version__,
            "description": _description(silent),
        },
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(components.schemas.items()))},
    }
    if keys_are_on:
        scheme = {"type": "apiKey", "in": "header", "name": "x-api-key"}
        document["components"]["securitySchemes"] = {"key": scheme}
        document["security"] = [{"key": []}]
    return document


async def _schema(proxy: Proxy, name: str) -> Schema | None:
    try:
        async with asyncio.timeout(BACKEND_TIMEOUT_SECONDS):
            return await proxy.schema(name)
    except (VirtufinError, TimeoutError):
        return None  # told in the description


def _description(silent: list[str]) -> str:
    text = "Messages are proto3 JSON: snake_case or camelCase in, snake_case out, 64-bit integers as strings."
    if silent:
        text += f" Not described, for they do not answer now: {', '.join(silent)}."
    return text


class _Components:
    """The message schemas used so far, by `service.full.name`: back ends may differ in one name's meaning."""

    def __init__(self) -> None:
        self.schemas: dict[str, Json] = {}

    def reference(self, service: str, message: Descriptor) -> Json:
        """Return a reference to a message's schema, made when first asked for."""
        if message.full_name in _WELL_KNOWN:
            return _WELL_KNOWN[message.full_name]
        name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{service}.{message.full_name}")
        if name not in self.schemas:
            self.schemas[name] = {}  # a message may hold itself
            properties = {field.name: self.field(service, field) for field in message.fields}
            self.schemas[name] = {"type": "object", "properties": properties, "additionalProperties": False}
        return {"$ref": f"#/components/schemas/{name}"}

    def field(self, service: str, field: FieldDescriptor) -> Json:
        """Return a field's schema."""
        entry = field.message_type
        if entry is not None and is_map(field):
            value = self._single(service, entry.fields_by_name["value"])
            return {"type": "object", "additionalProperties": value}
        single = self._single(service, field)
        if field.is_repeated:
            return {"type": "array", "items": single}
        oneof = real_oneof(field)
        return {**single, "description": f"at most one of {oneof}"} if oneof else single

    def _single(self, service: str, field: FieldDescriptor) -> Json:
        if field.message_type is not None:
            return self.reference(service, field.message_type)
        if field.enum_type is not None:
            return _enum(field.enum_type)
        return _SCALARS[field.type]


def _enum(enum: EnumDescriptor) -> Json:
    return {"type": "string", "enum": [value.name for value in enum.values]}


def _operation(row: RestRoute, schema: Schema | None, components: _Components) -> Json:
    in_path = _PATH_PARAMETER.findall(row.path)
    operation: Json = {
        "operationId": f"{row.verb.lower()}_{row.path.strip('/')}".translate(str.maketrans("/-{}:", "_____")),
        "tags": [row.service],
        "summary": row.method.rpartition(".")[2].replace("/", "."),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path
        ],
    }
    method = _method(schema, row)
    reply: Json = {"type": "object"}
    if method is not None:
        reply = components.reference(row.service, method.output)
        others = [field for field in method.input.fields if field.name not in in_path]
        if row.verb in {"POST", "PUT"}:
            if others:
                body = components.reference(row.service, method.input)
                operation["requestBody"] = {"content": {"application/json": {"schema": body}}}
        else:
            operation["parameters"] += [_query(row.service, field, components) for field in others]
    operation["responses"] = _responses(reply)
    return operation


def _method(schema: Schema | None, row: RestRoute) -> Method | None:
    if schema is None:
        return None
    return next((method for method in schema.methods if method.full_name == row.method), None)


def _query(service: str, field: FieldDescriptor, components: _Components) -> Json:
    if field.name == "filters":
        return {
            "name": "filter",
            "in": "query",
            "description": "key=value of a tag; several must all match",
            "schema": {"type": "array", "items": {"type": "string"}},
        }
    return {"name": field.name, "in": "query", "schema": components.field(service, field)}


def _grpc_call(schemas: dict[str, Schema], components: _Components) -> Json:
    calls: list[Json] = [
        {
            "type": "object",
            "title": f"{name} {method.name}",
            "properties": {
                "service": {"const": name},
                "method": {"const": method.full_name},
                "request": components.reference(name, method.input),
            },
            "required": ["service", "method"],
        }
        for name, schema in schemas.items()
        for method in schema.listed
        if method.streaming_kind == "unary"
    ]
    answers: list[Json] = [
        components.reference(name, method.output)
        for name, schema in schemas.items()
        for method in schema.listed
        if method.streaming_kind == "unary"
    ]
    reply = {
        "type": "object",
        "properties": {
            "error": {"type": ["string", "null"]},
            "statusCode": {"type": "string", "description": "gRPC status name"},
            "data": {"anyOf": [*answers, {"type": "null"}]},
        },
    }
    body = {"anyOf": calls} if calls else {"type": "object"}
    return {
        "post": {
            "operationId": "grpc_call",
            "tags": ["grpc"],
            "summary": "Call a unary method of a back end; its errors are in the answer",
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": _responses(reply),
        }
    }


def _responses(reply: Json) -> Json:
    error = {"$ref": "#/components/schemas/Error"}
    return {
        "200": {"description": "OK", "content": {"application/json": {"schema": reply}}},
        "default": {"description": "Error", "content": {"application/json": {"schema": error}}},
    }
