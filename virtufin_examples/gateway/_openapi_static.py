"""The routes of the OpenAPI document that are no single method's call, and what errors look like."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

ERROR_SCHEMA: Json = {
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "gRPC status name"},
        "message": {"type": "string", "description": "what is wrong, and how to mend it"},
    },
    "required": ["error", "message"],
}


def _path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _answer(schema: Json) -> Json:
    error = {"$ref": "#/components/schemas/Error"}
    return {
        "200": {"description": "OK", "content": {"application/json": {"schema": schema}}},
        "default": {"description": "Error", "content": {"application/json": {"schema": error}}},
    }


_TEXT: Json = {"type": "string"}
_CLOUDEVENT: Json = {
    "type": "object",
    "properties": dict.fromkeys(("id", "source", "type", "specversion", "datacontenttype"), _TEXT),
    "required": ["id", "source", "type", "specversion"],
}
_DATA: Json = {
    "type": "object",
    "properties": {"data": {"type": "string", "contentEncoding": "base64"}},
    "required": ["data"],
    "additionalProperties": False,
}
_STATUS: Json = {
    "type": "object",
    "properties": {"success": {"type": "boolean"}, "status": _TEXT, "message": _TEXT},
}
_METHOD: Json = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("name", "fullName", "inputType", "outputType"), _TEXT),
        "streamingType": {"enum": ["unary", "server", "client", "bidi"]},
    },
}

SPECIAL_PATHS: dict[str, Json] = {
    "/v1/pubsub/{topic}": {
        "post": {
            "operationId": "publish",
            "tags": ["pubsub"],
            "summary": "Publish data, or a CloudEvent, which is passed on byte for byte",
            "parameters": [
                _path("topic"),
                {"name": "ttl_seconds", "in": "query", "schema": {"type": "integer", "minimum": 0}},
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": _DATA},
                    "application/cloudevents+json": {"schema": _CLOUDEVENT},
                },
            },
            "responses": _answer(_STATUS),
        }
    },
    "/v1/grpc/{service}/methods": {
        "get": {
            "operationId": "grpc_methods",
            "tags": ["grpc"],
            "summary": "List the methods of a back end",
            "parameters": [_path("service")],
            "responses": _answer(
                {"type": "object", "properties": {"methods": {"type": "array", "items": _METHOD}}}
            ),
        }
    },
    "/v1/grpc/{service}/schema/{method}": {
        "get": {
            "operationId": "grpc_schema",
            "tags": ["grpc"],
            "summary": "Tell the fields of a method's input or output",
            "parameters": [
                _path("service"),
                _path("method"),
                {"name": "type", "in": "query", "schema": {"enum": ["input", "output"]}},
            ],
            "responses": _answer({"type": "object"}),
        }
    },
}
