"""The WorkManager, through the gateway."""

from __future__ import annotations

import base64
import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from virtufin_examples.client._api import ApiClient

if TYPE_CHECKING:
    from virtufin_examples.worker_packages import WorkerPackage

SERVICE = "workmanager"


class WorkerStatus(enum.StrEnum):
    """States of a worker."""

    UNSPECIFIED = "WORKER_STATUS_UNSPECIFIED"
    STOPPED = "WORKER_STATUS_STOPPED"
    RUNNING = "WORKER_STATUS_RUNNING"
    FAILED = "WORKER_STATUS_FAILED"


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A worker as the WorkManager lists it (`virtufin.v1.WorkerInfo`)."""

    id: str
    mime_type: str = ""
    language: str = ""
    topic: str = ""
    created_at: str = ""
    status: WorkerStatus = WorkerStatus.UNSPECIFIED
    config: dict[str, str] = {}
    tags: dict[str, str] = {}
    command_topic: str = ""
    runtime: str = ""
    failure: str = ""
    code_sha256: str = ""
    lease_seconds: int = 0
    restarts: int = 0


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Workers(msgspec.Struct, frozen=True):
    workers: tuple[WorkerInfo, ...] = ()


class WorkManagerClient:
    """Creates, runs and lists workers. All methods raise `VirtufinError`s."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def create_worker(
        self,
        package: WorkerPackage,
        *,
        topic: str,
        config: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        lease_seconds: int = 0,
    ) -> str:
        """Create a worker from a package and return its id; it does not run yet.

        With `lease_seconds` it is deleted when `renew_lease` is not called for that long.
        """
        code = {"content": base64.b64encode(package.content).decode(), "sha256": package.sha256}
        request = {
            "code_source": code,
            "mime_type": package.mime_type,
            "topic": topic,
            "config": dict(config or {}),
            "tags": dict(tags or {}),
            "lease_seconds": lease_seconds,
        }
        return (await self._api.invoke_json(SERVICE, "CreateWorker", request, reply=_Id)).id

    async def start_worker(self, worker_id: str) -> None:
        """Start it: from now on it takes events."""
        await self._api.invoke_json(SERVICE, "StartWorker", {"id": worker_id})

    async def stop_worker(self, worker_id: str) -> None:
        """Stop it; its connections are closed."""
        await self._api.invoke_json(SERVICE, "StopWorker", {"id": worker_id})

    async def delete_worker(self, worker_id: str) -> None:
        """Remove it; its connections are closed."""
        await self._api.invoke_json(SERVICE, "DeleteWorker", {"id": worker_id})

    async def list_workers(self, tags: Mapping[str, str] | None = None) -> tuple[WorkerInfo, ...]:
        """Return the workers that have all of `tags`."""
        request = {"filters": [{"key": key, "value": value} for key, value in (tags or {}).items()]}
        return (await self._api.invoke_json(SERVICE, "ListWorkers", request, reply=_Workers)).workers

    async def renew_lease(self, worker_id: str) -> None:
        """Put off the end of a worker (and of its connections) that was created with a lease."""
        await self._api.invoke_json(SERVICE, "RenewLease", {"id": worker_id})
