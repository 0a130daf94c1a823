"""The RPCs of `virtufin.v1.WebSocketManager`: checked input in, messages out."""

from __future__ import annotations

from typing import Any

from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.errors import InvalidInputError, NotFoundError
from virtufin_examples.frames import BINARY_CONTENT_TYPE, TEXT_CONTENT_TYPE
from virtufin_examples.websocketmanager._managed import ManagedConnection
from virtufin_examples.websocketmanager._manager import ConnectionManager, OpenRequest
from virtufin_examples.websocketmanager._validation import (
    outgoing_message,
    publish_options,
    require_tags,
    require_topic,
    require_url,
)

DEFAULT_TIMEOUT_MS = 10_000


class WebSocketManagerServicer(pb_grpc.WebSocketManagerServicer):
    """Raises `VirtufinError`s, which the chassis turns into statuses."""

    def __init__(self, manager: ConnectionManager, instance_id: str) -> None:
        self._manager = manager
        self._instance_id = instance_id

    async def Connect(self, request: pb.ConnectRequest, context: Any) -> pb.ConnectResponse:  # noqa: ANN401, ARG002, N802
        """Open a connection; returns when its socket is open, or is being retried."""
        require_url(request.url)
        require_tags(request.tags)
        managed = await self._manager.open(
            OpenRequest(
                url=request.url,
                auto_reconnect=request.auto_reconnect,
                connector=request.connector,
                options=dict(request.options),
                tags=dict(request.tags),
                owner=request.owner,
                lease_seconds=request.lease_seconds,
            )
        )
        return pb.ConnectResponse(id=managed.id, status=managed.connection.state.value)

    async def List(self, request: pb.ListConnectionsRequest, context: Any) -> pb.ListConnectionsResponse:  # noqa: ANN401, ARG002, N802
        """List the connections whose tags match all filters."""
        await self._manager.restored.wait()
        wanted = [(tag.key, tag.value) for tag in request.filters]
        return pb.ListConnectionsResponse(
            connections=[
                self._describe(managed)
                for managed in self._manager.all()
                if all(managed.tags.get(key) == value for key, value in wanted)
            ]
        )

    async def Disconnect(self, request: pb.DisconnectRequest, context: Any) -> pb.DisconnectResponse:  # noqa: ANN401, ARG002, N802
        """End a connection."""
        await self._manager.find(request.id)
        await self._manager.close(request.id)
        return pb.DisconnectResponse()

    async def DisconnectOwned(  # noqa: N802
        self,
        request: pb.DisconnectOwnedRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.DisconnectOwnedResponse:
        """End all connections of an owner."""
        _require_owner(request.owner)
        await self._manager.restored.wait()
        ids = await self._manager.close_owned(request.owner, reason="its owner ended")
        return pb.DisconnectOwnedResponse(ids=ids)

    async def StartPublish(self, request: pb.StartPublishRequest, context: Any) -> pb.StartPublishResponse:  # noqa: ANN401, ARG002, N802
        """Publish a connection's frames."""
        await self._manager.find(request.id)
        require_topic(request.topic)
        options = publish_options(request.encoding, request.overflow, request.markers)
        await self._manager.start_publish(request.id, request.topic, options)
        return pb.StartPublishResponse()

    async def StopPublish(self, request: pb.StopPublishRequest, context: Any) -> pb.StopPublishResponse:  # noqa: ANN401, ARG002, N802
        """Publish a connection's frames no more."""
        await self._manager.find(request.id)
        await self._manager.stop_publish(request.id)
        return pb.StopPublishResponse()

    async def Send(self, request: pb.SendRequest, context: Any) -> pb.SendResponse:  # noqa: ANN401, ARG002, N802
        """Send a 16-byte id and the message, return what follows that id in the answer."""
        managed = await self._manager.find(request.id)
        if request.timeout_ms < 0:
            raise InvalidInputError(f"timeout_ms is {request.timeout_ms}", hint="0 stands for 10000")
        message = outgoing_message(request.message, request.content_type)
        answer = await managed.connection.request(
            message.payload,
            binary=message.binary,
            seconds=(request.timeout_ms or DEFAULT_TIMEOUT_MS) / 1000,
        )
        return pb.SendResponse(response=answer)

    async def SendRaw(self, request: pb.SendRawRequest, context: Any) -> pb.SendRawResponse:  # noqa: ANN401, ARG002, N802
        """Send a message as it is, or with its secrets filled in."""
        managed = await self._manager.find(request.id)
        message = outgoing_message(request.message, request.content_type, secrets=request.secrets)
        await managed.send(message, replay=request.replay if request.HasField("replay") else None)
        return pb.SendRawResponse()

    async def RenewLease(  # noqa: N802
        self,
        request: pb.RenewConnectionLeaseRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.RenewConnectionLeaseResponse:
        """Put off the end of an owner's connections."""
        _require_owner(request.owner)
        await self._manager.restored.wait()
        return pb.RenewConnectionLeaseResponse(renewed=self._manager.renew_lease(request.owner))

    async def SetTag(  # noqa: N802
        self,
        request: pb.SetConnectionTagRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.SetConnectionTagResponse:
        """Set one tag."""
        managed = await self._manager.find(request.id)
        _set_tags(managed, {**managed.tags, request.key: request.value})
        return pb.SetConnectionTagResponse()

    async def GetTag(  # noqa: N802
        self,
        request: pb.GetConnectionTagRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.GetConnectionTagResponse:
        """Return one tag's value."""
        managed = await self._manager.find(request.id)
        if request.key not in managed.tags:
            raise NotFoundError(f"connection {request.id} has no tag {request.key!r}")
        return pb.GetConnectionTagResponse(value=managed.tags[request.key])

    async def SetTags(  # noqa: N802
        self,
        request: pb.SetConnectionTagsRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.SetConnectionTagsResponse:
        """Replace all tags."""
        _set_tags((await self._manager.find(request.id)), dict(request.tags))
        return pb.SetConnectionTagsResponse()

    async def GetTags(  # noqa: N802
        self,
        request: pb.GetConnectionTagsRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.GetConnectionTagsResponse:
        """Return all tags."""
        return pb.GetConnectionTagsResponse(tags=(await self._manager.find(request.id)).tags)

    def _describe(self, managed: ManagedConnection) -> pb.WebSocketConnection:
        connection, publisher = managed.connection, managed.publisher
        stream = connection.stream
        content_type = ""
        if stream.frames:
            content_type = BINARY_CONTENT_TYPE if stream.last_was_binary else TEXT_CONTENT_TYPE
        return pb.WebSocketConnection(
            id=managed.id,
            url=connection.template,
            status=connection.state.value,
            topic=publisher.topic if publisher is not None else "",
            instance_id=self._instance_id,
            content_type=content_type,
            tags=managed.tags,
            owner=managed.owner,
            connector=connection.spec.connector.name,
            epoch=connection.epoch,
            last_sequence=stream.last_sequence,
            last_received_ns=stream.last_received_ns,
            restorable=connection.restorable,
            simulated=connection.simulated,
            reason=connection.reason or (publisher.backlog.problem if publisher is not None else ""),
            encoding=publisher.options.encoding.value if publisher is not None else "",
            frames=stream.frames,
            reconnects=connection.reconnects,
            held_bytes=stream.held_bytes,
            queued_bytes=publisher.queued_bytes if publisher is not None else 0,
            auto_reconnect=connection.spec.auto_reconnect,
            wanted_symbols=connection.wanted_symbols,
            acknowledged_symbols=connection.acknowledged_symbols,
            stale_symbols=connection.stale_symbols,
            spooled_bytes=publisher.spooled_bytes if publisher is not None else 0,
            backfill=connection.backfill,
            asked_again=connection.asked_again,
        )


def _require_owner(owner: str) -> None:
    if not owner:
        raise InvalidInputError("owner is missing", hint="the id of the worker")


def _set_tags(managed: ManagedConnection, tags: dict[str, str]) -> None:
    require_tags(tags)
    managed.keeper.update(tags=tags)
