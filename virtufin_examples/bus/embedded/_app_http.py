"""An app that speaks HTTP: `GET /dapr/subscribe`, and a POST for each event.

Statuses mean what they mean to daprd: 2xx is SUCCESS unless its body is `{"status": "RETRY"}` or `DROP`, 404
is DROP, everything else is RETRY.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import httpx
import msgspec
import structlog
from dapr.proto.runtime.v1 import appcallback_pb2

from virtufin_examples.bus._port import CLOUDEVENT_JSON, Ack
from virtufin_examples.bus.embedded._app_client import (
    APP_HOST,
    BULK_EVENT_TYPE,
    PUBSUB_HEADER,
    TOKEN_HEADER,
    AppUnreachableError,
)
from virtufin_examples.bus.embedded._app_subscriptions import (
    AppSubscription,
    SubscriptionEntry,
    app_subscription,
)
from virtufin_examples.bus.embedded._content import BINARY_CONTENT_TYPE, JSON_CONTENT_TYPE
from virtufin_examples.bus.embedded._envelope import structured
from virtufin_examples.bus.embedded._message import PUBSUB_NAME, Message
from virtufin_examples.bus.embedded._subscription import SubscriptionKind
from virtufin_examples.errors import InvalidInputError

SUBSCRIBE_PATH = "/dapr/subscribe"
CONNECT_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class _BulkAnswer(msgspec.Struct, rename="camel"):
    entry_id: str = ""
    status: str = ""


class _BulkAnswers(msgspec.Struct):
    statuses: list[_BulkAnswer] = []


class HttpApp:
    """Calls an app on a port of this machine. `exact`: see `structured`.

    There is no limit for an answer: as daprd has none, an app may take its time.
    """

    def __init__(self, port: int, app_id: str, token: str, *, exact: bool) -> None:
        self._exact = exact
        headers = {TOKEN_HEADER: token} if token else {}
        self._subscribe_headers = {"dapr-app-id": app_id, "content-type": JSON_CONTENT_TYPE}
        self._http = httpx.AsyncClient(
            base_url=f"http://{APP_HOST}:{port}",
            headers=headers,
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None),
            trust_env=False,  # a proxy is not for this machine
        )

    async def subscriptions(self) -> list[AppSubscription]:
        """Ask `GET /dapr/subscribe`; an app without it subscribes to nothing."""
        answer = await self._call("GET", SUBSCRIBE_PATH, b"", self._subscribe_headers)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return []
        source = f"the app's {SUBSCRIBE_PATH}"
        if not answer.is_success:
            raise InvalidInputError(f"{source} answers {answer.status_code}")
        try:
            entries = msgspec.json.decode(answer.content or b"[]", type=list[SubscriptionEntry] | None)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"{source} answers no list of subscriptions: {error}") from error
        found = [app_subscription(entry, SubscriptionKind.PROGRAMMATIC, source) for entry in entries or ()]
        for subscription in found:
            if not subscription.path:
                _log.warning("a subscription without a route is left out", topic=subscription.topic)
        return [subscription for subscription in found if subscription.path]

    async def deliver(self, route: AppSubscription, message: Message) -> Ack:
        """POST the event as a structured CloudEvent."""
        answer = await self._post(route, structured(message, exact=self._exact), CLOUDEVENT_JSON)
        if answer.is_success:
            return _ack(answer.content)
        return _failed(route, answer.status_code)

    async def deliver_bulk(self, route: AppSubscription, messages: Sequence[Message]) -> list[Ack]:
        """POST the events as entries of one envelope."""
        ids = [str(uuid.uuid4()) for _ in messages]
        envelope = {
            "id": str(uuid.uuid4()),
            "type": BULK_EVENT_TYPE,
            "pubsubname": PUBSUB_NAME,
            "topic": route.topic,
            "metadata": {"pubsubName": PUBSUB_NAME},
            "entries": [
                self._entry(route, entry_id, message) for entry_id, message in zip(ids, messages, strict=True)
            ],
        }
        answer = await self._post(route, msgspec.json.encode(envelope), JSON_CONTENT_TYPE)
        if not answer.is_success:
            return [_failed(route, answer.status_code)] * len(messages)
        try:
            statuses = msgspec.json.decode(answer.content, type=_BulkAnswers).statuses
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.warning("the app's answer to a bulk of events is none", topic=route.topic, error=str(error))
            return [Ack.RETRY] * len(messages)
        given = {status.entry_id: status.status for status in statuses}
        return [_named(given.get(entry_id, "") or Ack.RETRY.name) for entry_id in ids]

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    def _entry(self, route: AppSubscription, entry_id: str, message: Message) -> dict[str, object]:
        event: object
        if route.raw:
            data = appcallback_pb2.TopicEventRequest.FromString(message.body).data
            event, content_type = base64.b64encode(data).decode(), BINARY_CONTENT_TYPE
        else:
            event, content_type = msgspec.Raw(structured(message, exact=self._exact)), CLOUDEVENT_JSON
        return {"entryId": entry_id, "event": event, "metadata": None, "contentType": content_type}

    async def _post(self, route: AppSubscription, body: bytes, content_type: str) -> httpx.Response:
        headers = {"content-type": content_type, PUBSUB_HEADER: PUBSUB_NAME}
        path = route.path if route.path.startswith("/") else f"/{route.path}"
        return await self._call("POST", path, body, headers)

    async def _call(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        try:
            return await self._http.request(method, path, content=body, headers=headers)
        except httpx.TransportError as error:
            raise AppUnreachableError(f"{method} {path} of the app failed: {error!r}") from error


def _ack(body: bytes) -> Ack:
    """Return what the body of a 2xx answer says; one that is no JSON object says SUCCESS."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Ack.SUCCESS
    status = answer.get("status") if isinstance(answer, dict) else None
    return _named(status) if isinstance(status, str) else Ack.SUCCESS


def _named(status: str) -> Ack:
    if not status:
        return Ack.SUCCESS
    if status in Ack.__members__:
        return Ack[status]
    _log.warning("the app answers with a status that does not exist: taken for RETRY", status=status)
    return Ack.RETRY


def _failed(route: AppSubscription, status: int) -> Ack:
    ack = Ack.DROP if status == HTTPStatus.NOT_FOUND else Ack.RETRY
    _log.warning(
        "the app refused an event", topic=route.topic, path=route.path, status=status, taken_for=ack.name
    )
    return ack
