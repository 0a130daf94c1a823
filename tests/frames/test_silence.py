"""Who has fallen silent, by a clock that is handed in."""

from __future__ import annotations

from virtufin_examples.frames import ConnectionBeat, Frame, Heartbeat, Merger, Silent

TOPIC = "t"
S = 1_000_000_000


class World:
    """Publishers of a topic, heard in seconds."""

    def __init__(self) -> None:
        self.merger = Merger(TOPIC, now_ns=0)

    def beat(self, at: float, publisher: str, *connections: str, kind: str = "beat", sent: float = 0) -> None:
        beats = tuple(
            ConnectionBeat(connection_id=each, state="connected", epoch=1, last_received_ns=1)
            for each in connections
        )
        sent_ns = int((sent or 1000 + at) * S)
        note = Heartbeat(topic=TOPIC, kind=kind, sent_ns=sent_ns, connections=beats, publisher=publisher)
        assert self.merger.add((note,), now_ns=int(at * S)) == []

    def frame(self, at: float, connection: str, sequence: int) -> None:
        frame = Frame(TOPIC, connection, 1, sequence, 1, b"")
        self.merger.add((frame,), now_ns=int(at * S))

    def silent(self, at: float) -> list[tuple[float, tuple[str, ...]]]:
        """Return what is told: since when, and of which connections; none for the topic."""
        told = self.merger.advance(int(at * S))
        assert all(isinstance(each, Silent) for each in told)
        return [(each.since_ns / S, each.connections) for each in told if isinstance(each, Silent)]

    def due(self) -> float | None:
        due = self.merger.deadline_ns()
        return None if due is None else due / S


def test_connections_of_a_publisher_that_is_not_heard_any_more_are_told_once_while_another_goes_on() -> None:
    world = World()
    world.beat(0, "one", "a")
    world.beat(0, "two", "b", "c")
    for at in (2, 4):
        world.beat(at, "one", "a")
        assert world.silent(at) == []
    world.beat(5.9, "one", "a")
    assert world.due() == 6
    assert world.silent(6) == [(0, ("b", "c"))]
    for at in (7, 9, 11, 13, 20):
        world.beat(at, "one", "a")
        assert world.silent(at) == []


def test_a_connection_that_is_back_is_watched_again_also_under_another_process() -> None:
    world = World()
    world.beat(0, "one", "a")
    world.beat(0, "two", "b")
    for at in (2, 4, 6):
        world.beat(at, "one", "a")
    assert world.silent(6) == [(0, ("b",))]
    world.frame(7, "b", 1)
    world.beat(8, "successor", "b")
    for at in (8, 10, 12, 14):
        world.beat(at, "one", "a")
    assert world.silent(14) == [(8, ("b",))]


def test_a_connection_without_frames_lives_by_its_heartbeats_and_one_without_heartbeats_by_its_frames() -> (
    None
):
    world = World()
    world.beat(0, "one", "a", "b")
    for at in range(1, 30):
        if at % 2:
            world.beat(at, "one", "a", "b")
        assert world.silent(at) == []
    for at in range(30, 60):
        world.frame(at, "a", at - 29)
        world.frame(at, "b", at - 29)
        world.merger.advance(at * S)
        assert world.due() == at + 6


def test_a_connection_that_ended_or_a_publisher_that_stopped_is_not_missed() -> None:
    world = World()
    world.beat(0, "one", "a")
    world.beat(0, "two", "b", "c")
    world.beat(1, "two", "b")  # c has ended
    world.beat(2, "two", "b", kind="stop")
    world.beat(2.1, "two", "b", "c")  # overtaken by the last one
    for at in range(2, 30, 2):
        world.beat(at, "one", "a")
        assert world.silent(at) == []
    world.beat(30, "two", "b", kind="start")  # the same process publishes again
    for at in range(30, 37, 2):
        world.beat(at, "one", "a")
    assert world.silent(36) == [(30, ("b",))]


def test_a_connection_that_moved_to_another_publisher_does_not_leave_with_its_old_one() -> None:
    world = World()
    world.beat(0, "old", "a", "b")
    world.beat(1, "new", "a")
    world.beat(1, "old", kind="stop")
    for at in (2, 4, 6, 8):
        world.beat(at, "third", "x")
    assert world.silent(8) == [(1, ("a",))]


def test_a_bus_that_stood_still_makes_no_connection_silent_whose_message_comes_behind_the_others() -> None:
    world = World()
    world.beat(0, "one", "a")
    world.beat(0, "two", "b")
    assert world.silent(5.9) == []
    assert world.silent(6) == [(0, ())]
    assert world.silent(30) == []
    world.beat(40, "one", "a")
    assert world.silent(40) == []
    world.beat(43, "two", "b")
    assert world.silent(45) == []


def test_time_alone_never_makes_advance_due_again_and_again() -> None:
    world = World()
    world.beat(0, "one", "a")
    world.beat(0, "two", "b")
    world.beat(3.9, "one", "a")
    at = 3.9
    told = []
    while (due := world.due()) is not None:
        assert due > at
        at = due
        told += world.silent(at)
    assert told == [(3.9, ())]


def test_what_a_broker_kept_of_a_process_that_is_long_gone_is_no_news() -> None:
    world = World()
    world.beat(0, "gone", "old", sent=100)
    for at in (1, 3, 5, 7, 9):
        world.beat(at, "one", "a")
        assert world.silent(at) == []


def test_heartbeats_without_a_name_tell_of_the_topic_alone() -> None:
    world = World()
    world.beat(0, "", "b")
    for at in (2, 4, 6, 8):
        world.beat(at, "one", "a")
        assert world.silent(at) == []
