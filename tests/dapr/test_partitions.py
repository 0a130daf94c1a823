"""One topic over three partitions of Kafka, by connection: all are used, each connection's account closes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from deploy.processes import until
from tests.dapr.scene import CLI, Feed, Scene, running_scene
from tests.dapr.targets import Target
from tests.programs import clean_environment
from virtufin_examples.websocketmanager._partition import partition_of

PARTITIONS = 3
pytestmark = pytest.mark.timeout(60, func_only=True)  # the platform's start belongs to no test


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Iterator[Scene]:
    with running_scene(Target.KAFKA, tmp_path_factory.mktemp("partitions"), PARTITIONS) as running:
        yield running


def spread(scene: Scene, feeds: list[Feed]) -> list[Feed]:
    """Open connections until each feed's topic has one in each partition; return those, frames flowing."""
    scene.let_venue_send(sends=False)
    everything = list(feeds)
    for feed in feeds:
        partitions = {partition_of(feed.topic, feed.connection, PARTITIONS)}
        while len(partitions) < PARTITIONS:  # ids are random
            other = scene.join(feed)
            partition = partition_of(feed.topic, other.connection, PARTITIONS)
            if partition in partitions:
                scene.leave(other)
            else:
                everything.append(other)
            partitions.add(partition)
    scene.let_venue_send(sends=True)
    return everything


def read(feed: Feed, connection: str) -> int:
    """Return how many frames of a connection the subscriber wrote down."""
    return sum(each.kind == "frame" and each.connection == connection for each in feed.entries())


def await_more(everything: list[Feed], more: int) -> None:
    wanted = {each.connection: read(each, each.connection) + more for each in everything}
    until(
        lambda: all(read(each, each.connection) >= wanted[each.connection] for each in everything),
        f"{more} frames of each connection",
    )


def used(scene: Scene, topic: str) -> list[int]:
    """Return the partitions of a topic that hold something."""
    logs = scene.folder / "kafka-data"
    return [
        number
        for number in range(PARTITIONS)
        if any(each.stat().st_size for each in (logs / f"{topic}-{number}").glob("*.log"))
    ]


def test_all_partitions_are_used_and_each_connections_order_holds(scene):
    with scene.feeds() as feeds:
        everything = spread(scene, feeds)
        await_more(everything, 50)
        accounts = scene.close(everything)
        for feed in feeds:
            assert used(scene, feed.topic) == [0, 1, 2]
    assert [closed.faults for closed in accounts] == [()] * len(everything)
    assert [closed.named for closed in accounts] == [0] * len(everything)
    assert [closed.late for closed in accounts] == [0] * len(everything)


@pytest.mark.timeout(120, func_only=True)  # Kafka's start takes long on a busy machine
def test_the_accounts_close_over_a_restart_of_the_broker(scene):
    with scene.feeds() as feeds:
        everything = spread(scene, feeds)
        await_more(everything, 20)
        scene.broker.stop(signal.SIGKILL)
        until(
            lambda: all(scene.listed(each.connection).queued_bytes for each in everything),
            "frames to be kept",
        )
        scene.let_venue_send(sends=False)  # what gathers while Kafka starts would go one by one
        scene.broker.start()
        scene.let_venue_send(sends=True)
        await_more(everything, 20)
        accounts = scene.close(everything)
    assert [closed.faults for closed in accounts] == [()] * len(everything)
    assert [closed.named for closed in accounts] == [0] * len(everything)


def test_where_topics_have_no_partitions_the_setting_is_refused(tmp_path):
    with running_scene(Target.IN_MEMORY, tmp_path) as scene:
        done = subprocess.run(
            [sys.executable, *CLI, "websocketmanager", "--dapr", scene.manager_sidecar.grpc],
            env=clean_environment(VIRTUFIN_TOPIC_PARTITIONS="3"),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert done.returncode == 1
    assert "VIRTUFIN_TOPIC_PARTITIONS is 3, but component 'pubsub' is pubsub.in-memory" in done.stderr
