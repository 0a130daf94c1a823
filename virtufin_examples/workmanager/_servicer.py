"""The gRPC face of the WorkManager: requests in, the core's answers out."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc.aio

from virtufin_examples._generated.virtufin.v1 import workmanager_pb2 as pb
from virtufin_examples._generated.virtufin.v1 import workmanager_pb2_grpc
from virtufin_examples.errors import InvalidInputError, NotFoundError
from virtufin_examples.workmanager._code import CodeLoader
from virtufin_examples.workmanager._manager import WorkerManager
from virtufin_examples.workmanager._record import HistoryItem
from virtufin_examples.workmanager._validation import check_config, check_tags, check_topic
from virtufin_examples.workmanager._worker import Status, Worker
from virtufin_examples.workmanager.engines import find_engine

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_STATUS = {
    Status.STOPPED: pb.WORKER_STATUS_STOPPED,
    Status.RUNNING: pb.WORKER_STATUS_RUNNING,
    Status.FAILED: pb.WORKER_STATUS_FAILED,
}


class WorkManagerServicer(workmanager_pb2_grpc.WorkManagerServicer):
    """`virtufin.v1.WorkManager`."""

    def __init__(self, manager: WorkerManager, code_loader: CodeLoader) -> None:
        self._manager = manager
        self._code_loader = code_loader

    async def CreateWorker(  # noqa: N802 - the contract's name, as below
        self, request: pb.CreateWorkerRequest, _context: Context
    ) -> pb.CreateWorkerResponse:
        """Create a worker, stopped."""
        topic = check_topic(request.topic, request.topics)
        config, tags = check_config(request.config), check_tags(request.tags)
        find_engine(request.mime_type)  # everything that is cheap to refuse, before code is fetched
        worker = await self._manager.create(
            await self._code_loader.load(request.code_source),
            mime_type=request.mime_type,
            topic=topic,
            config=config,
            tags=tags,
            lease_seconds=request.lease_seconds,
        )
        return pb.CreateWorkerResponse(id=worker.record.id)

    async def LoadCode(self, request: pb.LoadCodeRequest, _context: Context) -> pb.LoadCodeResponse:  # noqa: N802
        """Replace a worker's code."""
        self._manager.find(request.id)
        await self._manager.load_code(request.id, await self._code_loader.load(request.code_source))
        return pb.LoadCodeResponse()

    async def StartWorker(  # noqa: N802
        self, request: pb.StartWorkerRequest, _context: Context
    ) -> pb.StartWorkerResponse:
        """Start a worker; one that runs is left alone."""
        await self._manager.start(request.id)
        return pb.StartWorkerResponse()

    async def StopWorker(  # noqa: N802
        self, request: pb.StopWorkerRequest, _context: Context
    ) -> pb.StopWorkerResponse:
        """Stop a worker; one that is stopped is left alone."""
        await self._manager.stop(request.id)
        return pb.StopWorkerResponse()

    async def DeleteWorker(  # noqa: N802
        self, request: pb.DeleteWorkerRequest, _context: Context
    ) -> pb.DeleteWorkerResponse:
        """Stop a worker and forget it."""
        await self._manager.delete(request.id)
        return pb.DeleteWorkerResponse()

    async def ListWorkers(  # noqa: N802
        self, request: pb.ListWorkersRequest, _context: Context
    ) -> pb.ListWorkersResponse:
        """Return the workers that match all filters."""
        wanted: dict[str, str] = {}
        for each in request.filters:
            if wanted.setdefault(each.key, each.value) != each.value:
                return pb.ListWorkersResponse()  # one tag cannot have two values
        return pb.ListWorkersResponse(workers=[_info(worker) for worker in self._manager.list(wanted)])

    async def GetWorkerHistory(  # noqa: N802
        self, request: pb.GetWorkerHistoryRequest, _context: Context
    ) -> pb.GetWorkerHistoryResponse:
        """Return the versions of a worker's code, the oldest first."""
        history = self._manager.find(request.id).record.history
        return pb.GetWorkerHistoryResponse(entries=[_entry(item) for item in history])

    async def RecoverWorkers(  # noqa: N802
        self, _request: pb.RecoverWorkersRequest, _context: Context
    ) -> pb.RecoverWorkersResponse:
        """Take up stored workers that are not known yet."""
        return pb.RecoverWorkersResponse(recovered_count=await self._manager.recover())

    async def RenewLease(  # noqa: N802
        self, request: pb.RenewWorkerLeaseRequest, _context: Context
    ) -> pb.RenewWorkerLeaseResponse:
        """Put off the end of a leased worker."""
        return pb.RenewWorkerLeaseResponse(lease_seconds=await self._manager.renew_lease(request.id))

    async def SetTag(self, request: pb.SetWorkerTagRequest, _context: Context) -> pb.SetWorkerTagResponse:  # noqa: N802
        """Set one tag."""
        await self._manager.set_tags(request.id, {request.key: request.value}, keep=True)
        return pb.SetWorkerTagResponse()

    async def GetTag(self, request: pb.GetWorkerTagRequest, _context: Context) -> pb.GetWorkerTagResponse:  # noqa: N802
        """Return one tag."""
        if not request.key:
            raise InvalidInputError("key: empty")
        value = self._manager.find(request.id).record.tags.get(request.key)
        if value is None:
            raise NotFoundError(f"key: worker {request.id} has no tag {request.key!r}")
        return pb.GetWorkerTagResponse(value=value)

    async def SetTags(self, request: pb.SetWorkerTagsRequest, _context: Context) -> pb.SetWorkerTagsResponse:  # noqa: N802
        """Replace all tags."""
        await self._manager.set_tags(request.id, request.tags, keep=False)
        return pb.SetWorkerTagsResponse()

    async def GetTags(self, request: pb.GetWorkerTagsRequest, _context: Context) -> pb.GetWorkerTagsResponse:  # noqa: N802
        """Return all tags."""
        return pb.GetWorkerTagsResponse(tags=self._manager.find(request.id).record.tags)


def _info(worker: Worker) -> pb.WorkerInfo:
    record = worker.record
    return pb.WorkerInfo(
        id=record.id,
        mime_type=record.mime_type,
        language=record.language,
        topic=record.topic,
        created_at=record.created_at,
        status=_STATUS[worker.status],
        config=record.config,
        tags=record.tags,
        command_topic=record.command_topic,
        runtime=worker.runtime,
        failure=worker.failure,
        code_sha256=record.code_sha256,
        lease_seconds=record.lease_seconds,
        restarts=worker.restarts,
    )


def _entry(item: HistoryItem) -> pb.HistoryEntry:
    source = pb.CodeSource(sha256=item.sha256)
    if item.url:
        source.url = item.url
    return pb.HistoryEntry(code_source=source, created_at=item.created_at)
