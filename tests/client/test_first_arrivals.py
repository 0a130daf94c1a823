"""Several connections of one topic read as one stream: each frame once, and only true gaps."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.client import FirstArrivals
from virtufin_examples.frames import Cause, Frame, Gap, Stale
from virtufin_examples.venues import Seen

SECOND_NS = 1_000_000_000


def numbered(payload):
    symbol, number = payload.decode().split()
    return (Seen(symbol, first=int(number), last=int(number)),)


def frame(connection, text, second, sequence=1):
    return Frame("t", connection, 1, sequence, int(second * SECOND_NS), text.encode())


def gap(connection, start, end, *, ended=True):
    return Gap(
        topic="t",
        connection_id=connection,
        epoch_before=1,
        epoch_after=2,
        cause=Cause.RECONNECT,
        from_ns=int(start * SECOND_NS),
        to_ns=int(end * SECOND_NS),
        ended=ended,
    )


def texts(items):
    return [item.text for item in items if isinstance(item, Frame)]


def read(merged, *items):
    """Take items at the times of their frames, then let the time run out."""
    found, second = [], 0.0
    for item in items:
        second = max(second, getattr(item, "received_ns", 0) / SECOND_NS)
        found += merged.take(item, second)
    for _ in range(30):
        second += 0.1
        found += merged.tick(second, int(second * SECOND_NS))
    return found


@pytest.mark.parametrize("peek", [numbered, None], ids=["by number", "by content"])
@given(merge=st.lists(st.booleans(), min_size=40, max_size=40), died=st.integers(1, 19))
def test_each_frame_comes_once_in_order_and_one_connection_may_die(peek, merge, died):
    stream = [f"A {number}" for number in range(1, 20)]
    merged = FirstArrivals(peek) if peek else FirstArrivals()
    places, items = {"a": 0, "b": 0}, []
    for step, first in enumerate(itertools.chain(merge, [False] * 40)):
        name = "a" if first and places["a"] < died else "b"
        if places[name] < len(stream):
            items.append(frame(name, stream[places[name]], step / 100, places[name] + 1))
            places[name] += 1
    assert texts(read(merged, *items)) == stream


def test_a_gap_that_another_connection_went_through_is_none():
    merged = FirstArrivals(numbered)
    items = [frame("a", "A 1", 1), frame("b", "A 1", 1), frame("b", "A 2", 2), frame("b", "A 3", 3)]
    found = read(merged, *items, gap("a", 1, 2.5), frame("a", "A 3", 3.1), frame("a", "A 4", 4))
    assert texts(found) == ["A 1", "A 2", "A 3", "A 4"]
    assert len(found) == 4
    assert (merged.covered, merged.repeats) == (1, 2)


@pytest.mark.parametrize("others", ["none", "gap too", "came later", "did not go on"])
def test_a_gap_that_nobody_went_through_is_told(others):
    merged = FirstArrivals(numbered)
    before = {"came later": [frame("a", "A 1", 1)]}.get(others, [frame("a", "A 1", 1), frame("b", "A 1", 1)])
    after = {
        "none": [],
        "gap too": [gap("b", 1.5, 2.2), frame("b", "A 9", 5)],
        "came later": [frame("b", "A 3", 2), frame("b", "A 9", 5)],
        "did not go on": [],
    }[others]
    if others == "none":
        before = [frame("a", "A 1", 1)]
    found = read(merged, *before, *after, gap("a", 1, 3))
    assert gap("a", 1, 3) in found
    assert merged.covered == 0


def test_a_gap_waits_a_little_for_the_other_connection_to_show_that_it_went_on():
    merged = FirstArrivals(numbered)
    for name in "ab":
        merged.take(frame(name, "A 1", 1), 1.0)
    assert merged.take(gap("a", 1, 3), 3.0) == []
    assert texts(merged.take(frame("b", "A 2", 3.5), 3.5)) == ["A 2"]
    assert merged.tick(9.0, 9 * SECOND_NS) == []


def test_a_connection_that_is_gone_is_waited_for_no_more():
    merged = FirstArrivals(numbered)
    for name in "ab":
        merged.take(frame(name, "A 1", 1), 1.0)
    merged.take(frame("b", "A 2", 20), 20.0)
    merged.tick(20.0, 20 * SECOND_NS)
    assert texts(merged.take(frame("b", "NEW 5", 21), 21.0)) == ["NEW 5"]


def test_other_items_pass():
    stale = Stale(topic="t", connection_id="a", epoch=1, sequence=2, since_ns=1)
    unknown = gap("nobody", 1, 2)
    merged = FirstArrivals()
    assert (merged.take(stale, 1.0), merged.take(unknown, 1.0)) == ([stale], [unknown])
