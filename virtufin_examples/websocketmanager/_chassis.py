"""Where a WebSocketManager listens: one by itself, and the router of several, at the same address."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from virtufin_examples._generated.virtufin.v1 import websocketmanager_pb2_grpc as pb_grpc
from virtufin_examples.service import Chassis, GrpcService, Readiness
from virtufin_examples.settings import PlatformSettings

SERVICE_NAME = "virtufin.v1.WebSocketManager"


def manager_chassis(
    settings: PlatformSettings,
    servicer: pb_grpc.WebSocketManagerServicer,
    *,
    registry: CollectorRegistry,
    readiness: Callable[[], Readiness],
) -> Chassis:
    """Return the chassis that serves `servicer`, with the ports of the settings."""
    return Chassis(
        "websocketmanager",
        [GrpcService(SERVICE_NAME, pb_grpc.add_WebSocketManagerServicer_to_server, servicer)],
        host=settings.host,
        grpc_port=settings.websocketmanager_grpc_port,
        http_port=settings.websocketmanager_http_port,
        grpc_port_setting="VIRTUFIN_WEBSOCKETMANAGER_GRPC_PORT",
        http_port_setting="VIRTUFIN_WEBSOCKETMANAGER_HTTP_PORT",
        api_keys=settings.accepted_keys,
        registry=registry,
        readiness=readiness,
    )
