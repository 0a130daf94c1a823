"""From an HTTP request to the message that a method takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from starlette.requests import Request

from virtufin_examples.errors import InvalidInputError, ResourceLimitError
from virtufin_examples.service import MAX_MESSAGE_BYTES

MAX_BODY_BYTES = MAX_MESSAGE_BYTES * 3 // 2
"""A message of the largest size in base64, and what surrounds it."""

FILTER = "filter"


@dataclass(frozen=True, slots=True)
class RestRequest:
    """The three places that a message's fields may come from."""

    path: Mapping[str, str]
    query: Sequence[tuple[str, str]]
    body: Mapping[str, object]

    def compose(self, message: Descriptor) -> str:
        """Return the request as proto3 JSON.

        A query parameter is read as its field's type; a repeated field takes several, or one with commas.
        `filter=key=value` stands for an entry of `filters`. Raises `InvalidInputError` when two places
        disagree; what is no field of `message` is left for the JSON mapping to refuse.
        """
        fields: dict[str, object] = dict(self.body)
        for name, value in (*self._query_fields(message).items(), *self.path.items()):
            if fields.setdefault(name, value) != value:
                raise InvalidInputError(
                    f"{name} is {fields[name]!r} in the body and {value!r} in the URL", hint="give it once"
                )
        return json.dumps(fields)

    def _query_fields(self, message: Descriptor) -> dict[str, object]:
        fields: dict[str, object] = {}
        filters: list[dict[str, str]] = []
        for name, text in self.query:
            field = message.fields_by_name.get(name)
            if name == FILTER and field is None and "filters" in message.fields_by_name:
                filters.append(_filter(text))
            elif field is not None and field.is_repeated:
                present = fields.setdefault(name, [])
                if isinstance(present, list):
                    present.extend(_scalar(field, part) for part in text.split(","))
            elif name in fields:
                raise InvalidInputError(f"query parameter {name!r} is given twice", hint="give it once")
            else:
                fields[name] = text if field is None else _scalar(field, text)
        if filters:
            fields["filters"] = filters
        return fields


async def read_request(request: Request) -> RestRequest:
    """Read an HTTP request with a JSON object, or nothing, as its body."""
    body = await read_body(request)
    return RestRequest(
        path=dict(request.path_params),
        query=tuple(request.query_params.multi_items()),
        body=json_object(body) if body else {},
    )


async def read_body(request: Request) -> bytes:
    """Return the body; raises `ResourceLimitError` when it is too large, before it is in memory."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > MAX_BODY_BYTES:
            raise ResourceLimitError(f"the body is larger than {MAX_BODY_BYTES} bytes")
    return bytes(parts)


def json_object(body: bytes) -> dict[str, object]:
    """Return the JSON object in a body; raises `InvalidInputError` with the line and column."""
    try:
        value = json.loads(body)
    except json.JSONDecodeError as error:
        raise InvalidInputError(
            f"the body is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInputError("the body is not UTF-8") from error
    if not isinstance(value, dict):
        raise InvalidInputError(f"the body is {type(value).__name__}", hint="send a JSON object")
    return value


def _scalar(field: FieldDescriptor, text: str) -> object:
    if field.type != FieldDescriptor.TYPE_BOOL:
        return text
    if text not in {"true", "false"}:
        raise InvalidInputError(f"query parameter {field.name} is {text!r}", hint="give true or false")
    return text == "true"


def _filter(text: str) -> dict[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidInputError(f"query parameter filter is {text!r}", hint="give key=value")
    return {"key": key, "value": value}
