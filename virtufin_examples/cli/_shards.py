"""The WebSocketManager of `virtufin up`: one child process, or several shards behind a router."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from virtufin_examples.cli._child import SupervisedChild

if TYPE_CHECKING:  # the children are started before these are loaded
    from virtufin_examples.service import Addresses
    from virtufin_examples.settings import PlatformSettings
    from virtufin_examples.websocketmanager import ShardRouterService

_NAME = "websocketmanager"


class WebSocketManagers:
    """`count` children; `flags` are passed to each, those that are None are not given.

    With one, callers reach the child itself. With more they reach a router in this process, which has the
    address that the child would have; frames never pass it.
    """

    def __init__(self, count: int, flags: Mapping[str, str | None], *, free_ports: bool) -> None:
        given = [part for flag, value in flags.items() if value is not None for part in (flag, value)]
        if free_ports:
            given += ["--grpc-port", "0", "--http-port", "0"]
        self.shards: dict[str, Addresses] = {}
        """Where each shard listens, by name; empty where there is one child."""
        self._router: ShardRouterService | None = None
        self._children = {_NAME: SupervisedChild(_NAME, given)}
        if count > 1:
            self._children = {
                f"{_NAME}_{number}": SupervisedChild(
                    _NAME, [*given, "--shard", f"{number}/{count}"], title=f"{_NAME} {number}/{count}"
                )
                for number in range(1, count + 1)
            }

    async def spawn(self) -> None:
        """Start the processes."""
        await asyncio.gather(*(child.spawn() for child in self._children.values()))

    async def start(self, settings: PlatformSettings) -> Addresses:
        """Hand over the sidecar's address of `settings`; return where callers reach the WebSocketManager."""
        from virtufin_examples.service import Addresses

        lines = await asyncio.gather(*(each.start(settings.dapr_target) for each in self._children.values()))
        where = [Addresses(grpc=line["grpc"], http=line["http"]) for line in lines]
        if len(where) == 1:
            return where[0]
        self.shards = dict(zip(self._children, where, strict=True))
        from virtufin_examples.websocketmanager import ShardRouterService

        router = ShardRouterService(settings, shards=[each.grpc for each in where], states=self._states)
        addresses = await router.start()
        self._router = router
        return addresses

    async def stop(self) -> None:
        """Take no more calls, then end the children."""
        router, self._router = self._router, None
        if router is not None:
            await router.stop()
        await asyncio.gather(*(child.stop() for child in self._children.values()))

    def _states(self) -> dict[str, str]:
        return {name: child.state for name, child in self._children.items()}
