"""The WebSocketManager: upstream WebSockets that heal, numbered frames, topics."""

from virtufin_examples.websocketmanager._chassis import SERVICE_NAME
from virtufin_examples.websocketmanager._lifecycle import (
    LIFECYCLE_TOPIC,
    LIFECYCLE_TYPE_PREFIX,
    LifecycleData,
)
from virtufin_examples.websocketmanager._partition import require_partitions
from virtufin_examples.websocketmanager._router import ShardRouterService
from virtufin_examples.websocketmanager._service import WebSocketManagerService
from virtufin_examples.websocketmanager._shard import Shard

__all__ = [
    "LIFECYCLE_TOPIC",
    "LIFECYCLE_TYPE_PREFIX",
    "SERVICE_NAME",
    "LifecycleData",
    "Shard",
    "ShardRouterService",
    "WebSocketManagerService",
    "require_partitions",
]
