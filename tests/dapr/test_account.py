"""The account finds what a fault may plant."""

from __future__ import annotations

import random

import pytest

from tests.dapr.account import Entry, account

LAST = 40


def frame(number: int) -> Entry:
    return Entry(kind="frame", connection="c", number=number, venue=1000 + number)


def gap(first: int, last: int, *, number: int = 0, cause: str = "bus") -> Entry:
    return Entry(kind="gap", connection="c", number=number, first=first, last=last, cause=cause)


def whole() -> list[Entry]:
    return [frame(number) for number in range(1, LAST + 1)]


def faults(entries: list[Entry]) -> list[str]:
    return [fault.partition(":")[0] for fault in account(entries, last=LAST).faults]


def test_it_closes_when_every_number_was_seen_once():
    closed = account(whole(), last=LAST)
    assert (closed.faults, closed.frames, closed.late, closed.gaps) == ((), LAST, 0, ())


def test_it_closes_when_what_is_missing_is_named():
    entries = whole()
    entries[9:12] = [gap(10, 12)]
    entries[20:24] = [gap(23, 25, number=26, cause="overflow")]
    closed = account(entries, last=LAST)
    assert closed.faults == ()
    assert closed.causes == ["bus", "overflow"]
    assert closed.named == 3


def test_what_comes_late_lies_in_its_gap():
    entries = whole()
    entries[9:12] = [gap(10, 12)]
    late = [Entry(kind="late", connection="c", number=number) for number in (11, 10)]
    assert account([*entries, *late], last=LAST).late == 2
    assert faults([*entries, *late]) == []
    assert faults([*entries, *late, late[0]]) == ["late twice"]
    assert faults([*whole(), late[0]]) == ["late without a gap"]


@pytest.mark.parametrize("seed", range(20))
def test_a_planted_loss_is_found(seed: int):
    entries = whole()
    position = random.Random(seed).randrange(1, LAST - 1)
    del entries[position]
    found = account(entries, last=LAST).faults
    assert found == (f"loss: {position + 1}", f"untold: {position + 2}")


def test_a_lost_tail_is_found():
    assert account(whole()[:-2], last=LAST).faults == (f"loss: {LAST - 1}-{LAST}",)


@pytest.mark.parametrize("seed", range(20))
def test_a_planted_repeat_is_found(seed: int):
    entries = whole()
    rng = random.Random(seed)
    position = rng.randrange(LAST)
    entries.insert(rng.randrange(position + 1, LAST + 1), entries[position])
    assert "repeat" in faults(entries)


@pytest.mark.parametrize("seed", range(20))
def test_a_planted_false_gap_is_found(seed: int):
    entries = whole()
    rng = random.Random(seed)
    first = rng.randrange(1, LAST)
    entries.insert(rng.randrange(LAST), gap(first, first + rng.randrange(3)))
    assert "false gap" in faults(entries)


def test_a_gap_beyond_what_was_given_is_false():
    assert faults([*whole(), gap(LAST + 1, LAST + 5)]) == ["false gap"]
    assert faults([*whole(), frame(LAST + 1)]) == ["never given"]


def test_frames_in_the_wrong_order_are_found():
    entries = whole()
    entries[5], entries[6] = entries[6], entries[5]
    assert "out of order" in faults(entries)


def test_a_loss_before_the_numbering_is_found_by_the_venues_numbers():
    entries = [*whole()[:20], *(Entry(kind="frame", number=n, venue=1007 + n) for n in range(21, LAST + 1))]
    assert account(entries, last=LAST).faults == ("untold: 21",)
    told = gap(0, 0, number=20, cause="reconnect")
    assert account([*entries[:19], told, *entries[20:]], last=LAST).faults == ()
