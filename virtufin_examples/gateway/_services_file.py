"""services.json: the back ends of the gateway."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import msgspec

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.gateway._entry import ServiceEntry
from virtufin_examples.gateway._nearest import nearest_hint

_EXAMPLE = '{"services": [{"name": "workmanager", "grpc": {"host": "127.0.0.1", "port": 25002}}]}'

Text = Annotated[str, msgspec.Meta(min_length=1)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class _Grpc(_Struct, frozen=True):
    host: Text
    port: Port
    reflection_enabled: bool = True


class _Pubsub(_Struct, frozen=True):
    pubsub_name: Text


class _State(_Struct, frozen=True):
    store_name: Text


class _Service(_Struct, frozen=True):
    name: Text
    grpc: _Grpc
    dapr_app_id: str = ""
    pubsub: _Pubsub | None = None
    state: _State | None = None


class _File(_Struct, frozen=True):
    services: tuple[_Service, ...]


_FIELDS = {name for struct in (_File, _Service, _Grpc, _Pubsub, _State) for name in struct.__struct_fields__}


def load_services(path: Path) -> tuple[ServiceEntry, ...]:
    """Read services.json; names may be in snake_case or camelCase.

    Raises `InvalidInputError` naming the file, the line or the field, the value seen and the fix.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{path}: cannot be read: {error}", hint="VIRTUFIN_SERVICES_FILE names it"
        ) from error
    return parse_services(text, str(path))


def parse_services(text: str, file: str) -> tuple[ServiceEntry, ...]:
    """Return the entries of a services.json; `file` is its name, for the errors."""
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInputError(
            f"{file}: line {error.lineno}, column {error.colno}: {error.msg}", hint=f"it is JSON: {_EXAMPLE}"
        ) from error
    snake = _snake(raw)
    try:
        services = msgspec.convert(snake, _File).services
    except msgspec.ValidationError as error:
        raise _refusal(file, snake, str(error)) from error
    _check_names(file, services)
    return tuple(
        ServiceEntry(
            name=service.name,
            host=service.grpc.host,
            port=service.grpc.port,
            dapr_app_id=service.dapr_app_id,
            reflection_enabled=service.grpc.reflection_enabled,
            pubsub_name=service.pubsub.pubsub_name if service.pubsub else "",
            state_store_name=service.state.store_name if service.state else "",
        )
        for service in services
    )


def _snake(value: object) -> object:
    if isinstance(value, dict):
        return {
            re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match[0].lower()}", name): _snake(inner)
            for name, inner in value.items()
        }
    return [_snake(inner) for inner in value] if isinstance(value, list) else value


def _refusal(file: str, raw: object, message: str) -> InvalidInputError:
    text, _, path = message.partition(" - at `")
    field = path.rstrip("`").removeprefix("$.") or "the file"
    unknown = re.search(r"unknown field `(.+?)`", text)
    if unknown:
        hint = nearest_hint(unknown[1], _FIELDS, "known fields")
        return InvalidInputError(f"{file}: {field}: unknown field {unknown[1]!r}", hint=hint)
    seen = _value_at(raw, path.rstrip("`"))
    shown = f" (it is {json.dumps(seen)[:80]})" if isinstance(seen, str | int | float | bool) else ""
    return InvalidInputError(f"{file}: {field}: {text}{shown}", hint=f"for example {_EXAMPLE}")


def _value_at(raw: object, path: str) -> object:
    """Return the value at msgspec's path, as in `$.services[0].grpc.port`."""
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        if key and isinstance(raw, dict):
            raw = raw.get(key)
        elif index and isinstance(raw, list):
            raw = raw[int(index)]
    return raw


def _check_names(file: str, services: tuple[_Service, ...]) -> None:
    seen: dict[str, int] = {}
    for position, service in enumerate(services):
        if service.name in seen:
            raise InvalidInputError(
                f"{file}: services[{position}].name: {service.name!r} is services[{seen[service.name]}] too",
                hint="give each service a name of its own",
            )
        seen[service.name] = position
