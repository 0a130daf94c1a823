"""A back end of the gateway, as configured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service behind the gateway. Callers name it by `name`, exactly.

    `pubsub_name` and `state_store_name` are the Dapr components that Config reports for it; empty: the
    gateway's own. `reflection_enabled` False says that it serves no gRPC reflection: it is listed, but its
    methods cannot be called.
    """

    name: str
    host: str
    port: int
    dapr_app_id: str = ""
    reflection_enabled: bool = True
    pubsub_name: str = ""
    state_store_name: str = ""

    @property
    def target(self) -> str:
        """Its gRPC address as `host:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
