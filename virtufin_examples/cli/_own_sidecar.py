"""Whether the sidecar that a service was given is its own, and has what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtufin_examples.errors import PreconditionError, UnavailableError

if TYPE_CHECKING:
    from virtufin_examples.bus.dapr import DaprBus
    from virtufin_examples.settings import PlatformSettings

APP_IDS = {"gateway": "virtufin-api", "workmanager": "workmanager", "websocketmanager": "websocketmanager"}
"""What each service calls itself, and what the deployment files name its sidecar."""


async def check_sidecar(bus: DaprBus, settings: PlatformSettings, service: str) -> None:
    """Raise `PreconditionError` for a sidecar of another service, or without the components.

    One that does not answer is not judged: the service waits for it, or says so itself.
    """
    import structlog

    try:
        info = await bus.sidecar()
    except UnavailableError as error:
        structlog.get_logger(__name__).warning("the sidecar does not answer yet", error=str(error))
        return
    for other, app_id in APP_IDS.items():
        if other != service and info.app_id == app_id:
            raise PreconditionError(
                f"{service}: the sidecar at {info.endpoint} has app id {app_id!r}, which is the {other}'s",
                hint="on one app id two services share messages and records: start a sidecar for each, "
                "and name its own in DAPR_GRPC_ENDPOINT or DAPR_GRPC_PORT",
            )
    info.require(settings.pubsub_name, "pubsub", setting="VIRTUFIN_PUBSUB_NAME")
    info.require(settings.state_store_name, "state", setting="VIRTUFIN_STATE_STORE_NAME")
