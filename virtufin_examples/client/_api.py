"""The API gateway as scripts and services see it: any method of any service, events, state, config."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import grpc
import grpc.aio
import msgspec

from virtufin_examples._generated.virtufin.v1 import (
    config_pb2,
    config_pb2_grpc,
    gateway_pb2,
    gateway_pb2_grpc,
    pubsub_pb2,
    pubsub_pb2_grpc,
    state_pb2,
    state_pb2_grpc,
)
from virtufin_examples.client._endpoint import parse_endpoint, probe
from virtufin_examples.client._events import CloudEvent, to_proto
from virtufin_examples.client._status import call_error, gateway_error
from virtufin_examples.client._tap import TopicTap
from virtufin_examples.errors import UnavailableError, VirtufinError, error_from_status

DEFAULT_ENDPOINT = "127.0.0.1:5002"
CALL_TIMEOUT_SECONDS = 30.0
MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # as the services accept
_FIRST_CALL_SECONDS = 2.0

Reply = TypeVar("Reply")
Json = dict[str, Any]


class Method(msgspec.Struct, frozen=True):
    """A method of a service behind the gateway."""

    name: str
    full_name: str
    input_type: str
    output_type: str
    is_client_streaming: bool = False
    is_server_streaming: bool = False


class StateValue(msgspec.Struct, frozen=True):
    """A stored value with the etag to give for compare-and-swap."""

    value: bytes
    etag: str


class ServiceConfig(msgspec.Struct, frozen=True):
    """A service as the gateway knows it; `dapr_` endpoints are empty where subscribers bring their own."""

    name: str
    dapr_app_id: str
    grpc_host: str
    grpc_port: int
    pubsub_name: str
    state_store_name: str
    dapr_grpc_endpoint: str
    dapr_http_endpoint: str


class ApiClient:
    """A connection to one gateway: `async with ApiClient("host:port") as api`.

    `endpoint` is `host:port` or `http://host:port`; `api_key` is sent as `x-api-key` where keys are on;
    `timeout_seconds` is the limit of one call. Entering it checks the gateway and raises within 5 s:
    `UnavailableError` (no such host, refused, silent, not a gateway) or `AccessDeniedError` (key missing or
    wrong). Every call raises `VirtufinError`s.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        api_key: str | None = None,
        *,
        timeout_seconds: float = CALL_TIMEOUT_SECONDS,
    ) -> None:
        self._endpoint = parse_endpoint(endpoint)
        self._metadata = (("x-api-key", api_key),) if api_key else ()
        self._timeout_seconds = timeout_seconds
        self._channel: grpc.aio.Channel | None = None
        self._taps: set[TopicTap] = set()

    @property
    def endpoint(self) -> str:
        """The address as `host:port`."""
        return str(self._endpoint)

    async def __aenter__(self) -> Self:
        """Connect and check that a gateway answers."""
        await probe(self._endpoint)
        # The gateway is reached directly: a proxy of the environment is for the web.
        self._channel = grpc.aio.insecure_channel(
            str(self._endpoint),
            options=[
                ("grpc.enable_http_proxy", 0),
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ],
        )
        try:
            await gateway_pb2_grpc.GatewayStub(self._channel).ListServices(
                gateway_pb2.ListServicesRequest(), metadata=self._metadata, timeout=_FIRST_CALL_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            await self.close()
            raise gateway_error(error, self.endpoint) from None
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """End all subscriptions and the connection."""
        for tap in tuple(self._taps):
            await tap.close()
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()

    async def list_services(self) -> tuple[str, ...]:
        """Return the names of the services behind the gateway."""
        stub = gateway_pb2_grpc.GatewayStub(self._connected())
        answer = await self._call(stub.ListServices, gateway_pb2.ListServicesRequest(), "list services")
        return tuple(answer.services)

    async def list_methods(self, service: str) -> tuple[Method, ...]:
        """Return the methods of a service; `NotFoundError` when there is none of that name."""
        stub = gateway_pb2_grpc.GatewayStub(self._connected())
        request = gateway_pb2.ListMethodsRequest(service=service)
        answer = await self._call(stub.ListMethods, request, f"list methods of {service}")
        return tuple(
            Method(
                name=method.name,
                full_name=method.full_name,
                input_type=method.input_type,
                output_type=method.output_type,
                is_client_streaming=method.is_client_streaming,
                is_server_streaming=method.is_server_streaming,
            )
            for method in answer.methods
        )

    @overload
    async def invoke_json(
        self, service: str, method: str, request: Mapping[str, Any] | msgspec.Struct | None = None
    ) -> Json: ...

    @overload
    async def invoke_json(
        self,
        service: str,
        method: str,
        request: Mapping[str, Any] | msgspec.Struct | None = None,
        *,
        reply: type[Reply],
    ) -> Reply: ...

    async def invoke_json(
        self,
        service: str,
        method: str,
        request: Mapping[str, Any] | msgspec.Struct | None = None,
        *,
        reply: type[Any] = dict,
    ) -> Any:
        """Call a unary method in proto3 JSON (bytes as base64, 64-bit integers as strings).

        `reply` is the type to read the response into; without it the response is a dict.
        """
        stub = gateway_pb2_grpc.GatewayStub(self._connected())
        body = msgspec.json.encode({} if request is None else request).decode()
        wire = gateway_pb2.InvokeJsonRequest(service=service, method=method, request_data=body)
        answer = await self._call(stub.InvokeJson, wire, f"{service} {method}")
        if not answer.success:
            raise error_from_status(answer.status, answer.message)
        try:
            return msgspec.json.decode(answer.response_data or "{}", type=reply, strict=False)
        except msgspec.DecodeError as error:
            raise VirtufinError(f"{service} {method}: the response does not fit {reply}: {error}") from None

    async def publish(self, topic: str, event: CloudEvent, *, ttl_seconds: int = 0) -> None:
        """Publish an event; `ttl_seconds` 0: it never expires."""
        stub = pubsub_pb2_grpc.PubsubStub(self._connected())
        request = pubsub_pb2.PublishEventRequest(
            topic=topic, cloudevent=to_proto(event), ttl_seconds=ttl_seconds
        )
        answer = await self._call(stub.PublishEvent, request, f"publish to {topic}")
        if not answer.success:
            raise UnavailableError(f"publish to {topic}: {answer.message or answer.status}")

    async def subscribe(self, topic: str) -> TopicTap:
        """Return the events of a topic from now on; the subscription is in force when this returns.

        It is a broadcast of the gateway's: it never takes another program's events.
        """
        stub = pubsub_pb2_grpc.PubsubStub(self._connected())
        call = stub.Subscribe(pubsub_pb2.SubscribeRequest(topic=topic), metadata=self._metadata)
        tap = TopicTap(call, topic=topic, gateway=self.endpoint, on_close=self._taps.discard)
        self._taps.add(tap)
        try:
            await asyncio.wait_for(tap.in_force(), self._timeout_seconds)
        except BaseException as error:
            await tap.close()
            if isinstance(error, TimeoutError):
                raise UnavailableError(
                    f"subscribe to {topic}: not in force after {self._timeout_seconds:g} s"
                ) from None
            raise
        return tap

    async def get_state(self, service: str, key: str) -> StateValue | None:
        """Return the value of a key, or None when there is none."""
        stub = state_pb2_grpc.StateStub(self._connected())
        request = state_pb2.GetStateRequest(service=service, key=key)
        answer = await self._call(stub.GetState, request, f"get state {key}")
        return StateValue(answer.value, answer.etag) if answer.etag else None

    async def save_state(self, service: str, key: str, value: bytes, *, etag: str = "") -> str:
        """Write a value and return its etag.

        A stale `etag` is a `ConflictError`; with none the last write wins.
        """
        stub = state_pb2_grpc.StateStub(self._connected())
        request = state_pb2.SaveStateRequest(service=service, key=key, value=value, etag=etag)
        answer = await self._call(stub.SaveState, request, f"save state {key}")
        _check(answer.status)
        return str(answer.etag)

    async def delete_state(self, service: str, key: str, *, etag: str = "") -> None:
        """Delete a key; it is no error when there is none."""
        stub = state_pb2_grpc.StateStub(self._connected())
        request = state_pb2.DeleteStateRequest(service=service, key=key, etag=etag)
        answer = await self._call(stub.DeleteState, request, f"delete state {key}")
        _check(answer.status)

    async def config(self, service: str) -> ServiceConfig:
        """Return what the gateway knows of a service."""
        stub = config_pb2_grpc.ConfigStub(self._connected())
        request = config_pb2.GetConfigServiceRequest(name=service)
        answer = (await self._call(stub.GetService, request, f"config of {service}")).service
        return ServiceConfig(
            name=answer.name,
            dapr_app_id=answer.dapr_app_id,
            grpc_host=answer.grpc.host,
            grpc_port=answer.grpc.port,
            pubsub_name=answer.pubsub.pubsub_name,
            state_store_name=answer.state.store_name,
            dapr_grpc_endpoint=answer.dapr.grpc_endpoint,
            dapr_http_endpoint=answer.dapr.http_endpoint,
        )

    def _connected(self) -> grpc.aio.Channel:
        if self._channel is None:
            raise UnavailableError(
                f"gateway {self.endpoint}: not connected", hint="use `async with ApiClient(...) as api`"
            )
        return self._channel

    async def _call(self, method: Any, request: object, what: str) -> Any:  # noqa: ANN401 - grpc's stubs
        try:
            return await method(request, metadata=self._metadata, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            raise call_error(error, what, self.endpoint) from None


def _check(status: state_pb2.StatusResponse) -> None:
    if not status.success:
        raise error_from_status(status.status, status.message)
