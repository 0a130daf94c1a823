"""The WorkManager as a service: its servers around its core."""

from __future__ import annotations

import asyncio

import structlog
from prometheus_client import CollectorRegistry

from virtufin_examples._generated.virtufin.v1 import workmanager_pb2, workmanager_pb2_grpc
from virtufin_examples.bus import Bus
from virtufin_examples.errors import VirtufinError
from virtufin_examples.service import Addresses, Chassis, GrpcService, Readiness
from virtufin_examples.settings import PlatformSettings
from virtufin_examples.workmanager._code import CodeLoader
from virtufin_examples.workmanager._gateway import GatewayClient
from virtufin_examples.workmanager._manager import WorkerManager
from virtufin_examples.workmanager._servicer import WorkManagerServicer

UPKEEP_SECONDS = 1.0  # how late a lapsed lease may be noticed

_log = structlog.get_logger(__name__)


class WorkManagerService:
    """Serves `virtufin.v1.WorkManager`. `gateway_endpoint` is where workers' calls go, as `host:port`.

    The bus stays the caller's: `stop` does not close it, and keeps the stored workers.
    """

    def __init__(self, settings: PlatformSettings, *, bus: Bus, gateway_endpoint: str) -> None:
        self._settings = settings
        registry = CollectorRegistry()
        self._gateway = GatewayClient(
            gateway_endpoint,
            key=next(iter(settings.accepted_keys), ""),
            timeout_seconds=settings.gateway_timeout_seconds,
        )
        self._manager = WorkerManager(settings, bus=bus, gateway=self._gateway, registry=registry)
        code_loader = CodeLoader(
            bus, allowed_hosts=settings.allowed_code_hosts, timeout_seconds=settings.code_timeout_seconds
        )
        self._chassis = Chassis(
            "workmanager",
            [
                GrpcService(
                    workmanager_pb2.DESCRIPTOR.services_by_name["WorkManager"].full_name,
                    workmanager_pb2_grpc.add_WorkManagerServicer_to_server,
                    WorkManagerServicer(self._manager, code_loader),
                )
            ],
            host=settings.host,
            grpc_port=settings.workmanager_grpc_port,
            http_port=settings.workmanager_http_port,
            grpc_port_setting="VIRTUFIN_WORKMANAGER_GRPC_PORT",
            http_port_setting="VIRTUFIN_WORKMANAGER_HTTP_PORT",
            api_keys=settings.accepted_keys,
            readiness=self._readiness,
            registry=registry,
        )
        self._recovery = "pending" if settings.worker_recovery else "off"
        self._upkeep: asyncio.Task[None] | None = None

    async def start(self) -> Addresses:
        """Listen, then recover the stored workers; while the bus is down: not ready, and trying on."""
        addresses = await self._chassis.start()
        await self._recover()
        self._upkeep = asyncio.create_task(self._keep_up(), name="worker-upkeep")
        return addresses

    async def stop(self) -> None:
        """Stop serving and end all worker hosts; the stored workers stay."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.wait([self._upkeep])
        await self._chassis.stop()
        await self._manager.close()
        await self._gateway.close()

    async def _recover(self) -> None:
        if self._recovery == "off" or self._recovery.startswith("done"):
            return
        try:
            count = await self._manager.recover()
        except VirtufinError as error:
            if self._recovery != f"failed: {error}":
                _log.error("recovery failed, trying again", error=str(error))
            self._recovery = f"failed: {error}"
        else:
            self._recovery = f"done: {count} workers"

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP_SECONDS)
            await self._recover()
            await self._manager.delete_lapsed()

    def _readiness(self) -> Readiness:
        checks = {"recovery": self._recovery}
        if self._manager.unreadable:
            checks["skipped records"] = ", ".join(sorted(self._manager.unreadable))
        return Readiness(ready=self._recovery.startswith(("done", "off")), checks=checks)
