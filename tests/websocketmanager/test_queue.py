"""The queue of one topic: bounded, in order, and what it drops is known."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.connections import item_bytes
from virtufin_examples.frames import Cause, Frame, Gap
from virtufin_examples.websocketmanager._queue import ItemQueue


def _item(connection: str, sequence: int, size: int | None):
    if size is None:
        return Gap(
            topic="",
            connection_id=connection,
            epoch_before=1,
            epoch_after=2,
            cause=Cause.RECONNECT,
            from_ns=1,
            to_ns=2,
            sequence=sequence,
        )
    return Frame("", connection, 1, sequence, sequence, b"x" * size)


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
        self.gaps: list = []

    def push(self, item) -> None:
        self.pushed.append(item)
        self.queue.push([item], item_bytes(item))
        if self.queue.is_over:
            self.queue.drop_oldest()
        assert self.queue.bytes <= self.queue.limit_bytes

    def take(self) -> None:
        if not len(self.queue):
            return
        taken = self.queue.take(self.max_bytes)
        if isinstance(taken, list):
            assert len(taken) == 1 or 0 < sum(map(item_bytes, taken)) <= self.max_bytes
            self.taken += taken
        else:
            self.taken.append(taken)

    def collect(self) -> None:
        for connection, loss in self.queue.take_losses().items():
            self.gaps.append(loss.gap(connection, 0, Cause.OVERFLOW))

    def is_lost(self, item) -> bool:
        return any(
            gap.connection_id == item.connection_id
            and gap.first_sequence <= item.sequence <= gap.last_sequence
            for gap in self.gaps
        )


@given(_ITEMS, st.integers(0, 5000), st.integers(0, 2000), st.lists(st.booleans(), max_size=60))
def test_every_item_comes_out_in_order_or_is_inside_a_loss(kinds, limit, max_bytes, takes):
    run = _Run(limit, max_bytes)
    numbers = {"a": 0, "b": 0}
    for (connection, size), take in itertools.zip_longest(kinds, takes[: len(kinds)], fillvalue=False):
        numbers[connection] += 1
        run.push(_item(connection, numbers[connection], size))
        if take:
            run.take()
            run.collect()
    while len(run.queue):
        run.take()
    run.collect()

    assert run.queue.bytes == 0
    assert [item for item in run.pushed if item in run.taken] == run.taken
    for item in run.pushed:
        assert (item in run.taken) != run.is_lost(item)


def test_a_frame_larger_than_the_bound_of_a_message_goes_alone():
    queue = ItemQueue(10_000)
    frames = [_item("a", 1, 10), _item("a", 2, 2000), _item("a", 3, 10)]
    queue.push(frames, sum(map(item_bytes, frames)))
    assert [[each.sequence for each in queue.take(500)] for _ in range(3)] == [[1], [2], [3]]


def test_a_marker_divides_messages():
    queue = ItemQueue(10_000)
    items = [_item("a", 1, 1), _item("a", 2, 1), _item("a", 3, None), _item("a", 4, 1)]
    queue.push(items, sum(map(item_bytes, items)))
    assert queue.take(5000) == items[:2]
    assert queue.take(5000) is items[2]
    assert queue.take(5000) == items[3:]
