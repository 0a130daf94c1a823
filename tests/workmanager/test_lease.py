"""Leases of workers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.workmanager._lease import LeaseTable


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), max_size=30))
def test_a_lease_lapses_exactly_when_it_was_not_renewed_in_time(steps: list[tuple[str, int]]) -> None:
    table, ends, now = LeaseTable(), {}, 0.0
    for worker in "ab":
        table.grant(worker, 10, now)
        ends[worker] = 10.0
    for worker, seconds in steps:
        now += seconds
        assert sorted(table.lapsed(now)) == sorted(name for name, end in ends.items() if end <= now)
        assert table.renew(worker, now) == (10 if worker in ends else 0)
        if worker in ends:
            ends[worker] = now + 10
    table.end("a")
    assert "a" not in table.lapsed(now + 100)
