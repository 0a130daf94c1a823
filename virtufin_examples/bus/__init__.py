"""The bus: publish, subscribe, state and secrets. Dapr is the only implementation past one machine."""

from virtufin_examples.bus._port import (
    Ack,
    Bus,
    BusSubscription,
    Delivery,
    Event,
    StateEntry,
)

__all__ = ["Ack", "Bus", "BusSubscription", "Delivery", "Event", "StateEntry"]
