from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.frames.strategies import steady
from virtufin_examples.frames._ranges import RangeSet

steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 30), st.integers(0, 8)),
        st.tuples(st.just("remove"), st.integers(0, 30), st.just(0)),
    )
)


@steady
@given(steps)
def test_behaves_like_a_plain_set(steps: list[tuple[str, int, int]]) -> None:
    ranges, plain = RangeSet(), set()
    for kind, number, length in steps:
        if kind == "add":
            ranges.add(number, number + length - 1)
            plain.update(range(number, number + length))
        else:
            assert ranges.remove(number) == (number in plain)
            plain.discard(number)
    for number in range(45):
        last = number
        while last + 1 in plain:
            last += 1
        assert ranges.last_of(number) == (last if number in plain else None)
        above = [entry for entry in plain if entry > number and entry - 1 not in plain]
        assert ranges.first_above(number) == min(above, default=None)
    assert bool(ranges) == bool(plain)


def test_forgets_the_lowest_when_full_and_what_is_below() -> None:
    ranges = RangeSet(limit=2)
    for number in (1, 3, 5):
        ranges.add(number, number)
    assert [ranges.last_of(number) for number in (1, 3, 5)] == [None, 3, 5]
    ranges.discard_below(5)
    assert [ranges.last_of(number) for number in (3, 5)] == [None, 5]
