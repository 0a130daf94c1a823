"""What breaks on Dapr: each time every number is seen once by the subscriber, or named in a gap.

Each test runs a feed of encoding `frame` and one of `batch`, each with a subscriber behind its own sidecar.
"""

from __future__ import annotations

import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from deploy.processes import until
from tests.dapr.account import Account
from tests.dapr.counting import MISHAP_AT
from tests.dapr.scene import Feed, Scene, running_scene
from tests.dapr.targets import Target

OUTAGE_SECONDS = 8.0
PAUSE_SECONDS = 4.0
RESTART_SECONDS = 1.0
"""How long a supervisor takes."""
pytestmark = pytest.mark.timeout(60, func_only=True)  # the platform's start belongs to no test
_log = logging.getLogger(__name__)

BROKERS = (Target.REDIS, Target.JETSTREAM, Target.KAFKA)


def on(*targets: Target) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scene", targets, indirect=True, scope="module", ids=str)


@pytest.fixture(scope="module")
def scene(request, tmp_path_factory) -> Iterator[Scene]:
    with running_scene(request.param, tmp_path_factory.mktemp(f"faults-{request.param}")) as running:
        yield running


@pytest.fixture
def outcome(scene) -> Callable[..., list[Account]]:
    """Closes the accounts once frames flow again, and logs the figures of docs/dapr.md."""

    def close(feeds: list[Feed], healed_ns: int, frames: int = 100) -> list[Account]:
        for feed in feeds:
            feed.await_frames(frames)
        accounts = scene.close(feeds)
        for feed, closed in zip(feeds, accounts, strict=True):
            seconds = feed.first_frame_after(healed_ns)
            gaps = [f"{gap.cause} {gap.first}-{gap.last}" for gap in closed.gaps]
            figures = f"flows after {seconds:.2f} s, {closed.frames} frames, {closed.late} late, gaps {gaps}"
            _log.info("%s %s: %s", scene.target, feed.encoding, figures)
        assert [closed.faults for closed in accounts] == [(), ()]
        return accounts

    return close


def elapse(seconds: float) -> None:
    """Let a fault last for so long."""
    threading.Event().wait(seconds)


def await_the_late(scene: Scene, feeds: list[Feed]) -> None:
    """Return when what a subscriber had left unanswered has come again, behind newer frames."""
    until(lambda: all(each.late == each.named for each in scene.close(feeds)), "what was left unanswered")


def lost(accounts: list[Account]) -> list[int]:
    """Return how many numbers the subscribers found missing."""
    return [closed.named for closed in accounts]


@on(Target.REDIS)
def test_the_managers_sidecar_is_killed_and_restarted(scene, outcome):
    with scene.feeds() as feeds:
        scene.manager_sidecar.end(signal.SIGKILL)
        elapse(RESTART_SECONDS)
        scene.manager_sidecar.start()
        accounts = outcome(feeds, time.time_ns())
    assert lost(accounts) == [0, 0]


@on(*BROKERS)
def test_the_subscribers_sidecar_is_killed_and_restarted(scene, outcome):
    with scene.feeds() as feeds:
        for feed in feeds:
            feed.sidecar.end(signal.SIGKILL)
        elapse(RESTART_SECONDS)
        for feed in feeds:
            feed.sidecar.start()
        accounts = outcome(feeds, time.time_ns())
        if scene.target is Target.REDIS:
            await_the_late(scene, feeds)
    if scene.target is Target.KAFKA:
        assert lost(accounts) == [0, 0]


@on(Target.IN_MEMORY)
def test_the_only_sidecar_is_killed_and_restarted(scene, outcome):
    with scene.feeds() as feeds:
        scene.manager_sidecar.end(signal.SIGKILL)
        elapse(RESTART_SECONDS)
        scene.manager_sidecar.start()
        outcome(feeds, time.time_ns())


@pytest.mark.timeout(120, func_only=True)  # about 35 s; Kafka's start takes long on a busy machine
@on(*BROKERS)
def test_the_broker_is_stopped_and_restarted(scene, outcome):
    with scene.feeds() as feeds:
        scene.broker.stop(signal.SIGKILL)
        elapse(OUTAGE_SECONDS)
        scene.broker.start()
        accounts = outcome(feeds, time.time_ns(), 450)
    assert lost(accounts) == [0, 0]


@on(Target.REDIS, Target.JETSTREAM)
def test_the_broker_stands_still(scene, outcome):
    with scene.feeds() as feeds:
        with scene.broker.paused():
            elapse(PAUSE_SECONDS)
        accounts = outcome(feeds, time.time_ns(), 250)
    assert lost(accounts) == [0, 0]


@on(Target.REDIS)
def test_the_manager_is_killed_and_restarted(scene, outcome):
    with scene.feeds() as feeds:
        scene.kill_manager()
        elapse(RESTART_SECONDS)
        scene.start_manager()
        accounts = outcome(feeds, time.time_ns())
    for closed in accounts:
        assert closed.causes[0] == "restart"
    assert lost(accounts) == [0, 0]


@on(Target.REDIS, Target.KAFKA)
def test_a_subscriber_is_killed_between_receipt_and_answer(scene, outcome):
    with scene.feeds("hang") as feeds:
        for feed in feeds:
            more = feed.listed().last_sequence + MISHAP_AT
            until(lambda feed=feed, more=more: feed.listed().last_sequence > more, "more to be published")
            feed.kill_subscriber()
        for feed in feeds:
            feed.start_subscriber()
            feed.await_subscriber()
        accounts = outcome(feeds, time.time_ns())
        if scene.target is Target.REDIS:
            assert 0 not in lost(accounts)
            await_the_late(scene, feeds)
    if scene.target is Target.KAFKA:
        assert lost(accounts) == [0, 0]


@on(Target.REDIS)
@pytest.mark.parametrize("mishap", ["raise", "slow"])
def test_a_subscriber_that_raises_or_answers_late_keeps_its_place(scene, outcome, mishap):
    with scene.feeds(mishap) as feeds:
        accounts = outcome(feeds, time.time_ns(), 200)
        if mishap == "raise":
            assert "cannot make anything of frame" in feeds[0].said
    assert lost(accounts) == [0, 0]


@on(Target.REDIS)
def test_a_subscriber_that_hangs_stops_no_other_and_keeps_its_place(scene, outcome):
    with scene.feeds() as feeds:
        hanging, other = feeds
        with hanging.subscriber_paused():
            other.await_frames(200)
        accounts = outcome(feeds, time.time_ns())
    assert lost(accounts) == [0, 0]


@on(Target.REDIS)
def test_a_broker_that_forgot_everything_serves_until_a_socket_has_to_be_opened_again(scene, outcome):
    with scene.feeds() as feeds:
        scene.broker.stop(signal.SIGKILL)
        shutil.rmtree(scene.folder / "appendonlydir")
        scene.broker.start()
        outcome(feeds, time.time_ns())
        scene.cut_sockets()
        for feed in feeds:
            until(lambda feed=feed: feed.listed().status == "failed", "the record to be missed")
            assert "was changed by somebody else" in feed.listed().reason
