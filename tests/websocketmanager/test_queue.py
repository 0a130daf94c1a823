"""The queue of one topic: bounded, in order, and what it drops is known, in its place."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tests.frames.runs import flat
from tests.websocketmanager.spooling import frame, marker, size_of
from virtufin_examples.frames import Cause, Frame, Gap, run_of
from virtufin_examples.websocketmanager._queue import ItemQueue


def _item(connection: str, sequence: int, size: int | None):
    if size is None:
        return marker(sequence, connection=connection)
    return frame(sequence, connection=connection, data=b"x" * size)


_ITEMS = st.lists(
    st.tuples(st.sampled_from("ab"), st.one_of(st.integers(0, 300), st.none())), min_size=1, max_size=60
)


class _Run:
    """Pushes and takes in some interleaving, keeping the books."""

    def __init__(self, limit: int, max_bytes: int) -> None:
        self.queue = ItemQueue(limit)
        self.max_bytes = max_bytes
        self.pushed: list = []
        self.taken: list = []
        self.out: list = []

    def push(self, item) -> None:
        self.pushed += flat([item])
        self.queue.push([item], size_of([item]))
        if self.queue.is_over:
            self.queue.drop_oldest()
        assert self.queue.bytes <= self.queue.limit_bytes

    def take(self, *, put_back: bool = False) -> None:
        if not len(self.queue):
            return
        if put_back:
            items = self.queue.take_any(self.max_bytes)
            self.queue.push_front(items)
            if self.queue.is_over:
                self.queue.drop_oldest()
            return
        taken = self.queue.take(self.max_bytes)
        if isinstance(taken, list):
            assert len(taken) == 1 or 0 < sum(run.size for run in taken) <= self.max_bytes
            self.out += flat(taken)
        else:
            self.out.append(taken)

    def check(self) -> None:
        gaps = [each for each in self.out if isinstance(each, Gap) and each.cause is Cause.OVERFLOW]
        taken = [each for each in self.out if each not in gaps]
        for item in self.pushed:
            is_lost = any(
                gap.connection_id == item.connection_id
                and gap.first_sequence <= item.sequence <= gap.last_sequence
                for gap in gaps
            )
            assert (item in taken) != is_lost
        for connection in "ab":
            numbers = [each.sequence for each in self.out if each.connection_id == connection]
            assert numbers == sorted(set(numbers)), "each number once, and every gap in its place"
        lost = sum(isinstance(each, Frame) for each in self.pushed) - sum(
            isinstance(each, Frame) for each in taken
        )
        assert self.queue.dropped_frames == lost


@given(
    _ITEMS,
    st.integers(0, 5000),
    st.integers(0, 2000),
    st.lists(st.sampled_from(["", "take", "put back"]), max_size=60),
)
def test_every_item_comes_out_in_order_or_is_inside_a_gap_in_its_place(kinds, limit, max_bytes, moves):
    run = _Run(limit, max_bytes)
    numbers = {"a": 0, "b": 0}
    for (connection, size), move in itertools.zip_longest(kinds, moves[: len(kinds)], fillvalue=""):
        numbers[connection] += 1
        run.push(_item(connection, numbers[connection], size))
        if move:
            run.take(put_back=move == "put back")
    while len(run.queue):
        run.take()
    assert run.queue.bytes == 0
    run.check()


def test_a_frame_larger_than_the_bound_of_a_message_goes_alone():
    queue = ItemQueue(10_000)
    frames = [_item("a", 1, 10), _item("a", 2, 2000), _item("a", 3, 10)]
    queue.push(frames, size_of(frames))
    assert [[each.first_sequence for each in queue.take(500)] for _ in range(3)] == [[1], [2], [3]]


def test_with_a_bound_of_nothing_frames_go_one_by_one():
    queue = ItemQueue(10_000)
    run = run_of([_item("a", number, number * 10).frames()[0] for number in (1, 2, 3)])
    queue.push([run], size_of([run]))
    taken = [queue.take(0) for _ in range(3)]
    assert [[(each.first_sequence, len(each), each.size) for each in runs] for runs in taken] == [
        [(1, 1, 10)],
        [(2, 1, 20)],
        [(3, 1, 30)],
    ]
    assert (len(queue), queue.bytes) == (0, 0)


def test_a_marker_divides_messages():
    queue = ItemQueue(10_000)
    items = [_item("a", 1, 1), _item("a", 2, 1), _item("a", 3, None), _item("a", 4, 1)]
    queue.push(items, size_of(items))
    assert queue.take(5000) == items[:2]
    assert queue.take(5000) is items[2]
    assert queue.take(5000) == items[3:]
