"""A topic's messages one by one, as they come: nothing is merged, and what is missing is not told."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from virtufin_examples.bus import Ack, Event
from virtufin_examples.client._sidecar import Sidecar, load_settings, own_app_id


def own_sidecar() -> Sidecar | None:
    """Return the sidecar that the environment names for this program, if it names one."""
    return load_settings().sidecar()


async def sidecar_events(sidecar: Sidecar, topic: str) -> AsyncGenerator[Event, None]:
    """Yield what a sidecar hands over. It reads as the sidecar's app id, whose readers share the messages."""
    bus = sidecar.bus(own_app_id())
    try:
        (await bus.sidecar()).require(sidecar.pubsub_name, "pubsub", setting="VIRTUFIN_PUBSUB_NAME")
        async for delivery in await bus.subscribe(topic):
            yield delivery.event
            await delivery.answer(Ack.SUCCESS)
    finally:
        await bus.close()
