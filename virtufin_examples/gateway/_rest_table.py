"""Which REST route calls which method: one table."""

from __future__ import annotations

from dataclasses import dataclass

OWN = "gateway"
"""Stands for the gateway's own services."""

_SOCKETS = "websocketmanager"
_WORKERS = "workmanager"


@dataclass(frozen=True, slots=True)
class RestRoute:
    """One route. Path parameters, query parameters and the JSON body together are the request message."""

    verb: str
    path: str
    service: str
    method: str


def _row(verb: str, path: str, service: str, method: str) -> RestRoute:
    return RestRoute(verb, path, service, f"virtufin.v1.{method}")


REST_TABLE: tuple[RestRoute, ...] = (
    _row("GET", "/v1/gateway/list-services", OWN, "Gateway/ListServices"),
    _row("GET", "/v1/gateway/list-methods", OWN, "Gateway/ListMethods"),
    _row("POST", "/v1/gateway/invoke", OWN, "Gateway/Invoke"),
    _row("POST", "/v1/gateway/invoke-json", OWN, "Gateway/InvokeJson"),
    _row("POST", "/v1/state/save-state", OWN, "State/SaveState"),
    # Before the routes with a key, which would take "bulk" for one.
    _row("GET", "/v1/state/{service}/bulk", OWN, "State/GetBulkState"),
    _row("DELETE", "/v1/state/{service}/bulk", OWN, "State/DeleteBulkState"),
    _row("GET", "/v1/state/{service}/{key:path}", OWN, "State/GetState"),
    _row("DELETE", "/v1/state/{service}/{key:path}", OWN, "State/DeleteState"),
    _row("GET", "/v1/config/list-services", OWN, "Config/ListServices"),
    _row("GET", "/v1/config/get-service", OWN, "Config/GetService"),
    _row("POST", "/v1/workers", _WORKERS, "WorkManager/CreateWorker"),
    _row("GET", "/v1/workers", _WORKERS, "WorkManager/ListWorkers"),
    _row("POST", "/v1/workers/recover", _WORKERS, "WorkManager/RecoverWorkers"),
    _row("DELETE", "/v1/workers/{id}", _WORKERS, "WorkManager/DeleteWorker"),
    _row("POST", "/v1/workers/{id}/code", _WORKERS, "WorkManager/LoadCode"),
    _row("PUT", "/v1/workers/{id}/code", _WORKERS, "WorkManager/LoadCode"),
    _row("POST", "/v1/workers/{id}/start", _WORKERS, "WorkManager/StartWorker"),
    _row("POST", "/v1/workers/{id}/stop", _WORKERS, "WorkManager/StopWorker"),
    _row("POST", "/v1/workers/{id}/lease", _WORKERS, "WorkManager/RenewLease"),
    _row("GET", "/v1/workers/{id}/history", _WORKERS, "WorkManager/GetWorkerHistory"),
    _row("GET", "/v1/workers/{id}/tags", _WORKERS, "WorkManager/GetTags"),
    _row("PUT", "/v1/workers/{id}/tags", _WORKERS, "WorkManager/SetTags"),
    _row("GET", "/v1/workers/{id}/tags/{key}", _WORKERS, "WorkManager/GetTag"),
    _row("POST", "/v1/workers/{id}/tags/{key}", _WORKERS, "WorkManager/SetTag"),
    _row("POST", "/v1/connect", _SOCKETS, "WebSocketManager/Connect"),
    _row("GET", "/v1/connections", _SOCKETS, "WebSocketManager/List"),
    _row("DELETE", "/v1/connections/{id}", _SOCKETS, "WebSocketManager/Disconnect"),
    _row("POST", "/v1/connections/{id}/publish", _SOCKETS, "WebSocketManager/StartPublish"),
    _row("DELETE", "/v1/connections/{id}/publish", _SOCKETS, "WebSocketManager/StopPublish"),
    _row("POST", "/v1/connections/{id}/send", _SOCKETS, "WebSocketManager/Send"),
    _row("POST", "/v1/connections/{id}/sendraw", _SOCKETS, "WebSocketManager/SendRaw"),
    _row("GET", "/v1/connections/{id}/tags", _SOCKETS, "WebSocketManager/GetTags"),
    _row("PUT", "/v1/connections/{id}/tags", _SOCKETS, "WebSocketManager/SetTags"),
    _row("GET", "/v1/connections/{id}/tags/{key}", _SOCKETS, "WebSocketManager/GetTag"),
    _row("POST", "/v1/connections/{id}/tags/{key}", _SOCKETS, "WebSocketManager/SetTag"),
)
