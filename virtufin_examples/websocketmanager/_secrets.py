"""Secrets through the bus, fetched when a message is sent and kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping

from virtufin_examples.bus import Bus


class BusSecrets:
    """A `SecretResolver` on the platform's secret store."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def entries(self, name: str) -> Mapping[str, str]:
        """Return the entries of a secret; `NotFoundError` when there is none of that name."""
        return await self._bus.get_secret(name)
