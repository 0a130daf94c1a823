from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest

from tests.client.fakes import FakePlatform
from virtufin_examples.client import COMMAND_TOPIC, ApiClient, Requests, WorkerCommands
from virtufin_examples.errors import DeadlineError, NotFoundError, ResourceLimitError, VirtufinError

WORKER = "w-1"
REPLIES = "response.websocketmanagercontroller.run"


@pytest.fixture
async def requests(api: ApiClient) -> AsyncIterator[Requests]:
    async with Requests(api, REPLIES) as found:
        yield found


@pytest.fixture
def commands(requests: Requests) -> WorkerCommands:
    return WorkerCommands(requests, f"{COMMAND_TOPIC}.{WORKER}")


async def test_every_command_gets_its_own_reply(commands: WorkerCommands, platform: FakePlatform) -> None:
    created = await commands.create("ws://x", tags={"a": "b"})
    assert (created.command, created.id, created.worker) == ("create", "c-1", WORKER)
    assert (await commands.subscribe("c-1", ["a@trade"])).command == "subscribe"
    assert (await commands.unsubscribe("c-1", ["a@trade"])).command == "unsubscribe"
    auth = json.dumps({"action": "auth", "key": "K", "secret": "S"}).encode()
    assert (await commands.send_raw("c-1", auth)).command == "send_raw"
    assert (await commands.publish("c-1", "t")).command == "publish"
    assert (await commands.stop_publish("c-1")).command == "stop_publish"
    listed = await commands.list()
    assert [item.id for item in listed.connections] == ["c-1"]
    assert listed.connections[0].frames == 2  # a string in proto3 JSON
    assert (await commands.disconnect("c-1")).command == "disconnect"
    assert (await commands.stop()).ids == ()
    assert base64.b64decode(platform.commands[3]["message"]) == auth


async def test_concurrent_commands_are_matched_by_correlationid(commands: WorkerCommands) -> None:
    await commands.create("ws://x")
    replies = await asyncio.gather(*(commands.subscribe("c-1", [str(n)]) for n in range(10)), commands.list())
    assert [reply.command for reply in replies] == ["subscribe"] * 10 + ["list"]


async def test_failure_keeps_the_command_name_and_the_code(
    commands: WorkerCommands, platform: FakePlatform
) -> None:
    with pytest.raises(NotFoundError, match="disconnect: no connection 'nope'"):
        await commands.disconnect("nope")
    platform.failures["create"] = ResourceLimitError("too many")
    with pytest.raises(ResourceLimitError, match="create: too many"):
        await commands.create("ws://x")


async def test_command_expires_with_its_time_limit(requests: Requests, platform: FakePlatform) -> None:
    platform.silent.add("list")
    commands = WorkerCommands(requests, f"{COMMAND_TOPIC}.{WORKER}", timeout_seconds=0.2)
    with pytest.raises(DeadlineError, match=r"list: no reply .* within 0.2 s"):
        await commands.list()
    _topic, event, ttl_seconds = platform.events[-1]
    assert ttl_seconds == 1
    assert event.extensions["replytopic"] == REPLIES


async def test_reply_topic_is_read_only_once_something_was_asked(
    api: ApiClient, platform: FakePlatform
) -> None:
    async with Requests(api, REPLIES) as requests:
        assert REPLIES not in platform._taps
        await WorkerCommands(requests, f"{COMMAND_TOPIC}.{WORKER}").list()
        assert len(platform._taps[REPLIES]) == 1


async def test_lost_reply_is_asked_for_again_and_the_command_is_not_run_twice(
    commands: WorkerCommands, platform: FakePlatform
) -> None:
    await commands.list()
    port = int(platform.endpoint.rpartition(":")[2])
    release = asyncio.Event()
    run = platform._run

    async def held(worker_id: str, fields: dict) -> dict:
        answer = await run(worker_id, fields)
        if fields["command"] == "create":
            platform.answered.set()
            await release.wait()
        return answer

    platform._run = held
    platform.answered.clear()
    creating = asyncio.create_task(commands.create("ws://x"))
    await platform.answered.wait()
    await platform.hang_up()
    release.set()
    await platform.listen(port)
    assert (await creating).id == "c-1"
    assert [fields["command"] for fields in platform.commands] == ["list", "create"]


async def test_garbage_as_a_reply_is_told(commands: WorkerCommands, platform: FakePlatform) -> None:
    await commands.create("ws://x")
    platform.connections["c-1"]["epoch"] = "many"
    with pytest.raises(VirtufinError, match="list: the worker's reply is not understood"):
        await commands.list()
