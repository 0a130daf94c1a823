"""The fields of a message as GetMethodSchema tells them."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from virtufin_examples._generated.virtufin.v1 import gateway_pb2
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.gateway._methods import Method

_TYPES = {
    value: name.removeprefix("TYPE_").lower()
    for name, value in vars(FieldDescriptor).items()
    if name.startswith("TYPE_")
}


def method_info(method: Method) -> gateway_pb2.MethodInfo:
    """Return a method as ListMethods tells it."""
    return gateway_pb2.MethodInfo(
        name=method.name,
        full_name=method.full_name,
        input_type=method.input.full_name,
        output_type=method.output.full_name,
        is_client_streaming=method.client_streaming,
        is_server_streaming=method.server_streaming,
    )


def method_schema(method: Method, kind: str) -> gateway_pb2.MethodSchema:
    """Return the fields of a method's `input` (also for an empty `kind`) or `output`."""
    sides = {"": method.input, "input": method.input, "output": method.output}
    if kind not in sides:
        raise InvalidInputError(f"type is {kind!r}", hint='give "input" or "output"')
    return gateway_pb2.MethodSchema(
        input_type_name=method.input.full_name,
        output_type_name=method.output.full_name,
        schema_type=kind or "input",
        fields=fields_of(sides[kind]),
    )


def fields_of(message: Descriptor) -> list[gateway_pb2.FieldSchema]:
    """Return the fields of a message. A map is `map` with its type as in a .proto file."""
    return [_field(field) for field in message.fields]


def real_oneof(field: FieldDescriptor) -> str:
    """Return the oneof that a field is in; empty for none and for the one that `optional` stands for."""
    oneof = field.containing_oneof
    if oneof is None or (len(oneof.fields) == 1 and oneof.name == f"_{field.name}"):
        return ""
    return oneof.name


def type_name(field: FieldDescriptor) -> str:
    """Return the full name of a message or enum, and `map<key, value>` for a map; empty for scalars."""
    message = field.message_type
    if message is not None and is_map(field):
        key, value = (message.fields_by_name[name] for name in ("key", "value"))
        return f"map<{_TYPES[key.type]}, {type_name(value) or _TYPES[value.type]}>"
    if message is not None:
        return message.full_name
    return field.enum_type.full_name if field.enum_type is not None else ""


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map, which on the wire is a repeated entry message."""
    entry = field.message_type
    return entry is not None and entry.GetOptions().map_entry


def _field(field: FieldDescriptor) -> gateway_pb2.FieldSchema:
    oneof = field.containing_oneof
    group = real_oneof(field)
    return gateway_pb2.FieldSchema(
        name=field.name,
        type="map" if is_map(field) else _TYPES[field.type],
        type_name=type_name(field),
        is_repeated=field.is_repeated and not is_map(field),
        is_optional=oneof is not None and not group,
        oneof_group=group,
        oneof_cases=[case.name for case in oneof.fields] if oneof is not None and group else [],
    )
