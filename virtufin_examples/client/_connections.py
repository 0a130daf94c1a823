"""The WebSocketManager, through the gateway."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from virtufin_examples.client._api import ApiClient
from virtufin_examples.client._replies import ConnectionInfo

SERVICE = "websocketmanager"


class _Connections(msgspec.Struct, frozen=True):
    connections: tuple[ConnectionInfo, ...] = ()


class WebSocketManagerClient:
    """Lists and ends connections; opening them is a worker's part. All methods raise `VirtufinError`s."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def list_connections(self, tags: Mapping[str, str] | None = None) -> tuple[ConnectionInfo, ...]:
        """Return the connections that have all of `tags`."""
        request = {"filters": [{"key": key, "value": value} for key, value in (tags or {}).items()]}
        return (await self._api.invoke_json(SERVICE, "List", request, reply=_Connections)).connections

    async def disconnect(self, connection_id: str) -> None:
        """End a connection."""
        await self._api.invoke_json(SERVICE, "Disconnect", {"id": connection_id})
