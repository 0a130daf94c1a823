"""The commands of a WebSocketManagerController worker."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from virtufin_examples.client._events import CloudEvent
from virtufin_examples.client._replies import Connections, Created, Reply, Stopped, read_reply
from virtufin_examples.client._requests import Requests
from virtufin_examples.errors import DeadlineError

COMMAND_TOPIC = "command.websocketmanagercontroller"
"""Shared by all workers of the kind, who compete; each also listens on `COMMAND_TOPIC.<worker id>`."""
RESPONSE_TOPIC = "response.websocketmanagercontroller"
COMMAND_TIMEOUT_SECONDS = 10.0

_ReplyType = TypeVar("_ReplyType", bound=Reply)


class WorkerCommands:
    """Sends commands to `topic` (a worker's own) and returns typed replies.

    Every method raises the error that the worker answered, its message starting with the command's name, or
    `DeadlineError` when there is no answer within `timeout_seconds`; the command expires at the same time.
    """

    def __init__(
        self, requests: Requests, topic: str, *, timeout_seconds: float = COMMAND_TIMEOUT_SECONDS
    ) -> None:
        self._requests = requests
        self._topic = topic
        self._timeout_seconds = timeout_seconds

    async def create(
        self,
        url: str,
        *,
        auto_reconnect: bool = False,
        tags: Mapping[str, str] | None = None,
        connector: str = "",
        options: Mapping[str, str] | None = None,
        lease_seconds: int = 0,
    ) -> Created:
        """Open a connection."""
        fields = {
            "url": url,
            "auto_reconnect": auto_reconnect,
            "tags": dict(tags or {}),
            "connector": connector,
            "options": dict(options or {}),
            "lease_seconds": lease_seconds,
        }
        return await self._run("create", Created, fields)

    async def subscribe(self, connection_id: str, params: Sequence[str]) -> Reply:
        """Send `{"method": "SUBSCRIBE", "params": [...]}` over the connection."""
        return await self._run("subscribe", Reply, {"id": connection_id, "params": list(params)})

    async def unsubscribe(self, connection_id: str, params: Sequence[str]) -> Reply:
        """Send `{"method": "UNSUBSCRIBE", "params": [...]}` over the connection."""
        return await self._run("unsubscribe", Reply, {"id": connection_id, "params": list(params)})

    async def publish(
        self, connection_id: str, topic: str, *, encoding: str = "", overflow: str = "", markers: str = ""
    ) -> Reply:
        """Publish the connection's frames on `topic`; empty options take the platform's defaults."""
        fields = {
            "id": connection_id,
            "topic": topic,
            "encoding": encoding,
            "overflow": overflow,
            "markers": markers,
        }
        return await self._run("publish", Reply, fields)

    async def stop_publish(self, connection_id: str) -> Reply:
        """End publishing; the connection stays."""
        return await self._run("stop_publish", Reply, {"id": connection_id})

    async def send_raw(
        self,
        connection_id: str,
        message: bytes,
        *,
        content_type: str = "application/json",
        secrets: bool = False,
        replay: bool | None = None,
    ) -> Reply:
        """Send a message as it is; with `secrets` its `${secret:name/entry}` are resolved where it is sent.

        `replay` None leaves it to the platform whether the message joins the handshake.
        """
        fields: dict[str, Any] = {
            "id": connection_id,
            "message": base64.b64encode(message).decode(),
            "content_type": content_type,
            "secrets": secrets,
        }
        if replay is not None:
            fields["replay"] = replay
        return await self._run("send_raw", Reply, fields)

    async def list(self) -> Connections:
        """Return the connections that this worker owns."""
        return await self._run("list", Connections, {})

    async def disconnect(self, connection_id: str) -> Reply:
        """End a connection."""
        return await self._run("disconnect", Reply, {"id": connection_id})

    async def stop(self) -> Stopped:
        """End every connection that this worker created."""
        return await self._run("stop", Stopped, {})

    async def _run(self, command: str, reply: type[_ReplyType], fields: Mapping[str, Any]) -> _ReplyType:
        given = {name: value for name, value in fields.items() if value not in ("", 0, {}) or value is False}
        event = CloudEvent(type=COMMAND_TOPIC, data=msgspec.json.encode({"command": command, **given}))
        try:
            answer = await self._requests.request(self._topic, event, timeout_seconds=self._timeout_seconds)
        except DeadlineError as error:
            raise DeadlineError(
                f"{command}: {error.message}", hint="is the worker running? See ListWorkers"
            ) from None
        return read_reply(command, answer.data, reply)
