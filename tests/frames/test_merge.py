from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.frames.runs import flat
from tests.frames.strategies import TOPIC, steady
from virtufin_examples.frames import (
    SILENT_NS,
    WINDOW_NS,
    Cause,
    ConnectionBeat,
    Frame,
    FrameRun,
    Gap,
    Heartbeat,
    Item,
    Late,
    Merger,
    Restored,
    Silent,
    Stale,
    run_of,
)

MS = 1_000_000


def frame(sequence: int, connection: str = "c", *, epoch: int = 1, size: int = 1) -> Frame:
    return Frame(TOPIC, connection, epoch, sequence, 1000 + sequence, bytes(size))


def marker(
    sequence: int, first: int = 0, last: int = 0, *, cause: Cause = Cause.OVERFLOW, epoch: int = 1
) -> Gap:
    return Gap(
        topic=TOPIC,
        connection_id="c",
        epoch_before=1,
        epoch_after=epoch,
        cause=cause,
        from_ns=1,
        to_ns=2,
        sequence=sequence,
        first_sequence=first,
        last_sequence=last,
    )


def heartbeat(
    last: int, *, queued: int = 0, connection: str = "c", epoch: int = 1, kind: str = "beat"
) -> Heartbeat:
    beat = ConnectionBeat(
        connection_id=connection,
        state="connected",
        epoch=epoch,
        last_sequence=last,
        last_received_ns=1000 + last,
        queued_bytes=queued,
    )
    return Heartbeat(topic=TOPIC, kind=kind, sent_ns=5, connections=(beat,))


def shown(items: list[Item]) -> list[object]:
    """Frames as their number, found gaps as (first, last), announced ones as (cause, number)."""
    out: list[object] = []
    for item in items:
        if isinstance(item, Frame):
            out.append(item.sequence)
        elif isinstance(item, Gap):
            found = item.cause is Cause.BUS
            out.append(
                (item.first_sequence, item.last_sequence) if found else (item.cause.value, item.sequence)
            )
        else:
            out.append(type(item).__name__)
    return out


class Clocked:
    """A merger and its clock, in milliseconds."""

    def __init__(self, **options) -> None:
        self.merger = Merger(TOPIC, now_ns=0, **options)
        self.items: list[Item] = []

    def add(self, at_ms: float, *items, instance: str = "") -> list[object]:
        new = self.merger.add(items, now_ns=int(at_ms * MS), instance=instance)
        self.items += new
        return shown(new)

    def advance(self, at_ms: float) -> list[object]:
        new = self.merger.advance(int(at_ms * MS))
        self.items += new
        return shown(new)


def test_frames_in_order_pass_at_once() -> None:
    merge = Clocked()
    assert merge.add(0, frame(1), frame(2)) == [1, 2]
    assert merge.add(1, frame(3)) == [3]
    assert merge.merger.numbers.frames == 3


def test_frames_out_of_order_are_put_in_order() -> None:
    merge = Clocked()
    assert merge.add(0, frame(1), frame(3)) == [1]
    assert merge.add(100, frame(4)) == []
    assert merge.add(249, frame(2)) == [2, 3, 4]
    assert merge.merger.numbers.gaps == 0


def test_the_first_frame_is_the_start() -> None:
    merge = Clocked(late=True)
    assert merge.add(0, frame(40)) == [40]
    assert merge.add(1, frame(39), frame(41)) == ["Late", 41]
    assert merge.merger.numbers.late == 1


def test_a_hole_becomes_a_gap_when_the_window_ends() -> None:
    merge = Clocked()
    assert merge.add(0, frame(1), frame(5, epoch=3)) == [1]
    assert merge.merger.deadline_ns() == WINDOW_NS
    assert merge.advance(249.9) == []
    assert merge.advance(250) == [(2, 4), 5]
    gap = merge.items[1]
    assert isinstance(gap, Gap)
    assert (gap.cause, gap.from_ns, gap.to_ns) == (Cause.BUS, 1001, 1005)
    assert (gap.epoch_before, gap.epoch_after, gap.sequence, gap.ended) == (1, 3, 0, True)
    assert merge.add(251, frame(6)) == [6]


def test_no_frame_waits_longer_than_the_window() -> None:
    merge = Clocked()
    merge.add(0, frame(1), frame(5))
    assert merge.add(200, frame(3)) == []
    assert merge.advance(250) == [(2, 2), 3, (4, 4), 5]


def test_a_later_hole_waits_its_own_window() -> None:
    merge = Clocked()
    merge.add(0, frame(1), frame(3))
    assert merge.add(200, frame(5)) == []
    assert merge.advance(250) == [(2, 2), 3]
    assert merge.merger.deadline_ns() == 450 * MS
    assert merge.add(440, frame(4)) == [4, 5]


def test_connections_do_not_wait_for_each_other() -> None:
    merge = Clocked()
    assert merge.add(0, frame(1, "a"), frame(1, "b"), frame(3, "a")) == [1, 1]
    assert merge.add(1, frame(2, "b")) == [2]


def test_what_comes_after_its_gap_is_counted_and_yielded_only_when_asked_for() -> None:
    for late, expected in ((False, []), (True, ["Late"])):
        merge = Clocked(late=late)
        merge.add(0, frame(1), frame(3))
        merge.advance(250)
        assert merge.add(300, frame(2)) == expected
        assert merge.add(301, frame(2)) == []
        assert (merge.merger.numbers.late, merge.merger.numbers.duplicates) == (1, 1)
    assert merge.items[-1] == Late(frame=frame(2))


def test_repeats_are_dropped_and_counted() -> None:
    merge = Clocked()
    assert merge.add(0, frame(1), frame(1), frame(3), frame(3)) == [1]
    assert merge.add(1, frame(2), frame(3)) == [2, 3]
    assert merge.merger.numbers.duplicates == 3


def test_too_many_bytes_behind_a_hole_end_its_window() -> None:
    merge = Clocked(window_bytes=10_000)
    assert merge.add(0, frame(1), frame(3, size=4000), frame(4, size=4000)) == [1]
    assert merge.add(1, frame(5, size=4000)) == [(2, 2), 3, 4, 5]


def test_an_announced_range_is_skipped_at_once_and_not_reported_again() -> None:
    merge = Clocked()
    merge.add(0, frame(1), frame(22))
    assert merge.add(1, marker(21, 2, 20)) == [("overflow", 21), 22]
    assert merge.merger.numbers.gaps == 1


def test_only_what_was_not_announced_becomes_a_gap() -> None:
    merge = Clocked()
    merge.add(0, frame(1), marker(21, 10, 15))
    assert merge.advance(250) == [(2, 9), (16, 20), ("overflow", 21)]


def test_a_frame_inside_an_announced_range_that_came_anyway_is_handed_out() -> None:
    merge = Clocked()
    merge.add(0, frame(1), frame(12), frame(22))
    assert merge.add(1, marker(21, 2, 20)) == [12, ("overflow", 21), 22]


def test_a_jump_over_a_block_of_numbers_at_a_restart_lies_inside_the_announced_gap() -> None:
    merge = Clocked()
    merge.add(0, frame(7))
    restart = marker(10_001, 8, 10_000, cause=Cause.RESTART, epoch=2)
    assert merge.add(9000, restart, frame(10_002, epoch=2)) == [("restart", 10_001), 10_002]
    assert merge.merger.numbers.gaps == 1


def test_a_gap_announced_too_wide_names_only_what_was_not_handed_out() -> None:
    merge = Clocked()
    merge.add(0, frame(1), frame(2), frame(3))
    assert merge.add(1, marker(1001, 2, 1000, cause=Cause.RESTART, epoch=2)) == [("restart", 1001)]
    gap = merge.items[-1]
    assert isinstance(gap, Gap)
    assert (gap.first_sequence, gap.last_sequence, gap.from_ns) == (4, 1000, 1003)
    assert merge.add(2, marker(1004, 2, 3, cause=Cause.RESTART, epoch=2), frame(1002), frame(1003)) == [
        1002,
        1003,
        ("restart", 1004),
    ]
    gap = merge.items[-1]
    assert isinstance(gap, Gap)
    assert (gap.first_sequence, gap.last_sequence) == (0, 0)


def test_numbers_skipped_at_a_restart_whose_marker_was_lost_do_not_count_as_missing() -> None:
    merge = Clocked()
    merge.add(0, frame(7), frame(1_000_002, epoch=2))
    assert merge.advance(250) == [(8, 1_000_001), 1_000_002]
    assert merge.merger.numbers.missing == 0
    merge.add(300, frame(1_000_005, epoch=2))
    assert merge.advance(550) == [(1_000_003, 1_000_004), 1_000_005]
    assert merge.merger.numbers.missing == 2


def test_a_heartbeat_of_a_restarted_publisher_proves_no_loss_of_the_numbers_it_skipped() -> None:
    merge = Clocked()
    merge.add(0, frame(7))
    merge.add(9000, heartbeat(1_000_001, epoch=2))
    assert merge.advance(9250) == [(8, 1_000_001)]
    assert merge.merger.numbers.missing == 0


def test_a_lost_marker_leaves_a_hole() -> None:
    merge = Clocked()
    merge.add(0, frame(1), frame(3))
    assert merge.advance(250) == [(2, 2), 3]


def test_stale_and_restored_keep_their_place() -> None:
    stale = Stale(topic=TOPIC, connection_id="c", epoch=1, sequence=2, since_ns=5)
    restored = Restored(topic=TOPIC, connection_id="c", epoch=1, sequence=3, since_ns=6)
    merge = Clocked()
    assert merge.add(0, frame(1), restored, frame(4)) == [1]
    assert merge.add(1, stale) == ["Stale", "Restored", 4]


def test_a_marker_that_overtakes_the_first_frames_is_not_the_start() -> None:
    merge = Clocked()
    assert merge.add(0, marker(4)) == []
    assert merge.add(1, frame(2)) == [2]
    assert merge.add(2, frame(3)) == [3, ("overflow", 4)]


def test_a_marker_without_frames_is_handed_out_when_the_window_ends() -> None:
    merge = Clocked()
    merge.add(0, marker(4))
    assert merge.advance(250) == [("overflow", 4)]


def test_a_marker_that_overtook_frames_waits_while_they_arrive() -> None:
    merge = Clocked()
    merge.add(0, frame(1))
    assert merge.add(10, marker(9)) == []
    for number in range(2, 8):
        assert merge.add(200 * number, frame(number)) == [number]
        assert merge.advance(200 * number + 199) == []
    assert merge.advance(200 * 7 + 250) == [(8, 8), ("overflow", 9)]


def test_a_frame_behind_a_hole_waits_its_window_although_a_marker_came_before() -> None:
    merge = Clocked()
    merge.add(0, frame(1), marker(9))
    assert merge.add(100, frame(3)) == []
    assert merge.add(300, frame(4)) == []
    assert merge.merger.deadline_ns() == 350 * MS
    assert merge.advance(350) == [(2, 2), 3, 4]


def test_a_heartbeat_ahead_of_us_shows_a_lost_tail() -> None:
    merge = Clocked()
    merge.add(0, frame(1))
    assert merge.add(2000, heartbeat(1)) == []
    assert merge.add(4000, heartbeat(4)) == []
    assert merge.advance(4249) == []
    assert merge.advance(4250) == [(2, 4)]
    gap = merge.items[-1]
    assert isinstance(gap, Gap)
    assert (gap.from_ns, gap.to_ns) == (1001, 1004)
    assert merge.add(4300, frame(5)) == [5]


def test_a_heartbeat_that_overtook_frames_waits_while_they_arrive() -> None:
    merge = Clocked()
    merge.add(0, frame(1), heartbeat(3))
    merge.add(240, frame(2))
    assert merge.advance(260) == []
    assert merge.add(480, frame(3)) == [3]
    assert merge.merger.numbers.gaps == 0


def test_a_heartbeat_with_frames_still_to_send_proves_no_loss() -> None:
    merge = Clocked()
    merge.add(0, frame(1), heartbeat(9, queued=100))
    assert merge.advance(1000) == []


def test_a_heartbeat_of_a_busy_topic_overtakes_frames_that_a_broker_holds_back_and_proves_no_loss() -> None:
    merge = Clocked()
    merge.add(0, frame(1))
    merge.add(10, heartbeat(400, kind="busy"))
    assert merge.advance(5000) == []
    assert merge.add(5000, frame(2)) == [2]
    late = Clocked()
    late.add(0, heartbeat(400, kind="busy"))
    assert late.add(1, frame(398)) == [398]
    assert merge.merger.numbers.gaps == late.merger.numbers.late == 0


def test_a_heartbeat_before_the_first_frame_says_where_the_start_has_to_be() -> None:
    merge = Clocked()
    merge.add(0, heartbeat(0))
    assert merge.add(1, frame(3)) == []
    assert merge.advance(251) == [(1, 2), 3]


def test_a_heartbeat_that_overtook_the_first_frames_takes_nothing_away() -> None:
    merge = Clocked()
    merge.add(0, heartbeat(9))
    assert merge.add(1, frame(8), frame(9), frame(10)) == [8, 9, 10]


def test_what_is_missing_before_the_first_frame_of_an_expected_connection_is_a_gap() -> None:
    merge = Clocked(late=True)
    merge.merger.expect("c")
    assert merge.add(0, frame(2), frame(3), frame(40, "another")) == [40]
    assert merge.advance(250) == [(1, 1), 2, 3]
    assert merge.add(40_000, frame(1)) == ["Late"]


def test_an_expected_connection_that_is_whole_passes_at_once() -> None:
    merge = Clocked()
    merge.merger.expect("c")
    assert merge.add(0, frame(1), frame(2)) == [1, 2]


def test_a_heartbeat_that_overtakes_an_expected_connections_frames_takes_none_away() -> None:
    merge = Clocked()
    merge.merger.expect("c")
    merge.add(0, heartbeat(9))
    assert merge.advance(2000) == []
    assert merge.add(2001, frame(1), frame(2)) == [1, 2]


def test_what_an_earlier_subscription_had_is_a_repeat_and_what_it_missed_a_gap() -> None:
    merge = Clocked(after={"c": 7})
    assert merge.add(0, frame(6, epoch=2), frame(7, epoch=2), frame(10, epoch=2)) == []
    assert merge.merger.numbers.duplicates == 2
    assert merge.advance(250) == [(8, 9), 10]
    gap = merge.items[0]
    assert isinstance(gap, Gap)
    assert (gap.epoch_before, gap.epoch_after) == (2, 2)
    assert merge.add(251, frame(8, epoch=2), frame(40, "another")) == [40]
    assert merge.merger.numbers.late == 1


def test_a_heartbeat_shows_what_was_missed_since_an_earlier_subscription() -> None:
    merge = Clocked(after={"c": 7})
    assert merge.add(0, heartbeat(9)) == []
    assert merge.advance(250) == [(8, 9)]


def test_silence_is_told_once_and_ends_with_any_message() -> None:
    merge = Clocked()
    assert merge.merger.deadline_ns() == SILENT_NS
    assert merge.advance(5999) == []
    assert merge.advance(6000) == ["Silent"]
    assert merge.merger.deadline_ns() is None
    assert merge.advance(20_000) == []
    merge.add(21_000, heartbeat(0))
    assert merge.advance(26_999) == []
    assert merge.advance(27_000) == ["Silent"]
    assert merge.items[-1] == Silent(topic=TOPIC, since_ns=21_000 * MS)
    assert merge.merger.had_heartbeat


def test_an_older_epoch_of_another_instance_is_refused() -> None:
    merge = Clocked()
    merge.add(0, frame(1, epoch=1), instance="old")
    merge.add(1, marker(101, 2, 100, cause=Cause.RESTART, epoch=2), frame(102, epoch=2), instance="new")
    assert merge.add(2, frame(103, epoch=1), instance="old") == []
    assert merge.merger.numbers.refused == 1
    assert merge.add(3, frame(103, epoch=2), instance="new") == [103]


def test_epochs_of_one_instance_may_alternate() -> None:
    merge = Clocked()
    assert merge.add(0, frame(1, epoch=1), frame(2, epoch=2), frame(3, epoch=1), instance="i") == [1, 2, 3]


@st.composite
def schedules(draw: st.DrawFn) -> tuple[list[tuple[int, Frame]], set[tuple[str, int]]]:
    """Frames of up to three connections, each message late by less than the window, repeated, or lost."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    loss, repeats = draw(st.sampled_from([0, 0.1, 0.5])), draw(st.sampled_from([0, 0.3]))
    spread = draw(st.integers(0, 200))
    arrivals, lost = [], set()
    for connection in "abc"[: draw(st.integers(1, 3))]:
        for sequence in range(1, draw(st.integers(1, 60)) + 1):
            item = frame(sequence, connection)
            sent = sequence * 10
            if sequence > 1 and rng.random() < loss:
                lost.add((connection, sequence))
                continue
            late = 0 if sequence == 1 else rng.randint(0, spread)  # the first one seen is the start
            arrivals.append((sent + late, item))
            if rng.random() < repeats:
                arrivals.append((sent + late + rng.randint(0, 1000), item))
    arrivals.sort(key=lambda arrival: arrival[0])
    return arrivals, lost


@steady
@given(schedules())
def test_whatever_the_bus_does_every_frame_is_delivered_once_in_order_or_lies_in_a_gap(schedule) -> None:
    arrivals, lost = schedule
    merge = Clocked()
    for at_ms, item in arrivals:
        while (due := merge.merger.deadline_ns()) is not None and due <= at_ms * MS:
            merge.advance(due / MS)
        merge.add(at_ms, item)
    merge.advance(10**6)
    position: dict[str, int] = {}
    for item in merge.items:
        if isinstance(item, Silent):
            continue
        before = position.get(item.connection_id, 0)
        if isinstance(item, Gap):
            assert item.first_sequence == before + 1
            assert item.from_ns <= item.to_ns
            missing = range(item.first_sequence, item.last_sequence + 1)
            assert all((item.connection_id, sequence) in lost for sequence in missing)
            position[item.connection_id] = item.last_sequence
        else:
            assert isinstance(item, Frame)
            assert item.sequence == before + 1
            position[item.connection_id] = item.sequence
    seen = {(item.connection_id, item.sequence) for _, item in arrivals}
    delivered = [(item.connection_id, item.sequence) for item in merge.items if isinstance(item, Frame)]
    assert sorted(delivered) == sorted(seen)
    numbers = merge.merger.numbers
    assert (numbers.frames, numbers.duplicates, numbers.late) == (len(seen), len(arrivals) - len(seen), 0)


@steady
@given(st.permutations(range(1, 25)), st.lists(st.integers(1, 24), max_size=10), st.integers(0, 400))
def test_any_order_however_late_gives_rising_numbers_without_a_hole_untold(
    order: list[int], repeats: list[int], step_ms: int
) -> None:
    merge = Clocked(late=True)
    for index, sequence in enumerate([*order, *repeats]):
        merge.advance(index * step_ms)
        merge.add(index * step_ms, frame(sequence))
    merge.advance(10**6)
    position = order[0] - 1
    late = set()
    for item in merge.items:
        if isinstance(item, Late):
            late.add(item.frame.sequence)
        elif isinstance(item, Gap):
            assert item.first_sequence == position + 1
            position = item.last_sequence
        elif isinstance(item, Frame):
            assert item.sequence == position + 1
            position = item.sequence
    delivered = [item.sequence for item in merge.items if isinstance(item, Frame)]
    assert sorted([*delivered, *late]) == list(range(1, 25))
    assert merge.merger.numbers.duplicates == len(repeats)


@st.composite
def batches(draw: st.DrawFn) -> list[tuple[str, list[FrameRun]]]:
    """Messages of some runs each, from two instances; some are repeated, lost or late."""
    found = []
    following = {"a": 1, "b": 1}
    for _ in range(draw(st.integers(1, 8))):
        runs = []
        epoch = draw(st.sampled_from([1, 1, 1, 2]))
        for _ in range(draw(st.integers(1, 4))):
            connection = draw(st.sampled_from("ab"))
            following[connection] += draw(st.sampled_from([0, 0, 0, 2, -3]))
            first, length = max(1, following[connection]), draw(st.integers(1, 5))
            runs.append(run_of([frame(first + index, connection, epoch=epoch) for index in range(length)]))
            following[connection] = first + length
        found.append((draw(st.sampled_from(["one", "one", "two"])), runs))
    return found


def by_connection(items: list[Item]) -> list[Item]:
    """Between connections there is no order to keep."""
    return sorted(items, key=lambda item: getattr(getattr(item, "frame", item), "connection_id", ""))


@steady
@given(batches())
def test_a_run_counts_as_its_frames_one_by_one(messages: list[tuple[str, list[FrameRun]]]) -> None:
    singly, in_runs = (Merger(TOPIC, now_ns=0, late=True) for _ in range(2))
    for number, (instance, runs) in enumerate(messages):
        now_ns = number * 100 * MS
        assert by_connection(singly.advance(now_ns)) == by_connection(in_runs.advance(now_ns))
        assert singly.add(flat(runs, TOPIC), now_ns=now_ns, instance=instance) == in_runs.add(
            runs, now_ns=now_ns, instance=instance
        )
        assert singly.deadline_ns() == in_runs.deadline_ns()
    assert singly.numbers == in_runs.numbers
    assert by_connection(singly.advance(10**12)) == by_connection(in_runs.advance(10**12))
    assert singly.numbers == in_runs.numbers
