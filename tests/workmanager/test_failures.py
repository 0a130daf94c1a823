"""Workers that fail: that worker only, with a reason."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import grpc
import pytest
import structlog

from tests.workmanager.conftest import TOPIC, Platform, Platforms
from tests.workmanager.fakes import ECHO
from virtufin_examples._generated.virtufin.v1 import workmanager_pb2 as pb
from virtufin_examples.bus import Ack
from virtufin_examples.workmanager._restart import MAX_RESTARTS
from virtufin_examples.workmanager._worker import Status

OBEDIENT = b"""
import os, sys, threading, time
def Process(event):
    what = event["data"]
    if isinstance(what, dict):
        what = what["do"]
    if what == "throw":
        raise ValueError("cannot do that")
    if what == "exit":
        sys.stderr.write("giving up\\n")
        os._exit(4)
    if what == "sys.exit":
        sys.exit("no more")
    if what == "hang":
        time.sleep(3600)
    if what == "close":
        os.close(0); os.close(1)
    if what == "chatter":
        print("x" * 5000)
    if what == "list":
        return [1]
    if what == "huge":
        return {"type": "replies", "data": "x" * (17 * 1024 * 1024)}
    if what == "no type":
        return {"data": 1}
    if what == "bad name":
        return {"type": "replies", "Bad-Name": "1"}
    return {"type": "replies", "data": "ok"}
"""


async def ask(platform: Platform, data: object = "anything") -> object:
    platform.bus.deliver(TOPIC, data)
    return (await platform.bus.next_published("replies"))["data"]


async def online_again(platform: Platform) -> None:
    while True:
        event = await platform.bus.next_published("workmanager.lifecycle")
        if event["type"].endswith(".online") and event["data"].get("attempt"):
            return


async def test_a_killed_host_comes_back_and_no_other_notices(platform: Platform) -> None:
    other = await platform.run(topic="others")
    worker_id = await platform.run(OBEDIENT)
    other_pid = platform.worker(other).pid

    os.kill(platform.worker(worker_id).pid, signal.SIGKILL)
    await online_again(platform)

    assert await ask(platform) == "ok"
    info = await platform.info(worker_id)
    assert (info.status, info.restarts) == (pb.WORKER_STATUS_RUNNING, 1)
    assert platform.worker(other).pid == other_pid
    assert not any(method == "DisconnectOwned" for _, method, _ in platform.gateway.calls)


async def test_a_host_that_keeps_dying_fails_the_worker_with_the_last_words(platform: Platform) -> None:
    worker_id = await platform.run(OBEDIENT)
    platform.without_delays()

    for number in range(2):  # four deaths each: the event and its three retries
        await platform.bus.deliver(TOPIC, "exit", event_id=str(number)).answered

    info = await platform.info(worker_id)
    assert info.status == pb.WORKER_STATUS_FAILED
    assert info.failure == "the worker's host ended with status 4: giving up"
    assert info.restarts == MAX_RESTARTS
    letters = [event["id"] for event in platform.bus.drain(f"{TOPIC}-dead")]
    assert letters == ["0", "1"]

    dropped = platform.bus.deliver(TOPIC, "anything")
    assert await dropped.answered is Ack.SUCCESS

    await platform.stub.StartWorker(pb.StartWorkerRequest(id=worker_id))
    assert await ask(platform) == "ok"


async def test_a_hanging_worker_is_killed_and_the_event_dead_lettered(platforms: Platforms) -> None:
    platform = await platforms.start(message_timeout_seconds=0.3)
    worker_id = await platform.run(OBEDIENT)
    platform.without_delays()

    delivery = platform.bus.deliver(TOPIC, "hang")

    assert await delivery.answered is Ack.SUCCESS
    assert (await platform.bus.next_published(f"{TOPIC}-dead"))["data"] == "hang"
    assert await ask(platform) == "ok"
    assert (await platform.info(worker_id)).restarts == 4


@pytest.mark.parametrize("what", ["throw", "list", "huge", "no type", "bad name"])
async def test_an_answered_failure_is_dead_lettered_without_a_retry(platform: Platform, what: str) -> None:
    worker_id = await platform.run(OBEDIENT)

    delivery = platform.bus.deliver(TOPIC, what, correlationid="c", subject="s")

    assert await delivery.answered is Ack.SUCCESS
    letter = await platform.bus.next_published(f"{TOPIC}-dead")
    assert (letter["data"], letter["type"], letter["correlationid"]) == (what, "t", "c")
    assert await ask(platform) == "ok"
    assert (await platform.info(worker_id)).restarts == 0


async def test_sys_exit_ends_the_host_with_its_reason(platform: Platform) -> None:
    worker_id = await platform.run(OBEDIENT)
    platform.without_delays()
    host = platform.worker(worker_id)._host

    await platform.bus.deliver(TOPIC, "sys.exit").answered

    assert host.exit_reason == "the worker's host ended with status 1: the worker called sys.exit('no more')"


async def test_closing_and_printing_to_the_standard_streams_disturbs_nothing(platform: Platform) -> None:
    worker_id = await platform.run(OBEDIENT)

    with structlog.testing.capture_logs() as logs:
        assert await ask(platform, "chatter") == "ok"
        assert await ask(platform, "close") == "ok"
        assert await ask(platform) == "ok"
        await platform.stub.StopWorker(pb.StopWorkerRequest(id=worker_id))

    lines = [entry["line"] for entry in logs if "line" in entry and entry["worker_id"] == worker_id]
    assert lines[0] == "x" * 2000  # bounded


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (b"def Process(event:\n", "the code is no Python"),
        (b"\xff\xfe\x00", "the code is no UTF-8 text"),
        (b"import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        (b"x = 1", "no function Process"),
        (b"def Process(e): pass\ndef Start(w, t, g): raise OSError('no disk')", "OSError: no disk"),
        (b"import os\nos.write(2, b'told you so\\n')\nos._exit(9)", "ended with status 9: told you so"),
        (b"import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
    ],
)
async def test_code_that_cannot_be_run_fails_the_worker_with_the_reason(
    platform: Platform, code: bytes, reason: str
) -> None:
    worker_id = await platform.create(code)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await platform.stub.StartWorker(pb.StartWorkerRequest(id=worker_id))

    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason in caught.value.details()
    info = await platform.info(worker_id)
    assert info.status == pb.WORKER_STATUS_FAILED
    assert reason in info.failure
    states = [event["type"].rpartition(".")[2] for event in platform.bus.drain("workmanager.lifecycle")]
    assert states == ["created", "starting", "failed"]


async def test_code_that_hangs_while_it_loads_is_given_up(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("virtufin_examples.workmanager._host_process.LOAD_TIMEOUT_SECONDS", 0.5)
    worker_id = await platform.create(b"import time\ntime.sleep(3600)")

    with pytest.raises(grpc.aio.AioRpcError, match=r"not loaded and started within 0.5 s"):
        await platform.stub.StartWorker(pb.StartWorkerRequest(id=worker_id))

    assert (await platform.info(worker_id)).status == pb.WORKER_STATUS_FAILED


async def test_a_verbatim_send_is_never_dead_lettered_nor_logged(platform: Platform) -> None:
    await platform.run(OBEDIENT)
    canary = "c2VjcmV0LWtleQ"

    with structlog.testing.capture_logs() as logs:
        for secrets in (None, True):
            command = {"do": "throw", "command": "send_raw", "message": canary}
            delivery = platform.bus.deliver(
                TOPIC, command if secrets is None else {**command, "secrets": True}
            )
            assert await delivery.answered is Ack.SUCCESS

    assert len(platform.bus.drain(f"{TOPIC}-dead")) == 1  # the one with references only
    assert canary not in repr(logs)


async def test_a_bus_that_does_not_take_the_answer_gets_the_event_back(platform: Platform) -> None:
    await platform.run(OBEDIENT)
    platform.bus.down = True

    assert await platform.bus.deliver(TOPIC, "anything").answered is Ack.RETRY


async def test_an_expired_event_is_not_run(platform: Platform) -> None:
    await platform.run(OBEDIENT)

    old = platform.bus.deliver(TOPIC, "anything", expiration="2020-01-01T00:00:00Z")
    assert await old.answered is Ack.SUCCESS
    assert not platform.bus.drain("replies")

    platform.bus.deliver(TOPIC, "anything", expiration="2999-01-01T00:00:00Z")
    assert (await platform.bus.next_published("replies"))["data"] == "ok"


async def test_a_stop_does_not_wait_for_ever_for_the_event_in_hand(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("virtufin_examples.workmanager._worker.STOP_GRACE_SECONDS", 0.1)
    monkeypatch.setattr("virtufin_examples.workmanager._host_process.SHUTDOWN_GRACE_SECONDS", 0.1)
    worker_id = await platform.run(OBEDIENT)
    worker = platform.worker(worker_id)
    delivery = platform.bus.deliver(TOPIC, "hang")
    while not worker.turn.locked():  # noqa: ASYNC110 - no event for it
        await asyncio.sleep(0)

    await platform.stub.StopWorker(pb.StopWorkerRequest(id=worker_id))

    assert await delivery.answered is Ack.SUCCESS
    assert worker.pid is None


async def test_hosts_hold_nothing_of_the_worker_or_the_platform_in_arguments_or_environment(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPACA_API_SECRET", "canary-secret")
    monkeypatch.setenv("VIRTUFIN_SECRET_ALPACA_KEY", "canary-secret")
    worker_id = await platform.run(ECHO + b"# canary-code", config={"account": "canary-config"})
    pid = platform.worker(worker_id).pid

    for name in ("cmdline", "environ"):
        assert b"canary" not in Path(f"/proc/{pid}/{name}").read_bytes()  # noqa: ASYNC240 - no disk


async def test_what_a_worker_started_ends_with_its_host(platform: Platform) -> None:
    code = b"""
import os, signal, subprocess, sys
def Process(event):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    forked = os.fork()
    if forked == 0:
        signal.pause()
    if event["data"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"type": "replies", "data": [child.pid, forked]}
"""
    worker_id = await platform.run(code)
    pids = await ask(platform)

    await platform.stub.StopWorker(pb.StopWorkerRequest(id=worker_id))

    while any(is_alive(pid) for pid in pids):  # noqa: ASYNC110 - no event for it
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_stop_lets_the_event_in_hand_be_answered(platform: Platform) -> None:
    code = b"""
def Start(worker_id, topic, gateway):
    global call
    call = gateway.invoke
def Process(event):
    call("slow", "Wait", "{}")
    return {"type": "replies", "data": "done"}
"""
    worker_id = await platform.run(code)
    called, release = asyncio.Event(), asyncio.Event()
    platform.gateway.hold["Wait"] = (called, release)
    delivery = platform.bus.deliver(TOPIC, 1)
    await called.wait()

    stop = asyncio.ensure_future(platform.stub.StopWorker(pb.StopWorkerRequest(id=worker_id)))
    while platform.worker(worker_id).status is not Status.STOPPED:  # noqa: ASYNC110 - no event for it
        await asyncio.sleep(0)
    assert not platform.bus.subscriptions[TOPIC][0].closed
    release.set()

    assert await delivery.answered is Ack.SUCCESS
    assert (await platform.bus.next_published("replies"))["data"] == "done"
    await stop
    assert platform.bus.subscriptions[TOPIC][0].closed


async def test_new_code_that_cannot_be_stored_changes_nothing(platform: Platform) -> None:
    worker_id = await platform.run(OBEDIENT)
    pid = platform.worker(worker_id).pid
    platform.bus.down = True

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await platform.stub.LoadCode(
            pb.LoadCodeRequest(id=worker_id, code_source=pb.CodeSource(content=ECHO))
        )

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    platform.bus.down = False
    assert platform.worker(worker_id).pid == pid
    assert await ask(platform) == "ok"
