""".NET workers in real hosts, on the runtime wheel and on Mono."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import grpc
import pytest
import structlog

from tests.workmanager.assemblies import build
from tests.workmanager.conftest import TOPIC, Platform, Platforms
from virtufin_examples._generated.virtufin.v1 import gateway_pb2
from virtufin_examples._generated.virtufin.v1 import workmanager_pb2 as pb
from virtufin_examples.bus import Ack
from virtufin_examples.workmanager.engines._runtimes import FACADES

REPOSITORY = Path(__file__).parents[2]
INVARIANT = {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
DLL = "application/x-dotnet-dll"
LABELS = {"wheel": ".NET Core 3.1.23 (runtime wheel)", "mono": "Mono "}


def assembly(name: str) -> bytes:
    return (build.FOLDER / f"{name}.dll").read_bytes()


def package(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
async def dotnet(platforms: Platforms, dotnet_runtime: str) -> Platform:
    return await platforms.start(dotnet_runtime=dotnet_runtime)


async def ask(platform: Platform, data: str) -> object:
    delivery = platform.bus.deliver(TOPIC, data)
    assert await delivery.answered is Ack.SUCCESS
    return (await platform.bus.next_published("replies"))["data"]


async def test_a_dll_answers_calls_the_gateway_and_names_its_runtime(
    dotnet: Platform, dotnet_runtime: str
) -> None:
    worker_id = await dotnet.run(assembly("Behaviour"), mime_type=DLL)

    assert await ask(dotnet, "anything") == "ok"

    dotnet.gateway.answers["List"] = gateway_pb2.InvokeJsonResponse(
        success=True, status="OK", response_data='{"connections": [1]}'
    )
    assert await ask(dotnet, "call") == {"connections": [1]}
    dotnet.gateway.answers["List"] = gateway_pb2.InvokeJsonResponse(
        success=False, status="NOT_FOUND", message="no connection x"
    )
    assert await ask(dotnet, "call") == "NOT_FOUND: no connection x"
    info = await dotnet.info(worker_id)
    assert info.runtime.startswith(LABELS[dotnet_runtime])
    assert info.language == "dotnet"


async def test_what_a_dll_prints_goes_to_the_log_and_harms_nothing(dotnet: Platform) -> None:
    worker_id = await dotnet.run(assembly("Behaviour"), mime_type=DLL)

    with structlog.testing.capture_logs() as logs:
        assert await ask(dotnet, "print") == "stdin is empty"
        await dotnet.stub.StopWorker(pb.StopWorkerRequest(id=worker_id))

    lines = [entry["line"] for entry in logs if entry.get("worker_id") == worker_id and "line" in entry]
    assert {"printed to stdout", "printed to stderr"} <= set(lines)


async def test_no_answer_publishes_nothing_and_an_exception_dead_letters_the_event(dotnet: Platform) -> None:
    worker_id = await dotnet.run(assembly("Behaviour"), mime_type=DLL)

    assert await dotnet.bus.deliver(TOPIC, "nothing").answered is Ack.SUCCESS
    for data in ("throw", "garbage"):
        assert await dotnet.bus.deliver(TOPIC, data, event_id=data).answered is Ack.SUCCESS
        letter = await dotnet.bus.next_published(f"{TOPIC}-dead")
        assert (letter["id"], letter["data"]) == (data, data)

    assert await ask(dotnet, "still there?") == "ok"
    info = await dotnet.info(worker_id)
    assert info.status == pb.WORKER_STATUS_RUNNING
    assert info.restarts == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("exit", "ended with status 3"),
        ("abort", "the worker gave up"),
        ("thread", "on a thread of its own"),
    ],
)
async def test_a_dll_that_ends_its_host_is_restarted_and_the_event_dead_lettered(
    dotnet: Platform, data: str, reason: str
) -> None:
    bystander = await dotnet.run(topic="others")
    worker_id = await dotnet.run(assembly("Behaviour"), mime_type=DLL)
    dotnet.without_delays()
    bystander_pid = dotnet.worker(bystander).pid

    assert await dotnet.bus.deliver(TOPIC, data).answered is Ack.SUCCESS

    starting = [
        event["data"]
        for event in dotnet.bus.drain("workmanager.lifecycle")
        if event["data"].get("attempt") and "reason" in event["data"]
    ]
    assert reason in starting[0]["reason"]
    assert await ask(dotnet, "back?") == "ok"
    assert (await dotnet.info(worker_id)).restarts == 4
    assert dotnet.worker(bystander).pid == bystander_pid


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (b"#!/bin/sh", "is no .NET assembly"),
        (b"MZ and then nothing", "is no .NET assembly"),
        (b"PK\x03\x04 broken", "is no nupkg"),
        (package({"lib/a/a.dll": b"MZ", "lib/b/b.dll": b"MZ"}), "must hold one DLL"),
        (assembly("NoWorker"), "has no class that implements Virtufin.DevKit.IWorker"),
        (
            assembly("TwoWorkers"),
            "has 2 classes that implement Virtufin.DevKit.IWorker: Tests.First, Tests.Second",
        ),
        (assembly("HiddenWorker"), "is not public"),
        (assembly("NeedsArguments"), "no public constructor without parameters"),
        (assembly("ThrowingConstructor"), "threw InvalidOperationException: no licence found"),
        (assembly("ThrowingStart"), "topic commands is not mine"),
        (assembly("AbortingStart"), "a library is missing"),
    ],
)
async def test_code_that_cannot_be_run_fails_the_worker_with_the_reason(
    dotnet: Platform, code: bytes, reason: str
) -> None:
    worker_id = await dotnet.create(code, mime_type=DLL)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await dotnet.stub.StartWorker(pb.StartWorkerRequest(id=worker_id))

    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason in caught.value.details()
    info = await dotnet.info(worker_id)
    assert info.status == pb.WORKER_STATUS_FAILED
    assert reason in info.failure


async def test_a_nupkg_is_unpacked(dotnet: Platform) -> None:
    code = package({"x.nuspec": b"<package/>", "lib/netstandard2.0/x.dll": assembly("Behaviour")})

    await dotnet.run(code, mime_type=DLL)

    assert await ask(dotnet, "anything") == "ok"


def test_ci_builds_the_test_assemblies_from_their_sources(tmp_path: Path) -> None:
    for name in build.NAMES:
        build.build(name, tmp_path / f"{name}.dll")
        fresh = (tmp_path / f"{name}.dll").read_bytes()
        kept = assembly(name)
        assert len(fresh) == len(kept), name
        differing = sum(one != other for one, other in zip(fresh, kept, strict=True))
        assert differing <= 20, name  # time stamp (4) and module id (16)


def test_ci_builds_the_facades_for_mono_anew(tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "tools" / "mono_facade.py"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **INVARIANT})

    kept = {path.name: path.read_bytes() for path in FACADES.glob("*.dll")}
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.dll")} == kept
