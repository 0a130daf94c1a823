"""What the routes have in common: bodies, query metadata, answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from virtufin_examples.bus.embedded._statuses import HttpRefusedError
from virtufin_examples.service import MAX_MESSAGE_BYTES

METADATA_PREFIX = "metadata."

T = TypeVar("T")


async def read_body(request: Request) -> bytes:
    """Return the body; raises `HttpRefusedError` for one that is over the limit of 16 MiB."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_MESSAGE_BYTES:
            raise HttpRefusedError(
                f"the body is larger than {MAX_MESSAGE_BYTES} bytes",
                error_code="ERR_BODY_READ",
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                hint="send less at once",
            )
        parts.append(part)
    return b"".join(parts)


async def read_json(request: Request, kind: type[T]) -> T:
    """Return the body as `kind`; raises `HttpRefusedError` when it is something else."""
    body = await read_body(request)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HttpRefusedError(
            f"failed deserializing HTTP body: {error}", error_code="ERR_MALFORMED_REQUEST"
        ) from error


def query_metadata(request: Request) -> dict[str, str]:
    """Return what the query says as `metadata.<name>=<value>`; of several values the first."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name.startswith(METADATA_PREFIX):
            found.setdefault(name.removeprefix(METADATA_PREFIX), value)
    return found


def no_content() -> Response:
    """Return the answer to what has none."""
    return Response(status_code=HTTPStatus.NO_CONTENT)


def json_answer(value: Any) -> Response:  # noqa: ANN401 - whatever msgspec encodes
    """Return an answer in JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")
