"""Health and metadata over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
from dapr.proto.runtime.v1 import metadata_pb2
from starlette.requests import Request
from starlette.responses import Response

from virtufin_examples.bus.embedded._http_body import json_answer, no_content, read_body
from virtufin_examples.bus.embedded._platform import PlatformService


class PlatformRoutes:
    """`/v1.0/healthz` and `/v1.0/metadata`. `unready` says what is missing, nothing when all is there."""

    def __init__(self, platform: PlatformService, unready: Callable[[], str]) -> None:
        self._platform = platform
        self._unready = unready

    async def healthz(self, _request: Request) -> Response:
        """Tell whether the app, when there is to be one, is served."""
        missing = self._unready()
        if not missing:
            return no_content()
        body = {"errorCode": "ERR_HEALTH_NOT_READY", "message": f"dapr is not ready: {missing}"}
        return Response(
            msgspec.json.encode(body), HTTPStatus.INTERNAL_SERVER_ERROR, media_type="application/json"
        )

    async def outbound(self, _request: Request) -> Response:
        """Tell that calls are answered."""
        return no_content()

    async def get_metadata(self, _request: Request, app_id: str) -> Response:
        """Return the metadata in daprd's JSON, in which what is empty is left out."""
        found = await self._platform.get_metadata(metadata_pb2.GetMetadataRequest(), app_id)
        body: dict[str, Any] = {
            "id": found.id,
            "runtimeVersion": found.runtime_version,
            "components": [
                {"name": component.name, "type": component.type, "version": component.version}
                for component in found.registered_components
            ],
            "extended": dict(found.extended_metadata),
            "subscriptions": [_subscription(subscription) for subscription in found.subscriptions],
        }
        app = found.app_connection_properties
        if app.port:
            body["appConnectionProperties"] = {
                "port": app.port,
                "protocol": app.protocol,
                "channelAddress": app.channel_address,
            }
        return json_answer({name: value for name, value in body.items() if value})

    async def set_metadata(self, request: Request, app_id: str) -> Response:
        """Keep the body as a value of the app id's own."""
        value = (await read_body(request)).decode(errors="replace")
        await self._platform.set_metadata(
            metadata_pb2.SetMetadataRequest(key=request.path_params["key"], value=value), app_id
        )
        return no_content()


def _subscription(subscription: metadata_pb2.PubsubSubscription) -> dict[str, Any]:
    body: dict[str, Any] = {
        "pubsubname": subscription.pubsub_name,
        "topic": subscription.topic,
        "rules": [{"path": rule.path} for rule in subscription.rules.rules],
        "deadLetterTopic": subscription.dead_letter_topic,
        "type": metadata_pb2.PubsubSubscriptionType.Name(subscription.type),
    }
    if subscription.metadata:
        body["metadata"] = dict(subscription.metadata)
    return body
