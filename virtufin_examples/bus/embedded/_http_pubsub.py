"""Publishing over HTTP."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import Any

import msgspec
from dapr.proto.runtime.v1 import pubsub_pb2
from starlette.requests import Request
from starlette.responses import Response

from virtufin_examples.bus.embedded._content import is_binary, is_json, is_text
from virtufin_examples.bus.embedded._http_body import no_content, query_metadata, read_body
from virtufin_examples.bus.embedded._pubsub import PubsubService
from virtufin_examples.bus.embedded._statuses import RefusedError


class _Entry(msgspec.Struct, rename="camel"):
    entry_id: str = ""
    event: msgspec.Raw = msgspec.Raw(b"null")
    content_type: str = ""
    metadata: dict[str, str] = {}


class PubsubRoutes:
    """The routes below `/v1.0/publish`."""

    def __init__(self, pubsub: PubsubService) -> None:
        self._pubsub = pubsub

    async def publish(self, request: Request, app_id: str) -> Response:
        """Publish the body as one message; its type is the request's Content-Type."""
        await self._pubsub.publish(
            pubsub_pb2.PublishEventRequest(
                pubsub_name=request.path_params["pubsub"],
                topic=request.path_params["topic"],
                data=await read_body(request),
                data_content_type=request.headers.get("content-type", ""),
                metadata=query_metadata(request),
            ),
            app_id,
        )
        return no_content()

    async def bulk_publish(self, request: Request, app_id: str) -> Response:
        """Publish the entries of a JSON array; 500 with `failedEntries` when some found no room."""
        pubsub, topic = request.path_params["pubsub"], request.path_params["topic"]
        try:
            entries = msgspec.json.decode(await read_body(request), type=list[_Entry])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RefusedError(
                f"error when unmarshaling the request for topic {topic} pubsub {pubsub}: {error}",
                reason="DAPR_PUBSUB_UNMARSHAL_EVENTS",
            ) from error
        response = await self._pubsub.bulk_publish(
            pubsub_pb2.BulkPublishRequest(
                pubsub_name=pubsub,
                topic=topic,
                entries=[
                    pubsub_pb2.BulkPublishRequestEntry(
                        entry_id=entry.entry_id,
                        event=_event_bytes(entry, pubsub, topic),
                        content_type=entry.content_type,
                        metadata=entry.metadata,
                    )
                    for entry in entries
                ],
                metadata=query_metadata(request),
            ),
            app_id,
        )
        failed = [{"entryId": entry.entry_id, "error": entry.error} for entry in response.failedEntries]
        if not failed:
            return no_content()
        body: dict[str, Any] = {"failedEntries": failed, "errorCode": "ERR_PUBSUB_PUBLISH_MESSAGE"}
        return Response(
            msgspec.json.encode(body), HTTPStatus.INTERNAL_SERVER_ERROR, media_type="application/json"
        )


def _event_bytes(entry: _Entry, pubsub: str, topic: str) -> bytes:
    """Return the data of an entry: base64 of bytes, a string of text, JSON as it is written."""
    text = bytes(entry.event)
    problem = "mismatch between contentType and event"
    if is_json(entry.content_type):
        return text
    if text.startswith(b'"'):
        value: str = msgspec.json.decode(text)
        if is_text(entry.content_type):
            return value.encode()
        if is_binary(entry.content_type):
            try:
                return base64.b64decode(value, validate=True)
            except binascii.Error as error:
                problem = f"event is no base64: {error}"
    raise RefusedError(
        f"error when marshalling cloud event envelope for topic {topic} pubsub {pubsub}: {problem}:"
        f" entry {entry.entry_id!r} has contentType {entry.content_type!r}",
        reason="DAPR_PUBSUB_MARSHAL_ENVELOPE",
        hint="a string for text/* and application/xml, base64 for application/octet-stream, any JSON"
        " for application/json",
    )
