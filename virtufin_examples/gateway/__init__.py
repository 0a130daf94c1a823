"""The API gateway: any method of any back end, events, state and configuration, over gRPC and REST."""

from virtufin_examples.gateway._entry import ServiceEntry
from virtufin_examples.gateway._service import GatewayService

__all__ = ["GatewayService", "ServiceEntry"]
