"""The bus: publish, subscribe, state and secrets. Dapr is the only implementation past one machine."""

from virtufin_examples.bus._port import (
    CLOUDEVENT_JSON,
    Ack,
    Bus,
    BusSubscription,
    Delivery,
    Event,
    StateEntry,
)

__all__ = ["CLOUDEVENT_JSON", "Ack", "Bus", "BusSubscription", "Delivery", "Event", "StateEntry"]
