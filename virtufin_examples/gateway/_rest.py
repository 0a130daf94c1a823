"""The gateway over REST: the routes of the table, and those that are more than one method's call."""

from __future__ import annotations

import base64
import binascii
import importlib.resources

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from virtufin_examples.bus import Bus
from virtufin_examples.bus._port import CLOUDEVENT_JSON
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.gateway._cloudevents import check_names, check_required
from virtufin_examples.gateway._gateway_servicer import answer_json, forwarded
from virtufin_examples.gateway._json import message_to_json, request_from_json
from virtufin_examples.gateway._method_schema import method_schema
from virtufin_examples.gateway._methods import Method, Schema
from virtufin_examples.gateway._own import OwnServices
from virtufin_examples.gateway._proxy import Encode, Proxy
from virtufin_examples.gateway._pubsub_servicer import check_topic, ttl_metadata
from virtufin_examples.gateway._registry import Registry
from virtufin_examples.gateway._rest_errors import Handler, error_response, with_errors
from virtufin_examples.gateway._rest_request import RestRequest, json_object, read_body, read_request
from virtufin_examples.gateway._rest_table import OWN, REST_TABLE, RestRoute

DOCS_PATH = "/docs"
_JSON = "application/json"
_EVENT_FIELDS = frozenset(("id", "source", "type", "specversion", "data", "data_base64"))


class RestApi:
    """Makes the routes."""

    def __init__(
        self, *, bus: Bus, proxy: Proxy, registry: Registry, own: OwnServices, keys_are_on: bool
    ) -> None:
        self._bus = bus
        self._proxy = proxy
        self._registry = registry
        self._own = own
        self._keys_are_on = keys_are_on

    def routes(self) -> list[Route]:
        """Return all routes, for the chassis."""
        special: list[tuple[str, str, Handler]] = [
            ("POST", "/v1/pubsub/{topic}", self._publish),
            ("POST", "/v1/grpc/call", self._grpc_call),
            ("GET", "/v1/grpc/{service}/methods", self._grpc_methods),
            ("GET", "/v1/grpc/{service}/schema/{method:path}", self._grpc_schema),
            ("GET", "/openapi.json", self._openapi),
            ("GET", DOCS_PATH, self._docs),
        ]
        table = [(row.verb, row.path, self._row(row)) for row in REST_TABLE]
        return [Route(path, with_errors(call), methods=[verb]) for verb, path, call in (*special, *table)]

    def _row(self, row: RestRoute) -> Handler:
        async def own(request: Request) -> Response:
            given = await read_request(request)
            method = self._own.schema.find(row.method, service=OWN)
            headers = forwarded(request.headers.items())
            answer = await self._own.call(method, given.compose(method.input), headers)
            return _json_response(message_to_json(answer))

        async def proxied(request: Request) -> Response:
            given = await read_request(request)
            answer = await self._proxy.invoke(
                row.service, row.method, _encode(given), headers=forwarded(request.headers.items())
            )
            if answer.status != "OK":
                return error_response(answer.status, answer.message)
            return _json_response(answer_json(answer))

        return own if row.service == OWN else proxied

    async def _publish(self, request: Request) -> Response:
        topic = request.path_params["topic"]
        check_topic(topic)
        body = await read_body(request)
        metadata = ttl_metadata(_ttl(request.query_params.get("ttl_seconds", "0")))
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == CLOUDEVENT_JSON:
            _check_structured(body)
            data, content_type = body, CLOUDEVENT_JSON
        else:
            data, content_type = _plain_data(body)
        await self._bus.publish(topic, data, content_type=content_type, metadata=metadata)
        return JSONResponse({"success": True, "status": "OK", "message": ""})

    async def _grpc_call(self, request: Request) -> Response:
        call = json_object(await read_body(request))
        service, method = (_text(call, name) for name in ("service", "method"))
        body = call.get("request", {})
        if not isinstance(body, dict):
            raise InvalidInputError(f"request is {type(body).__name__}", hint="give the message as an object")
        answer = await self._proxy.invoke(
            service, method, _encode(RestRequest({}, (), body)), headers=forwarded(request.headers.items())
        )
        ok = answer.status == "OK"
        result = {
            "error": None if ok else answer.message,
            "statusCode": answer.status,
            "data": msgspec.Raw(answer_json(answer).encode()) if ok else None,
        }
        return _json_response(msgspec.json.encode(result))

    async def _grpc_methods(self, request: Request) -> Response:
        schema = await self._proxy.schema(request.path_params["service"])
        methods = [
            {
                "name": method.name,
                "fullName": method.full_name,
                "inputType": method.input.full_name,
                "outputType": method.output.full_name,
                "streamingType": method.streaming_kind,
            }
            for method in schema.listed
        ]
        return JSONResponse({"methods": methods})

    async def _grpc_schema(self, request: Request) -> Response:
        service = request.path_params["service"]
        schema = await self._proxy.schema(service)
        method = schema.find(request.path_params["method"], service=service)
        return _json_response(message_to_json(method_schema(method, request.query_params.get("type", ""))))

    async def _openapi(self, _request: Request) -> Response:
        from virtufin_examples.gateway._openapi import openapi_document  # noqa: PLC0415 - rarely asked for

        document = await openapi_document(
            self._proxy, self._registry, self._own.schema, keys_are_on=self._keys_are_on
        )
        return JSONResponse(document)

    async def _docs(self, _request: Request) -> Response:
        page = importlib.resources.files("virtufin_examples.gateway").joinpath("docs.html")
        return HTMLResponse(page.read_text("utf-8"))


def _encode(given: RestRequest) -> Encode:
    def encode(schema: Schema, method: Method) -> bytes:
        return request_from_json(given.compose(method.input), schema, method, field="the request")

    return encode


def _json_response(text: str | bytes) -> Response:
    return Response(text, media_type=_JSON)


def _text(call: dict[str, object], name: str) -> str:
    value = call.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInputError(f"{name} is {value!r}", hint=f"give the {name}'s name")
    return value


def _ttl(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidInputError(f"ttl_seconds is {text!r}", hint="give whole seconds; 0 never expires")
    return int(text)


def _check_structured(body: bytes) -> None:
    """Check a CloudEvent in JSON, which goes over the bus byte for byte."""
    event = json_object(body)
    check_required(
        {
            "id": event.get("id"),
            "source": event.get("source"),
            "type": event.get("type"),
            "specversion": event.get("specversion"),
        }
    )
    check_names(name for name in event if name not in _EVENT_FIELDS)


def _plain_data(body: bytes) -> tuple[bytes, str]:
    """Return the data in `{"data": base64}` and their content type; the sidecar makes the event."""
    call = json_object(body)
    text = call.get("data")
    if not isinstance(text, str) or call.keys() != {"data"}:
        raise InvalidInputError(
            f"the body has the fields {sorted(call)}",
            hint=f'send {{"data": "<base64>"}}, or a CloudEvent with content type {CLOUDEVENT_JSON}',
        )
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InvalidInputError(f"data is no base64: {error}") from error
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data, "application/octet-stream"
    return data, _JSON
