from __future__ import annotations

import asyncio
import json

import pytest

from tests.client.fakes import FakePlatform
from virtufin_examples.client import (
    RUN_TAG,
    ApiClient,
    Credentials,
    Engine,
    Feed,
    FeedSettings,
    Step,
    close_feed,
    open_feed,
)
from virtufin_examples.client import _close_feed as closing
from virtufin_examples.client import _handshake as handshake
from virtufin_examples.client import _keeper as keeping
from virtufin_examples.client import _open_feed as opening
from virtufin_examples.errors import (
    DeadlineError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
    VenueError,
    VirtufinError,
)
from virtufin_examples.frames import Frame, FrameFlag, Gap

SETTINGS = FeedSettings(
    url="wss://stream.data.alpaca.markets/v1beta3/crypto/us",
    channel="orderbooks",
    symbols=("BTC/USD",),
    topic="ticks",
    tags={"team": "a"},
)
OPENING = [
    "package worker",
    "create worker",
    "start worker",
    "subscribe",
    "create",
    "send_raw auth",
    "send_raw subscribe",
    "publish",
    "handshake",
    "list",
    "ListWorkers",
]
CLOSING = ["disconnect", "stop worker", "delete worker", "list", "ListWorkers"]


class Steps(list[Step]):
    def __call__(self, step: Step) -> None:
        self.append(step)

    def names(self) -> list[str]:
        return [step.name for step in self]

    def failed(self) -> list[str]:
        return [step.name for step in self if not step.ok]


async def take(feed: Feed, count: int) -> list[Frame]:
    frames = []
    async for item in feed:
        assert isinstance(item, Frame)
        frames.append(item)
        if len(frames) == count:
            break
    return frames


def nothing_left(platform: FakePlatform) -> bool:
    return not platform.workers and not platform.connections


async def test_feed_starts_with_sequence_one_and_leaves_nothing(
    api: ApiClient, platform: FakePlatform
) -> None:
    steps = Steps()
    async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON, run_id="r1", on_step=steps) as feed:
        assert steps.names() == OPENING
        frames = await take(feed, 10)
        assert [frame.sequence for frame in frames] == list(range(1, 11))
        (worker,) = platform.workers.values()
        assert worker["tags"] == {"team": "a", RUN_TAG: "r1"}
        assert worker["lease_seconds"] == 30
        assert feed.info.worker.runtime == "Fake 1.0"
        assert feed.info.connection_id == "c-1"
    assert steps.names() == OPENING + CLOSING
    assert steps.failed() == []
    assert nothing_left(platform)


async def test_a_first_frame_that_the_broker_keeps_back_is_named(
    api: ApiClient, platform: FakePlatform
) -> None:
    platform.lost = {1}
    async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON) as feed:
        first = await anext(feed)
        assert isinstance(first, Gap)
        assert (first.cause, first.first_sequence, first.last_sequence) == ("bus", 1, 1)
        assert [frame.sequence for frame in await take(feed, 3)] == [2, 3, 4]


@pytest.mark.parametrize("by_frames", [True, False])
async def test_feed_knows_that_its_data_are_simulated(
    by_frames: bool, api: ApiClient, platform: FakePlatform
) -> None:
    def mark(step: Step) -> None:
        if step.name == "create":
            platform.connections["c-1"]["simulated"] = not by_frames

    platform.frame_flags = FrameFlag.SIMULATED if by_frames else FrameFlag.NONE
    async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON, on_step=mark) as feed:
        assert feed.info.simulated


async def test_feed_of_a_venue_is_not_called_simulated(api: ApiClient, platform: FakePlatform) -> None:
    platform.frame_flags = FrameFlag.NONE
    async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON) as feed:
        assert not feed.info.simulated


async def test_scripts_send_references_and_no_keys(api: ApiClient, platform: FakePlatform) -> None:
    async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON):
        pass
    create, auth, subscribe, publish = platform.commands[:4]
    assert create["tags"] == {
        "team": "a",
        RUN_TAG: create["tags"][RUN_TAG],
        "virtufin.channel": "orderbooks",
    }
    assert create["lease_seconds"] == 30
    assert auth["secrets"] is True
    assert "${secret:alpaca/key}" in platform._resolved({**auth, "secrets": False})
    assert "secrets" not in subscribe or subscribe["secrets"] is False
    assert publish["encoding"] == "frame"


async def test_wrong_keys_are_the_venues_402_and_everything_ends(
    api: ApiClient, platform: FakePlatform
) -> None:
    steps = Steps()
    platform.secrets["${secret:alpaca/key}"] = "wrong"
    with pytest.raises(VenueError, match="402 auth failed"):
        async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON, on_step=steps):
            pass
    assert nothing_left(platform)
    assert steps.names()[-5:] == CLOSING
    assert len([fields for fields in platform.commands if fields["command"] == "create"]) == 1


@pytest.mark.parametrize("code", [405, 406, 409, 410])
async def test_refused_subscription_shows_the_venues_code(
    code: int, api: ApiClient, platform: FakePlatform
) -> None:
    platform.venue_error = (code, "no")
    with pytest.raises(VenueError, match=str(code)):
        async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON):
            pass
    assert nothing_left(platform)


async def test_venue_that_says_nothing_is_given_up_on(
    api: ApiClient, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshake.await_handshake, "__kwdefaults__", {"limit_seconds": 0.3})
    monkeypatch.setattr(platform, "_venue", lambda _connection, _message: None)
    with pytest.raises(DeadlineError, match="2 messages unanswered"):
        async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON):
            pass
    assert nothing_left(platform)


async def test_missing_secret_names_the_step(api: ApiClient, platform: FakePlatform) -> None:
    steps = Steps()
    platform.failures["send_raw"] = NotFoundError("no secret 'alpaca'")
    with pytest.raises(NotFoundError, match="send_raw: no secret 'alpaca'"):
        async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON, on_step=steps):
            pass
    assert steps.failed() == ["send_raw auth"]
    assert nothing_left(platform)


async def test_credentials_may_be_sent_as_they_are(api: ApiClient, platform: FakePlatform) -> None:
    platform.secrets.clear()
    keys = Credentials("K", "S", secrets=False)
    assert "K" not in repr(keys).replace("Credentials", "").replace("K=", "")
    async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON, credentials=keys) as feed:
        assert len(await take(feed, 5)) == 5


async def test_auto_falls_back_to_the_python_twin(api: ApiClient, platform: FakePlatform) -> None:
    steps = Steps()
    start = platform._invoke

    async def without_dotnet(method: str, fields: dict) -> dict:
        if method == "StartWorker" and "dotnet" in platform.workers[fields["id"]]["mime_type"]:
            raise PreconditionError("no .NET runtime on this machine")
        return await start(method, fields)

    platform._invoke = without_dotnet
    async with open_feed(SETTINGS, api=api, on_step=steps) as feed:
        assert feed.info.engine is Engine.PYTHON
        assert len(platform.workers) == 1
    assert steps.failed() == ["start worker"]
    assert nothing_left(platform)


async def test_kept_feed_has_no_lease_and_goes_on_until_closed(
    api: ApiClient, platform: FakePlatform
) -> None:
    steps = Steps()
    async with open_feed(
        SETTINGS, api=api, engine=Engine.PYTHON, run_id="r2", keep=True, on_step=steps
    ) as feed:
        assert feed.info.worker.lease_seconds == 0
    assert steps.names() == OPENING
    assert len(platform.workers) == len(platform.connections) == 1
    await close_feed(api, "r2")
    assert nothing_left(platform)
    await close_feed(api, "r2")


async def test_feed_that_failed_to_open_is_not_kept(api: ApiClient, platform: FakePlatform) -> None:
    platform.failures["publish"] = UnavailableError("no bus")
    with pytest.raises(UnavailableError):
        async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON, keep=True):
            pass
    assert nothing_left(platform)


def reached(platform: FakePlatform) -> list[str]:
    return [method for method, _ in platform.calls] + [fields["command"] for fields in platform.commands]


INTERRUPTIBLE = ["CreateWorker", "StartWorker", "create", "send_raw", "publish", "list", "ListWorkers"]


@pytest.mark.parametrize("where", INTERRUPTIBLE)
async def test_interrupt_at_any_step_leaves_nothing(
    where: str, api: ApiClient, platform: FakePlatform
) -> None:
    platform.silent.add(where)

    async def use() -> None:
        async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON):
            raise AssertionError("must not get here")

    task = asyncio.create_task(use())
    await platform.answered.wait()
    while where not in reached(platform):
        platform.answered.clear()
        await platform.answered.wait()
    platform.silent.clear()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nothing_left(platform)


async def test_interrupt_while_cleaning_up_does_not_stop_it(api: ApiClient, platform: FakePlatform) -> None:
    reached = asyncio.Event()
    go_on = asyncio.Event()
    delete = platform._invoke

    async def slow(method: str, fields: dict) -> dict:
        if method == "DeleteWorker":
            reached.set()
            await go_on.wait()
        return await delete(method, fields)

    platform._invoke = slow

    async def use() -> None:
        async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON):
            pass

    task = asyncio.create_task(use())
    await reached.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nothing_left(platform)


async def test_worker_that_does_not_answer_is_removed_all_the_same(
    api: ApiClient, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "STEP_SECONDS", 0.3)
    steps = Steps()
    with pytest.raises(DeadlineError, match="disconnect"):
        async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON, on_step=steps):
            platform.silent.add("disconnect")
    assert steps.failed() == ["disconnect"]
    assert nothing_left(platform)


async def test_failure_inside_the_block_is_not_hidden_by_one_of_cleaning_up(
    api: ApiClient, platform: FakePlatform
) -> None:
    async def use() -> None:
        async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON):
            platform.failures["disconnect"] = UnavailableError("down")
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await use()
    assert nothing_left(platform)


async def drain(feed: Feed) -> None:
    async for _ in feed:
        pass


async def test_lease_is_renewed_while_the_feed_is_open(
    api: ApiClient, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LEASE_SECONDS", 1)
    renewed = asyncio.Event()
    invoke = platform._invoke

    async def watched(method: str, fields: dict) -> dict:
        if method == "RenewLease":
            renewed.set()
        return await invoke(method, fields)

    platform._invoke = watched
    async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON):
        await renewed.wait()


async def test_feed_ends_with_an_error_when_its_worker_is_gone(
    api: ApiClient, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LEASE_SECONDS", 1)
    monkeypatch.setattr(keeping, "_LOOK_SECONDS", 0.05)

    async def use() -> None:
        async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON) as feed:
            platform.workers.clear()
            await drain(feed)

    with pytest.raises(UnavailableError, match="worker is gone"):
        await use()
    assert nothing_left(platform)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"status": "failed", "reason": "409 insufficient subscription"}, VenueError, "409 insufficient"),
        ({"status": "disconnected", "reason": "closed 1001"}, UnavailableError, "closed 1001"),
        (None, UnavailableError, "connection c-1 is gone"),
    ],
)
async def test_quiet_feed_whose_connection_has_ended_says_why(
    change: dict[str, str] | None,
    kind: type[VirtufinError],
    words: str,
    api: ApiClient,
    platform: FakePlatform,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "_LOOK_SECONDS", 0.05)

    async def use() -> None:
        async with open_feed(SETTINGS, api=api, engine=Engine.PYTHON) as feed:
            if change is None:
                platform.connections.clear()
            else:
                platform.connections["c-1"].update(change)
            await drain(feed)

    with pytest.raises(kind, match=words):
        await use()
    assert nothing_left(platform)


async def test_gateway_comes_from_the_environment(
    platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUFIN_API_URL", f"http://{platform.endpoint}")
    async with open_feed(SETTINGS, engine=Engine.PYTHON) as feed:
        (first,) = await take(feed, 1)
    assert json.loads(first.data) == [{"T": "success", "msg": "connected"}]
