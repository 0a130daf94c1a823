"""Which connections a change of symbols touches."""

from __future__ import annotations

import itertools
import random

import pytest

from virtufin_examples.client._layout import Opening, Part, Plan, Sizes, plan_change, spread
from virtufin_examples.errors import InvalidInputError, ResourceLimitError

SIZES = Sizes(symbols=5, connections=2)
NUMBERS = itertools.count()


def symbols(count: int, first: int = 0) -> tuple[str, ...]:
    return tuple(f"S{number}" for number in range(first, first + count))


def carried_out(parts: list[Part], plan: Plan) -> list[Part]:
    after = [part for part in parts if part not in plan.closed]
    for edit in plan.edits:
        kept = tuple(symbol for symbol in edit.part.symbols if symbol not in edit.remove)
        after[after.index(edit.part)] = Part(edit.part.worker, edit.part.connection, kept + edit.add)
    for opening in plan.openings:
        worker = opening.worker or f"w{next(NUMBERS)}"
        after += [Part(worker, f"c{next(NUMBERS)}", chunk) for chunk in opening.chunks]
    return after


def test_fifty_symbols_are_ten_connections_of_five_workers():
    plan = plan_change((), symbols(50), (), SIZES)
    assert [opening.worker for opening in plan.openings] == [""] * 5
    assert [len(opening.chunks) for opening in plan.openings] == [2] * 5
    assert {len(chunk) for opening in plan.openings for chunk in opening.chunks} == {5}
    assert plan.added == symbols(50)


def test_without_sizes_all_go_over_one_connection():
    assert plan_change((), symbols(50), (), Sizes()).openings == (Opening("", (symbols(50),)),)


def test_a_symbol_more_than_there_is_room_for_is_a_connection_and_a_worker_more():
    parts = carried_out([], plan_change((), symbols(50), (), SIZES))
    plan = plan_change(parts, ("NEW",), (), SIZES)
    assert plan == Plan(openings=(Opening("", (("NEW",),)),))
    after = carried_out(parts, plan)
    assert plan_change(after, ("NEWER",), (), SIZES).edits[0].part.symbols == ("NEW",)


def test_room_on_a_worker_is_used_before_a_new_one_is_started():
    parts = carried_out([], plan_change((), symbols(5), (), SIZES))
    assert plan_change(parts, ("NEW",), (), SIZES).openings == (Opening(parts[0].worker, (("NEW",),)),)


def test_a_connection_without_symbols_is_closed_and_with_the_last_one_its_worker():
    parts = carried_out([], plan_change((), symbols(15), (), SIZES))
    plan = plan_change(parts, (), symbols(5, first=10), SIZES)
    assert plan == Plan(closed=(parts[2],), ended_workers=(parts[2].worker,))
    assert plan.removed == symbols(5, first=10)


def test_a_connection_that_would_be_empty_takes_the_new_symbols():
    parts = carried_out([], plan_change((), symbols(5), (), SIZES))
    plan = plan_change(parts, ("NEW",), symbols(5), SIZES)
    assert [(edit.add, edit.remove) for edit in plan.edits] == [(("NEW",), symbols(5))]
    assert not plan.closed


def test_what_is_there_is_not_added_and_what_is_not_there_is_not_removed():
    parts = carried_out([], plan_change((), symbols(5), (), SIZES))
    assert plan_change(parts, ("S1",), ("NOPE",), SIZES) == Plan()


def test_the_last_symbol_stays():
    parts = carried_out([], plan_change((), symbols(2), (), SIZES))
    for planned in (
        lambda: plan_change(parts, (), symbols(2), SIZES),
        lambda: spread(parts, (), symbols(2), None),
    ):
        with pytest.raises(InvalidInputError, match="none would be left"):
            planned()


@pytest.mark.parametrize("seed", range(50))
def test_every_history_ends_with_what_was_wanted_and_moves_nothing(seed):
    rng = random.Random(seed)
    sizes = Sizes(rng.choice((0, 1, 3, 5)), rng.choice((0, 1, 2)))
    wanted = set(symbols(rng.randint(1, 30)))
    parts = carried_out([], plan_change((), sorted(wanted), (), sizes))
    for turn in range(10):
        add = set(symbols(rng.randint(0, 8), first=100 * turn))
        remove = set(rng.sample(sorted(wanted), rng.randint(0, len(wanted) - 1)))
        before = {symbol: part.connection for part in parts for symbol in part.symbols}
        parts = carried_out(parts, plan_change(parts, sorted(add), sorted(remove), sizes))
        wanted = (wanted - remove) | add
        after = {symbol: part.connection for part in parts for symbol in part.symbols}
        assert set(after) == wanted
        assert all(after[symbol] == before[symbol] for symbol in wanted & set(before))
        assert all(part.symbols and len(part.symbols) <= (sizes.symbols or 10_000) for part in parts)
        workers = [part.worker for part in parts]
        assert all(workers.count(worker) <= (sizes.connections or 10_000) for worker in workers)


def test_spreading_opens_nothing_and_fills_the_emptiest():
    parts = [Part("w", "a", symbols(3)), Part("w", "b", symbols(1, first=10))]
    plan = spread(parts, ("N1", "N2", "N3"), ("S0",), None)
    assert {edit.part.connection: (edit.add, edit.remove) for edit in plan.edits} == {
        "a": (("N2",), ("S0",)),
        "b": (("N1", "N3"), ()),
    }
    with pytest.raises(ResourceLimitError, match='no room for "N3": 3 on each of 2 connections'):
        spread(parts, ("N1", "N2", "N3"), (), 3)
