"""The bus over Dapr's gRPC API, to a sidecar or to the embedded runtime, which look the same.

It uses the generated stubs of the `dapr` wheel, not the SDK's clients: those probe HTTP health on
the caller's event loop, have no deadlines, and lose a subscription when a handler fails.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import dapr_pb2_grpc, metadata_pb2, pubsub_pb2, secret_pb2, state_pb2

from virtufin_examples.bus import _joined as joined
from virtufin_examples.bus._dapr_channel import (
    MAX_MESSAGE_BYTES,
    call_metadata,
    is_own_port,
    open_channel,
    parse_target,
)
from virtufin_examples.bus._dapr_errors import bus_error
from virtufin_examples.bus._dapr_sidecar import SidecarInfo, read_info
from virtufin_examples.bus._dapr_stream import DaprStream, StreamCall, SubscriptionStream
from virtufin_examples.bus._dapr_subscription import DaprSubscription
from virtufin_examples.bus._lane import LaneAddress
from virtufin_examples.bus._lane_client import LanePublisher, LaneStream
from virtufin_examples.bus._port import (
    DEFAULT_PUBSUB_NAME,
    DEFAULT_SECRET_STORE_NAME,
    DEFAULT_STATE_STORE_NAME,
    StateEntry,
)
from virtufin_examples.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
    VirtufinError,
)

__all__ = ["CALL_TIMEOUT_SECONDS", "MAX_MESSAGE_BYTES", "DaprBus", "DaprSubscription", "SidecarInfo"]

CALL_TIMEOUT_SECONDS = 10.0
"""For a unary call; Dapr itself sets no deadline at all."""

_NO_SUCH_SECRET = ("not found", "not exist", "no such")  # secret stores have no common status for it


class DaprBus:
    """`bus.Bus` over gRPC. It belongs to the event loop that makes its first call.

    `target` is what `DAPR_GRPC_ENDPOINT` may hold, usually `host:port`. `app_id` goes into the call metadata:
    a sidecar has its own and ignores it, the embedded runtime serves several. Nothing is connected before
    the first call. Raises `InvalidInputError` for a target that is no address.
    """

    def __init__(
        self,
        *,
        target: str,
        app_id: str,
        api_token: str = "",
        pubsub_name: str = DEFAULT_PUBSUB_NAME,
        state_store_name: str = DEFAULT_STATE_STORE_NAME,
        secret_store_name: str = DEFAULT_SECRET_STORE_NAME,
        timeout_seconds: float = CALL_TIMEOUT_SECONDS,
    ) -> None:
        parse_target(target)
        self._target = target
        self._metadata = call_metadata(app_id, api_token)
        self._pubsub_name = pubsub_name
        self._state_store_name = state_store_name
        self._secret_store_name = secret_store_name
        self._timeout_seconds = timeout_seconds
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._subscriptions: set[DaprSubscription] = set()
        self._closed = False
        self._embedded = False
        self._app_id = app_id
        self._api_token = api_token
        self._lane: LanePublisher | None = None
        self._lane_address: LaneAddress | None = None
        self._joining = asyncio.Lock()

    async def publish(
        self, topic: str, data: bytes, *, content_type: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        """Publish one message; returns when the broker has taken it."""
        if not content_type:
            raise InvalidInputError(
                "content_type is empty",
                hint="Dapr would take the data for text/plain and damage bytes; name it",
            )
        request = pubsub_pb2.PublishEventRequest(
            pubsub_name=self._pubsub_name,
            topic=topic,
            data=data,
            data_content_type=content_type,
            metadata=metadata,
        )
        stub, what = self._connected(), f"publish to {topic}"
        lane = await self._rejoined()
        if lane is None:
            await self._call(stub.PublishEvent, request, what)
        else:
            await lane.publish(request, what, self._timeout_seconds)

    async def publish_bulk(self, topic: str, messages: Sequence[bytes], *, content_type: str) -> int:
        """Publish messages together; return how many of them, from the first on, the broker has taken."""
        request = pubsub_pb2.BulkPublishRequest(
            pubsub_name=self._pubsub_name,
            topic=topic,
            entries=[
                pubsub_pb2.BulkPublishRequestEntry(entry_id=str(index), event=data, content_type=content_type)
                for index, data in enumerate(messages)
            ],
        )
        stub, what = self._connected(), f"publish to {topic}"
        lane = await self._rejoined()
        if lane is None:
            answer = await self._call(stub.BulkPublishEvent, request, what)
        else:
            answer = await lane.publish_bulk(request, what, self._timeout_seconds)
        failed = {int(entry.entry_id): entry.error for entry in answer.failedEntries}
        taken = min(failed, default=len(messages))
        if not taken:
            raise UnavailableError(f"Dapr at {self._target}: publish to {topic}: {failed[0]}")
        return taken

    async def subscribe(
        self, topic: str, *, dead_letter_topic: str = "", metadata: Mapping[str, str] | None = None
    ) -> DaprSubscription:
        """Return a subscription in force; raises when the first try fails, heals itself from then on."""
        self._connected()
        subscription = DaprSubscription(
            lambda: self._new_stream(topic),
            endpoint=self._target,
            pubsub_name=self._pubsub_name,
            topic=topic,
            dead_letter_topic=dead_letter_topic,
            metadata=metadata,
            on_close=self._subscriptions.discard,
        )
        await subscription.start()
        self._subscriptions.add(subscription)
        return subscription

    async def get_state(self, key: str) -> StateEntry | None:
        """Return the value, or None when there is no such key."""
        request = state_pb2.GetStateRequest(
            store_name=self._state_store_name,
            key=key,
            consistency=common_pb2.StateOptions.CONSISTENCY_STRONG,
        )
        answer = await self._call(self._connected().GetState, request, f"get state {key}")
        # Dapr answers a missing key with an empty response; an empty value still has its etag.
        return StateEntry(answer.data, answer.etag) if answer.data or answer.etag else None

    async def save_state(
        self, key: str, value: bytes, *, etag: str | None = None, create: bool = False, ttl_seconds: int = 0
    ) -> None:
        """Write a value: `etag` must still match, `create` must find no value, else `ConflictError`."""
        if create and etag is not None:
            raise InvalidInputError(f"save state {key}: create and etag {etag!r} exclude each other")
        item = common_pb2.StateItem(
            key=key,
            value=value,
            options=_write_options(first=create or etag is not None),
            metadata={"ttlInSeconds": str(ttl_seconds)} if ttl_seconds else None,
        )
        if etag is not None:
            item.etag.value = etag
        request = state_pb2.SaveStateRequest(store_name=self._state_store_name, states=[item])
        try:
            await self._call(self._connected().SaveState, request, f"save state {key}")
        except UnavailableError as error:
            # Redis' store calls a first write that finds a value a failure (INTERNAL), not a conflict.
            if create and _is_internal(error) and await self.get_state(key) is not None:
                raise ConflictError(f"save state {key}: there is a value already") from error
            raise

    async def delete_state(self, key: str, *, etag: str | None = None) -> None:
        """Delete a key; it is no error when there is none. `ConflictError` when `etag` is stale."""
        request = state_pb2.DeleteStateRequest(
            store_name=self._state_store_name, key=key, options=_write_options(first=etag is not None)
        )
        if etag is not None:
            request.etag.value = etag
        await self._call(self._connected().DeleteState, request, f"delete state {key}")

    async def get_secret(self, name: str) -> Mapping[str, str]:
        """Return the entries of a secret; `NotFoundError` when there is none of that name."""
        request = secret_pb2.GetSecretRequest(store_name=self._secret_store_name, key=name)
        missing = f"no secret {name!r} in store {self._secret_store_name!r}"
        hint = f"add it there; `virtufin up` takes its entries from VIRTUFIN_SECRET_{name.upper()}_<ENTRY>"
        if name == "alpaca":
            hint += ", here _KEY, _SECRET and _HOSTS, or from ALPACA_API_KEY and ALPACA_API_SECRET"
        call = self._connected().GetSecret
        try:
            answer = await call(request, metadata=self._metadata, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            if any(text in (error.details() or "").lower() for text in _NO_SUCH_SECRET):
                raise NotFoundError(missing, hint=hint) from error
            raise bus_error(error, f"get secret {name}", self._target) from error
        if not answer.data:
            raise NotFoundError(missing, hint=hint)
        return dict(answer.data)

    @property
    def hides_backlog(self) -> bool:
        """A broker takes what it has not delivered yet; the embedded runtime, once known, does not."""
        return not self._embedded

    @property
    def keeps_bulk_order(self) -> bool:
        """The embedded runtime does, once known; daprd publishes the entries at once with most brokers."""
        return self._embedded

    async def sidecar(self) -> SidecarInfo:
        """Return what the sidecar says of itself."""
        request = metadata_pb2.GetMetadataRequest()
        answer = await self._call(self._connected().GetMetadata, request, "ask for its metadata")
        info = read_info(answer, self._target)
        self._embedded = info.is_embedded
        await self._join(info.lane)
        return info

    async def close(self) -> None:
        """End all subscriptions and the connection."""
        self._closed = True
        for subscription in tuple(self._subscriptions):
            await subscription.close()
        if self._lane is not None:
            self._lane.cancel()
            await self._lane.ended.wait()
        if self._channel is not None:
            await self._channel.close()

    async def _join(self, address: LaneAddress | None) -> None:
        """Publish and subscribe by the lane from now on, where there is one on this machine."""
        async with self._joining:
            if self._lane is not None and self._lane.is_up:
                return
            self._lane = self._lane_address = None
            if address is None or not is_own_port(self._target, address.grpc_port):
                return
            lane = LanePublisher(self._target)
            try:
                await lane.connect(address, self._app_id, self._api_token)
            except VirtufinError:  # a forwarded port of the same number: there is another machine behind it
                return
            self._lane, self._lane_address = lane, address

    async def _rejoined(self) -> LanePublisher | None:
        """Return the lane, asked for anew where it was lost: the runtime may have been started again."""
        if self._lane is None or self._lane.is_up:
            return self._lane
        with contextlib.suppress(VirtufinError):  # the call itself tells what is wrong
            await self.sidecar()
        return self._lane if self._lane is not None and self._lane.is_up else None

    async def _new_stream(self, topic: str) -> SubscriptionStream:
        if await self._rejoined() is not None and self._lane_address is not None:
            stream = LaneStream(self._target, topic)
            with contextlib.suppress(UnavailableError):
                await stream.connect(self._lane_address, self._app_id, self._api_token)
                return stream
        open_call: Callable[..., StreamCall] = self._connected_channel().stream_stream(
            f"/dapr.proto.runtime.v1.Dapr/{joined.SUBSCRIBE_METHOD}", response_deserializer=joined.split
        )
        return DaprStream(open_call(metadata=(*self._metadata, joined.ASK)))

    def _connected_channel(self) -> grpc.aio.Channel:
        if self._closed:
            raise PreconditionError(f"the bus to Dapr at {self._target} is closed")
        if self._channel is None:
            self._channel = open_channel(self._target)
            self._stub = dapr_pb2_grpc.DaprStub(self._channel)
        return self._channel

    def _connected(self) -> Any:  # noqa: ANN401 - the generated stub is untyped
        self._connected_channel()
        return self._stub

    async def _call(self, method: Callable[..., Awaitable[Any]], request: object, what: str) -> Any:  # noqa: ANN401 - the stub is untyped
        try:
            return await method(request, metadata=self._metadata, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            raise bus_error(error, what, self._target) from error


def _is_internal(error: UnavailableError) -> bool:
    cause = error.__cause__
    return isinstance(cause, grpc.aio.AioRpcError) and cause.code() is grpc.StatusCode.INTERNAL


def _write_options(*, first: bool) -> common_pb2.StateOptions:
    options = common_pb2.StateOptions
    return options(
        concurrency=options.CONCURRENCY_FIRST_WRITE if first else options.CONCURRENCY_LAST_WRITE,
        consistency=options.CONSISTENCY_STRONG,
    )
