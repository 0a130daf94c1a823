"""The proto3 JSON mapping, as the gateway reads and writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from virtufin_examples.errors import InvalidInputError, PreconditionError
from virtufin_examples.gateway._methods import Method, Schema
from virtufin_examples.gateway._nearest import nearest_hint

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")  # both alphabets, padding at will: as the mapping demands


def request_from_json(text: str, schema: Schema, method: Method, *, field: str = "request_data") -> bytes:
    """Return the encoded request of `method`; snake_case and camelCase names are read.

    An empty text stands for `{}`. Raises `InvalidInputError` naming `field`.
    """
    message = GetMessageClass(method.input)()
    parse_json(text or "{}", message, field=field, pool=schema.pool)
    return message.SerializeToString()


def parse_json(text: str, message: Message, *, field: str, pool: DescriptorPool | None = None) -> None:
    """Read JSON into `message`; stricter than protobuf, which drops what is not base64 without a word.

    Raises `InvalidInputError` naming `field`, where the text stood.
    """
    described = cast("Descriptor", message.DESCRIPTOR)  # the stub also names the C implementation's class
    try:
        raw = json.loads(text, object_pairs_hook=_without_duplicates)
        _check_bytes(raw, described, ())
        json_format.ParseDict(raw, message, descriptor_pool=pool)
    except (json_format.ParseError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"{field} does not fit {described.full_name}: {error}",
            hint=_fields_hint(str(error), described),
        ) from error


def response_to_json(data: bytes, schema: Schema, method: Method) -> str:
    """Return an encoded response as JSON: snake_case names, every field, also those at their default.

    Raises `PreconditionError` when it cannot be told in JSON.
    """
    try:
        message = GetMessageClass(method.output).FromString(data)
        return message_to_json(message, schema.pool)
    except (DecodeError, TypeError) as error:  # TypeError: an Any of a type that the pool does not know
        raise PreconditionError(
            f"the response of {method.full_name} cannot be written as JSON: {error}",
            hint="the call was made; use Invoke for its bytes",
        ) from error


def message_to_json(message: Message, pool: DescriptorPool | None = None) -> str:
    """Return a message as compact JSON: snake_case names, every field, also those at their default."""
    return json_format.MessageToJson(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        indent=None,
        descriptor_pool=pool,
    )


def _without_duplicates(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice")
    return found


def _check_bytes(raw: object, message: Descriptor, path: tuple[str, ...]) -> None:
    """Raise `ValueError` naming the first text for a bytes field that is no base64."""
    if not isinstance(raw, dict) or message.full_name.startswith("google.protobuf."):
        return
    for name, value in raw.items():
        field = message.fields_by_name.get(name) or message.fields_by_camelcase_name.get(name)
        if field is None:
            continue
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            field = entry.fields_by_name["value"]
            values = list(value.items()) if isinstance(value, dict) else []
        elif field.is_repeated:
            values = list(enumerate(value)) if isinstance(value, list) else []
        else:
            values = [("", value)]
        for key, item in values:
            where = (*path, f"{name}[{key!r}]" if key != "" else name)
            if field.message_type is not None:
                _check_bytes(item, field.message_type, where)
            elif field.type == FieldDescriptor.TYPE_BYTES and isinstance(item, str):
                _check_base64(item, ".".join(where))


def _check_base64(text: str, where: str) -> None:
    if not _BASE64.fullmatch(text) or len(text.rstrip("=")) % 4 == 1:
        shown = text if len(text) <= 20 else f"{text[:20]}..."
        raise ValueError(f"{where} is not base64 (it is {shown!r})")


def _fields_hint(error: str, message: Descriptor) -> str:
    unknown = error.partition('has no field named "')[2].partition('"')[0]
    if not unknown or f'type "{message.full_name}"' not in error:
        return ""
    return nearest_hint(unknown, message.fields_by_name.keys(), "its fields")
