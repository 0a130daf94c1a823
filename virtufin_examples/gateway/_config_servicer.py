"""`virtufin.v1.Config`."""

# ruff: noqa: N802 - the methods are named by the contract

from __future__ import annotations

from virtufin_examples._generated.virtufin.v1 import config_pb2, config_pb2_grpc
from virtufin_examples.errors import NotFoundError
from virtufin_examples.gateway._entry import ServiceEntry
from virtufin_examples.gateway._nearest import nearest_hint
from virtufin_examples.gateway._registry import Registry


class ConfigServicer(config_pb2_grpc.ConfigServicer):
    """Tells the configuration of the back ends.

    The names of the Dapr components are the gateway's own where an entry names none. `dapr_grpc`
    (`host:port`) and `dapr_http` (`http://host:port`) are the sidecar that subscribers may use; empty: each
    brings its own.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        pubsub_name: str,
        state_store_name: str,
        dapr_grpc: str,
        dapr_http: str,
    ) -> None:
        self._registry = registry
        self._pubsub_name = pubsub_name
        self._state_store_name = state_store_name
        self._dapr = config_pb2.DaprEndpoint(grpc_endpoint=dapr_grpc, http_endpoint=dapr_http)

    async def ListServices(
        self, _request: config_pb2.ListConfigServicesRequest, _context: object
    ) -> config_pb2.ListConfigServicesResponse:
        """Name the services."""
        return config_pb2.ListConfigServicesResponse(services=[b.entry.name for b in self._registry.backends])

    async def GetService(
        self, request: config_pb2.GetConfigServiceRequest, _context: object
    ) -> config_pb2.GetConfigServiceResponse:
        """Tell one service's configuration; NOT_FOUND with the nearest names."""
        entries = {backend.entry.name: backend.entry for backend in self._registry.backends}
        entry = entries.get(request.name)
        if entry is None:
            raise NotFoundError(
                f"name is {request.name!r}: there is no such service",
                hint=nearest_hint(request.name, entries, "services"),
            )
        return config_pb2.GetConfigServiceResponse(service=self._service(entry))

    def _service(self, entry: ServiceEntry) -> config_pb2.ConfigService:
        return config_pb2.ConfigService(
            name=entry.name,
            dapr_app_id=entry.dapr_app_id or entry.name,
            grpc=config_pb2.GrpcConfig(
                host=entry.host, port=entry.port, reflection_enabled=entry.reflection_enabled
            ),
            pubsub=config_pb2.PubsubConfig(pubsub_name=entry.pubsub_name or self._pubsub_name),
            state=config_pb2.StateConfig(store_name=entry.state_store_name or self._state_store_name),
            dapr=self._dapr,
        )
