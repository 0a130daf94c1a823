"""One address for the WebSocketManagers of a machine: each call goes to the shard that it is about."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.errors import NotFoundError, UnavailableError, error_from_status
from virtufin_examples.service import CHANNEL_OPTIONS, Addresses, Readiness
from virtufin_examples.settings import PlatformSettings
from virtufin_examples.websocketmanager._chassis import manager_chassis
from virtufin_examples.websocketmanager._shard import shard_of

CALL_SECONDS = 30.0
"""How long a call may take, waiting for a shard that is being restarted included, unless its caller says."""

COUNTS_SECONDS = 1.0
"""How old the counts may be by which the emptiest shard is found; what is opened meanwhile is added."""


class ShardCalls:
    """The shards, in the order of their numbers, and how to call them.

    A call waits for a shard that is away: it is being restarted. One that was under way when the shard went
    fails, it may have been carried out.
    """

    def __init__(
        self, targets: Sequence[str], *, api_key: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._targets = tuple(targets)
        self._metadata = (("x-api-key", api_key),) if api_key else ()
        self._channels = [grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS) for target in targets]
        self._stubs: list[Any] = [pb_grpc.WebSocketManagerStub(channel) for channel in self._channels]
        self._clock = clock
        self._counts: list[int] = []
        self._counted_at = 0.0
        self._counting = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def call(self, number: int, method: str, request: object, seconds: float | None) -> Any:  # noqa: ANN401 - the stubs are untyped
        """Call one shard; raises the error of its status."""
        if not 1 <= number <= len(self._stubs):
            raise NotFoundError(
                f"shard {number} of the connection is none of the {len(self._stubs)} that run",
                hint="List names the connections that there are",
            )
        try:
            return await getattr(self._stubs[number - 1], method)(
                request,
                metadata=self._metadata,
                timeout=CALL_SECONDS if seconds is None else seconds,
                wait_for_ready=True,
            )
        except grpc.aio.AioRpcError as error:
            state = self._channels[number - 1].get_state()
            if (
                error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                and state is not grpc.ChannelConnectivity.READY
            ):
                raise UnavailableError(
                    f"shard {number} of the WebSocketManager does not answer at {self._targets[number - 1]}",
                    hint="it is being restarted: its log says why",
                ) from error
            raise error_from_status(error.code().name, error.details() or "") from error

    async def call_all(self, method: str, request: object, seconds: float | None) -> list[Any]:
        """Call all shards; when one fails, the others have been called all the same."""
        calls = (self.call(number, method, request, seconds) for number in range(1, len(self._stubs) + 1))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return list(answers)

    async def emptiest(self, seconds: float | None) -> int:
        """Return the shard with the fewest connections, and count one more there."""
        async with self._counting:
            if not self._counts or self._clock() - self._counted_at >= COUNTS_SECONDS:
                lists = await self.call_all("List", pb.ListConnectionsRequest(), seconds)
                self._counts = [len(each.connections) for each in lists]
                self._counted_at = self._clock()
            number = self._counts.index(min(self._counts))
            self._counts[number] += 1
            return number + 1


def _to_its_shard(method: str) -> Callable[..., Awaitable[object]]:
    async def call(self: ShardRouter, request: Any, context: Any) -> object:  # noqa: ANN401 - as in all servicers
        return await self.shards.call(shard_of(request.id), method, request, context.time_remaining())

    call.__doc__ = f"Let the shard that has the connection do {method}."
    return call


class ShardRouter(pb_grpc.WebSocketManagerServicer):
    """Passes calls on. A list is whole, or an error: a shard that is missing is never left out silently."""

    def __init__(self, shards: ShardCalls) -> None:
        self.shards = shards

    Disconnect = _to_its_shard("Disconnect")
    StartPublish = _to_its_shard("StartPublish")
    StopPublish = _to_its_shard("StopPublish")
    Send = _to_its_shard("Send")
    SendRaw = _to_its_shard("SendRaw")
    SetTag = _to_its_shard("SetTag")
    GetTag = _to_its_shard("GetTag")
    SetTags = _to_its_shard("SetTags")
    GetTags = _to_its_shard("GetTags")

    async def Connect(self, request: pb.ConnectRequest, context: Any) -> object:  # noqa: ANN401, N802
        """Open a connection where there are fewest."""
        left = context.time_remaining()
        return await self.shards.call(await self.shards.emptiest(left), "Connect", request, left)

    async def List(self, request: pb.ListConnectionsRequest, context: Any) -> pb.ListConnectionsResponse:  # noqa: ANN401, N802
        """List the connections of all shards."""
        lists = await self.shards.call_all("List", request, context.time_remaining())
        return pb.ListConnectionsResponse(connections=[each for one in lists for each in one.connections])

    async def DisconnectOwned(  # noqa: N802
        self,
        request: pb.DisconnectOwnedRequest,
        context: Any,  # noqa: ANN401
    ) -> pb.DisconnectOwnedResponse:
        """End an owner's connections on all shards."""
        ended = await self.shards.call_all("DisconnectOwned", request, context.time_remaining())
        return pb.DisconnectOwnedResponse(ids=[each for one in ended for each in one.ids])

    async def RenewLease(  # noqa: N802
        self,
        request: pb.RenewConnectionLeaseRequest,
        context: Any,  # noqa: ANN401
    ) -> pb.RenewConnectionLeaseResponse:
        """Put off the end of an owner's connections on all shards."""
        renewed = await self.shards.call_all("RenewLease", request, context.time_remaining())
        return pb.RenewConnectionLeaseResponse(renewed=sum(each.renewed for each in renewed))


class ShardRouterService:
    """The router as a service, at the address that a WebSocketManager by itself would have.

    `shards` are the gRPC addresses in the order of the numbers; `states` tells how each is: `ok`, or what is
    wrong.
    """

    def __init__(
        self, settings: PlatformSettings, *, shards: Sequence[str], states: Callable[[], Mapping[str, str]]
    ) -> None:
        self._calls = ShardCalls(shards, api_key=next(iter(settings.accepted_keys), ""))
        registry = CollectorRegistry()
        registry.register(_ShardCollector(states))
        self._chassis = manager_chassis(
            settings,
            ShardRouter(self._calls),
            registry=registry,
            readiness=lambda: _readiness(states()),
        )

    async def start(self) -> Addresses:
        """Listen. Raises `UnavailableError` naming the port and its setting when one is taken."""
        return await self._chassis.start()

    async def stop(self) -> None:
        """Take no more calls."""
        await self._chassis.stop()
        await self._calls.close()


def _readiness(states: Mapping[str, str]) -> Readiness:
    return Readiness(ready=all(state == "ok" for state in states.values()), checks=states)


class _ShardCollector(Collector):
    def __init__(self, states: Callable[[], Mapping[str, str]]) -> None:
        self._states = states

    def collect(self) -> list[GaugeMetricFamily]:
        """Return which shards run."""
        up = GaugeMetricFamily(
            "virtufin_websocketmanager_shard_up",
            "Whether a shard runs and has told its address.",
            labels=["shard"],
        )
        for name, state in self._states().items():
            up.add_metric([name], state == "ok")
        return [up]
