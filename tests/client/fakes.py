"""A small platform behind real gRPC: gateway, managers, worker and venue in one object."""

# ruff: noqa: N802, C901 - names are the contract's; a switch over commands is one

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Self

import grpc.aio

from virtufin_examples._generated.virtufin.v1 import (
    config_pb2,
    config_pb2_grpc,
    gateway_pb2,
    gateway_pb2_grpc,
    pubsub_pb2,
    pubsub_pb2_grpc,
    state_pb2,
    state_pb2_grpc,
)
from virtufin_examples.bus import CLOUDEVENT_JSON
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.bus.embedded import EmbeddedRuntime
from virtufin_examples.client import COMMAND_TOPIC
from virtufin_examples.client._events import from_proto, to_proto
from virtufin_examples.errors import ConflictError, NotFoundError, PreconditionError, VirtufinError
from virtufin_examples.frames import Frame, FrameFlag, encode_frame_event
from virtufin_examples.service import Chassis, GrpcService

NOT_A_KEY = "wrong"


class FakePlatform(
    gateway_pb2_grpc.GatewayServicer, pubsub_pb2_grpc.PubsubServicer, state_pb2_grpc.StateServicer
):
    """Start it with `async with`; what a test wants to see or to break is a public attribute."""

    def __init__(self, *, api_keys: tuple[str, ...] = (), keys: tuple[str, str] = ("K", "S")) -> None:
        self.api_keys = api_keys
        self.keys = keys  # what the venue accepts
        self.secrets = {"${secret:alpaca/key}": keys[0], "${secret:alpaca/secret}": keys[1]}
        self.workers: dict[str, dict] = {}
        self.connections: dict[str, dict] = {}
        self.commands: list[dict] = []
        self.events: list[tuple[str, object, int]] = []
        self.calls: list[tuple[str, dict]] = []
        self.failures: dict[str, VirtufinError] = {}  # of a command or method, once for each call
        self.silent: set[str] = set()  # commands and methods that never answer
        self.venue_error: tuple[int, str] | None = None  # the answer to subscribe
        self.data_frames = 20
        self.lost: set[int] = set()  # numbers that the broker keeps
        self.frame_flags = FrameFlag.SIMULATED
        self.answered = asyncio.Event()
        self.tell_dapr = True
        self._taps: dict[str, set[asyncio.Queue]] = {}
        self._feeders: set[asyncio.Task] = set()
        self._memory: dict[str, bytes] = {}
        self.state: dict[str, tuple[bytes, str]] = {}

    async def __aenter__(self) -> Self:
        self._runtime = EmbeddedRuntime()
        self.runtime = (await self._runtime.start()).grpc
        self._bus = DaprBus(target=self.runtime, app_id="websocketmanager")
        await self.listen()
        return self

    async def listen(self, port: int = 0) -> None:
        self._chassis = Chassis(
            "fake gateway",
            [
                GrpcService("virtufin.v1.Gateway", gateway_pb2_grpc.add_GatewayServicer_to_server, self),
                GrpcService("virtufin.v1.Pubsub", pubsub_pb2_grpc.add_PubsubServicer_to_server, self),
                GrpcService("virtufin.v1.State", state_pb2_grpc.add_StateServicer_to_server, self),
                GrpcService(
                    "virtufin.v1.Config", config_pb2_grpc.add_ConfigServicer_to_server, _Config(self)
                ),
            ],
            grpc_port=port,
            api_keys=self.api_keys,
        )
        addresses = await self._chassis.start()
        self.endpoint, self.http = addresses.grpc, addresses.http

    async def hang_up(self) -> None:
        """End the gateway; `listen` brings it back."""
        for queues in self._taps.values():
            for queue in queues:
                queue.put_nowait(None)
        await self._chassis.stop()

    async def __aexit__(self, *_: object) -> None:
        for task in self._feeders:
            task.cancel()
        await asyncio.gather(*self._feeders, return_exceptions=True)
        await self.hang_up()
        await self._bus.close()
        await self._runtime.stop()

    # Gateway

    async def ListServices(self, request, context):
        return gateway_pb2.ListServicesResponse(services=["workmanager", "websocketmanager"])

    async def ListMethods(self, request, context):
        if request.service != "workmanager":
            raise NotFoundError(f"no service {request.service!r}")
        method = gateway_pb2.MethodInfo(name="ListWorkers", full_name="virtufin.v1.WorkManager/ListWorkers")
        return gateway_pb2.ListMethodsResponse(methods=[method])

    async def InvokeJson(self, request, context):
        fields = json.loads(request.request_data)
        self.calls.append((request.method, fields))
        try:
            answer = await self._invoke(request.method, fields)
        except VirtufinError as error:
            return gateway_pb2.InvokeJsonResponse(success=False, status=error.code, message=error.message)
        return gateway_pb2.InvokeJsonResponse(success=True, status="OK", response_data=json.dumps(answer))

    async def _invoke(self, method: str, fields: dict) -> dict:
        await self._maybe_fail(method)
        match method:
            case "CreateWorker":
                worker_id = str(uuid.uuid4())
                self.workers[worker_id] = {
                    "id": worker_id,
                    "mime_type": fields["mime_type"],
                    "tags": fields["tags"],
                    "lease_seconds": fields["lease_seconds"],
                    "status": "WORKER_STATUS_STOPPED",
                }
                return {"id": worker_id}
            case "StartWorker":
                self._worker(fields["id"]).update(status="WORKER_STATUS_RUNNING", runtime="Fake 1.0")
            case "StopWorker":
                self._worker(fields["id"]).update(status="WORKER_STATUS_STOPPED")
            case "DeleteWorker":
                self._worker(fields["id"])
                del self.workers[fields["id"]]
            case "RenewLease":
                return {"lease_seconds": self._worker(fields["id"])["lease_seconds"]}
            case "ListWorkers":
                return {"workers": _matching(self.workers, fields)}
            case "List":
                return {"connections": _matching(self.connections, fields)}
            case "Disconnect":
                self.connections.pop(fields["id"])
            case _:
                raise NotFoundError(f"no method {method!r}")
        return {}

    def _worker(self, worker_id: str) -> dict:
        if worker_id not in self.workers:
            raise NotFoundError(f"no worker {worker_id!r}")
        return self.workers[worker_id]

    async def _maybe_fail(self, name: str) -> None:
        if name in self.silent:
            self.answered.set()
            await asyncio.Event().wait()
        if name in self.failures:
            raise self.failures[name]

    # Pubsub

    async def PublishEvent(self, request, context):
        event = from_proto(request.cloudevent)
        self.events.append((request.topic, event, request.ttl_seconds))
        if request.topic.startswith(COMMAND_TOPIC + "."):
            task = asyncio.create_task(self._command(request.topic.removeprefix(COMMAND_TOPIC + "."), event))
            self._feeders.add(task)
            task.add_done_callback(self._feeders.discard)
        self._broadcast(request.topic, event)
        return pubsub_pb2.PublishEventResponse(success=True, status="OK")

    def _broadcast(self, topic: str, event) -> None:
        for queue in self._taps.get(topic, ()):
            queue.put_nowait(event)

    async def Subscribe(self, request, context) -> AsyncIterator[pubsub_pb2.SubscribeResponse]:
        queue: asyncio.Queue = asyncio.Queue()
        self._taps.setdefault(request.topic, set()).add(queue)
        try:
            yield pubsub_pb2.SubscribeResponse(topic=request.topic, subscription_id="1")
            while (event := await queue.get()) is not None:
                yield pubsub_pb2.SubscribeResponse(topic=request.topic, cloudevent=to_proto(event))
        finally:
            self._taps[request.topic].discard(queue)

    # State

    async def GetState(self, request, context):
        value, etag = self.state.get(request.key, (b"", ""))
        return state_pb2.GetStateResponse(key=request.key, value=value, etag=etag)

    async def SaveState(self, request, context):
        if request.etag and self.state.get(request.key, (b"", ""))[1] != request.etag:
            raise ConflictError("stale etag")
        etag = str(len(self.state) + 1 + int(self.state.get(request.key, (b"", "0"))[1]))
        self.state[request.key] = (request.value, etag)
        return state_pb2.SaveStateResponse(status=state_pb2.StatusResponse(success=True), etag=etag)

    async def DeleteState(self, request, context):
        self.state.pop(request.key, None)
        return state_pb2.DeleteStateResponse(status=state_pb2.StatusResponse(success=True))

    # The worker

    async def _command(self, worker_id: str, event) -> None:
        correlation = event.extensions["correlationid"]
        if correlation not in self._memory:
            fields = json.loads(event.data)
            self.commands.append(fields)
            reply = {"command": fields["command"], "worker": worker_id}
            try:
                await self._maybe_fail(fields["command"])
                reply |= {"success": True, **await self._run(worker_id, fields)}
            except VirtufinError as error:
                reply |= {"success": False, "code": error.code, "message": error.message}
            self._memory[correlation] = json.dumps(reply).encode()
        topic = event.extensions["replytopic"]
        answer = type(event)(
            type=topic, data=self._memory[correlation], extensions={"correlationid": correlation}
        )
        self._broadcast(topic, answer)
        self.answered.set()

    async def _run(self, worker_id: str, fields: dict) -> dict:
        connection = self.connections.get(fields.get("id", ""))
        if "id" in fields and connection is None:
            raise NotFoundError(f"no connection {fields['id']!r}")
        match fields["command"]:
            case "create":
                self.connections["c-1"] = {
                    "id": "c-1",
                    "url": fields["url"],
                    "status": "connected",
                    "owner": worker_id,
                    "tags": fields.get("tags", {}),
                    "frames": "0",
                    "held": [b'[{"T":"success","msg":"connected"}]'],
                }
                return {"id": "c-1", "message": "connected"}
            case "send_raw":
                if connection["status"] != "connected":
                    raise PreconditionError("connection is not connected")
                self._venue(connection, json.loads(self._resolved(fields)))
            case "publish":
                frames = connection.pop("held")
                connection.update(topic=fields["topic"], held=None)
                if connection["status"] == "connected" and frames[-1].startswith(b'[{"T":"subscription"'):
                    for index in range(self.data_frames):
                        frames.append(_book(index))
                task = asyncio.create_task(self._publish(fields["topic"], frames))
                self._feeders.add(task)
                connection["frames"] = str(len(frames))
            case "list":
                found = [item for item in self.connections.values() if item["owner"] == worker_id]
                return {"connections": [_shown(item) for item in found]}
            case "disconnect":
                del self.connections[fields["id"]]
            case "stop":
                ids = [key for key, item in self.connections.items() if item["owner"] == worker_id]
                for key in ids:
                    del self.connections[key]
                return {"ids": ids}
        return {}

    def _resolved(self, fields: dict) -> str:
        message = base64.b64decode(fields["message"]).decode()
        if fields.get("secrets"):
            for reference, value in self.secrets.items():
                message = message.replace(reference, value)
        return message

    def _venue(self, connection: dict, message: dict) -> None:
        if message["action"] == "auth":
            if (message["key"], message["secret"]) == self.keys:
                connection["held"].append(b'[{"T":"success","msg":"authenticated"}]')
            else:
                connection["held"].append(b'[{"T":"error","code":402,"msg":"auth failed"}]')
                connection.update(status="failed", reason="402 auth failed")
        elif self.venue_error is not None:
            code, text = self.venue_error
            connection["held"].append(json.dumps([{"T": "error", "code": code, "msg": text}]).encode())
        else:
            wanted = {name: symbols for name, symbols in message.items() if name != "action"}
            connection["held"].append(
                json.dumps([{"T": "subscription", **wanted}], separators=(",", ":")).encode()
            )

    async def _publish(self, topic: str, frames: list[bytes]) -> None:
        for sequence, data in enumerate(frames, 1):
            frame = Frame(
                topic=topic,
                connection_id="c-1",
                epoch=1,
                sequence=sequence,
                received_ns=time.time_ns(),
                data=data,
                flags=self.frame_flags,
            )
            if sequence not in self.lost:
                await self._bus.publish(topic, encode_frame_event(frame), content_type=CLOUDEVENT_JSON)


class _Config(config_pb2_grpc.ConfigServicer):
    def __init__(self, platform: FakePlatform) -> None:
        self._platform = platform

    async def GetService(self, request, context):
        endpoint = self._platform.runtime if self._platform.tell_dapr else ""
        service = config_pb2.ConfigService(
            name=request.name,
            dapr_app_id=request.name,
            grpc=config_pb2.GrpcConfig(host="127.0.0.1", port=1),
            pubsub=config_pb2.PubsubConfig(pubsub_name="pubsub"),
            dapr=config_pb2.DaprEndpoint(grpc_endpoint=endpoint),
        )
        return config_pb2.GetConfigServiceResponse(service=service)


def _matching(things: dict[str, dict], fields: dict) -> list[dict]:
    wanted = {item["key"]: item["value"] for item in fields.get("filters", ())}
    return [_shown(item) for item in things.values() if wanted.items() <= item["tags"].items()]


def _shown(item: dict) -> dict:
    return {name: value for name, value in item.items() if name != "held"}


def _book(index: int) -> bytes:
    level = {"p": 100 + index, "s": 1}
    message = {"T": "o", "S": "BTC/USD", "b": [level], "a": [{"p": 200 + index, "s": 1}], "r": index == 0}
    return json.dumps([message], separators=(",", ":")).encode()


async def serve_nothing() -> tuple[grpc.aio.Server, str]:
    """Start a gRPC server without any service."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"127.0.0.1:{port}"
