"""A service's sidecar: waited for as the service starts, and whether it is its own and has what it needs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from virtufin_examples.errors import DeadlineError, PreconditionError, UnavailableError

if TYPE_CHECKING:
    from virtufin_examples.bus.dapr import DaprBus, SidecarInfo
    from virtufin_examples.settings import PlatformSettings

APP_IDS = {"gateway": "virtufin-api", "workmanager": "workmanager", "websocketmanager": "websocketmanager"}
"""What each service calls itself, and what the deployment files name its sidecar."""

ASK_SECONDS = 0.25
TELL_SECONDS = 5.0


async def check_sidecar(bus: DaprBus, settings: PlatformSettings, service: str) -> None:
    """Wait for the sidecar; raise `PreconditionError` for that of another service, or without the components.

    Containers of a pod start in any order: one that does not answer is waited for, for as long as
    `DAPR_HEALTH_TIMEOUT` says, and is an `UnavailableError` then.
    """
    info = await _wait(bus, settings.dapr_health_timeout)
    for other, app_id in APP_IDS.items():
        if other != service and info.app_id == app_id:
            raise PreconditionError(
                f"{service}: the sidecar at {info.endpoint} has app id {app_id!r}, which is the {other}'s",
                hint="on one app id two services share messages and records: start a sidecar for each, "
                "and name its own in DAPR_GRPC_ENDPOINT or DAPR_GRPC_PORT",
            )
    info.require(settings.pubsub_name, "pubsub", setting="VIRTUFIN_PUBSUB_NAME")
    info.require(settings.state_store_name, "state", setting="VIRTUFIN_STATE_STORE_NAME")
    if service == "websocketmanager":
        from virtufin_examples.websocketmanager import require_partitions

        require_partitions(
            settings.topic_partitions, settings.pubsub_name, info.components[settings.pubsub_name]
        )


async def _wait(bus: DaprBus, seconds: float) -> SidecarInfo:
    import structlog

    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    tell_at = clock()
    while True:
        try:
            return await bus.sidecar()
        except (UnavailableError, DeadlineError) as error:
            now = clock()
            if now >= until:
                hint = f"{error.hint}; DAPR_HEALTH_TIMEOUT ({seconds:g} s) is how long it is waited for"
                raise UnavailableError(error.message, hint=hint.removeprefix("; ")) from error
            if now >= tell_at:
                tell_at = now + TELL_SECONDS
                structlog.get_logger(__name__).warning(
                    "waiting for the sidecar", up_to_seconds=round(until - now), error=error.message
                )
        await asyncio.sleep(ASK_SECONDS)
