"""Fault plans, pure: what is refused, what repeats, what becomes of frames."""

import itertools
import json

import pytest

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.simulators import Fault, FaultKind, FaultLine, Faults, parse_plan, random_plan


def plan_of(*faults, **more):
    return json.dumps({"faults": list(faults), **more}).encode()


def running(*faults, now=0.0):
    faults_now = Faults()
    faults_now.begin(faults, now)
    return faults_now, FaultLine(faults_now, lambda: "garbage")


def test_a_plan_is_read_in_order_of_time():
    body = plan_of(
        {"kind": "stall", "at": 5, "seconds": 2.5},
        {"kind": "drop"},
        {"kind": "skip", "at": 1, "count": 3},
        version=1,
    )
    assert parse_plan(body) == (
        Fault(FaultKind.DROP),
        Fault(FaultKind.SKIP, at=1, count=3),
        Fault(FaultKind.STALL, at=5, seconds=2.5),
    )
    assert parse_plan(b'{"faults":[]}') == ()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "no list of faults"),
        (b'{"faults":5}', "no list of faults"),
        (b'{"faults":[],"fault":1}', 'unknown field "fault"'),
        (b'{"faults":[],"version":2}', "version 2, this program reads 1"),
        (plan_of("drop"), "fault 0: 'drop' is no object"),
        (
            plan_of({"kind": "drop"}, {"kind": "dorp"}),
            "fault 1: kind 'dorp' is unknown (did you mean \"drop\"?)",
        ),
        (plan_of({}), "kind None is unknown (one of drop, stall"),
        (plan_of({"kind": "drop", "seconds": 1}), 'a drop has no field "seconds" (it has at, kind)'),
        (plan_of({"kind": "stall", "seconds": "1"}), "seconds '1' (a number from 0 to 86400)"),
        (plan_of({"kind": "stall", "at": -1}), "at -1"),
        (plan_of({"kind": "skip", "count": 1.5}), "count 1.5 (a whole number from 1"),
        (plan_of({"kind": "skip", "count": True}), "count True"),
        (plan_of({"kind": "refuse", "status": 200}), "status 200 (a whole number from 400 to 599)"),
        (plan_of(*[{"kind": "drop"}] * 10_001), "10001 faults; at most 10000"),
    ],
)
def test_a_bad_plan_is_refused_with_what_is_wrong(body, text):
    with pytest.raises(InvalidInputError) as caught:
        parse_plan(body)
    assert text in str(caught.value)


def test_a_seed_gives_the_same_faults_of_all_kinds():
    def first(seed):
        return list(itertools.islice(random_plan(seed), 45))

    assert first(3) == first(3)
    assert first(3) != first(4)
    assert {fault.kind for fault in first(3)[:9]} == set(FaultKind)
    times = [fault.at for fault in first(3)]
    assert times == sorted(times)
    assert all(later - earlier >= 0.5 for earlier, later in itertools.pairwise(times))


def test_faults_come_due_once():
    faults, _ = running(
        Fault(FaultKind.DROP, at=1), Fault(FaultKind.DROP, at=2), Fault(FaultKind.STALL, at=9), now=100
    )
    assert faults.due(100.9) == []
    assert [fault.at for fault in faults.due(102.5)] == [1, 2]
    assert faults.due(103) == []
    assert faults.happened == {FaultKind.DROP: 2}
    faults.begin([Fault(FaultKind.DROP)], 200)
    assert len(faults.due(300)) == 1  # the plan before is gone


def test_upgrades_are_refused_for_a_while():
    faults, _ = running(Fault(FaultKind.REFUSE, seconds=2, status=429))
    assert faults.refusal(0) == 0
    faults.due(0)
    assert faults.refusal(1.9) == 429
    assert faults.refusal(2.0) == 0
    assert faults.happened == {FaultKind.REFUSE: 1}


def test_frames_are_left_out_repeated_and_spoilt_as_often_as_planned():
    faults, line = running(
        Fault(FaultKind.SKIP, count=2), Fault(FaultKind.DUPLICATE), Fault(FaultKind.GARBAGE, count=1)
    )
    assert line.data("a", 0) == ["a"]
    faults.due(0)
    assert line.control(["answer"], 0) == ["answer"]
    assert line.data("bcdef", 0) == ["garbage", "d", "d", "e", "f"]
    assert faults.happened == {FaultKind.SKIP: 2, FaultKind.DUPLICATE: 1, FaultKind.GARBAGE: 1}


def test_lies_are_counted_too():
    faults, _ = running(Fault(FaultKind.LIE))
    assert not faults.take(FaultKind.LIE)
    faults.due(0)
    assert faults.take(FaultKind.LIE)
    assert not faults.take(FaultKind.LIE)


def test_a_stalled_socket_gets_answers_and_no_data():
    _, line = running()
    line.strike(Fault(FaultKind.STALL, seconds=3), 10)
    assert line.data("a", 12.9) == []
    assert line.control(["answer"], 12.9) == ["answer"]
    assert line.data("b", 13) == ["b"]


def test_a_half_open_socket_gets_nothing_and_is_cut_in_the_end():
    _, line = running()
    line.strike(Fault(FaultKind.HALF_OPEN, seconds=3), 10)
    assert line.deaf
    assert line.data("a", 11) == line.control(["answer"], 11) == line.late(11) == []
    assert not line.is_over(12.9)
    assert line.is_over(13)


def test_a_slow_socket_gets_everything_late_and_in_order():
    _, line = running()
    line.strike(Fault(FaultKind.SLOW, seconds=2, delay=5), 0)
    assert line.data("a", 1) == []
    assert line.control("b", 1.5) == []
    assert line.data("c", 3) == []  # not slow any more, but behind the others
    assert line.late(5.9) == []
    assert line.late(6.0) == ["a"]
    assert line.late(7.0) == ["b", "c"]
    assert line.data("d", 7) == ["d"]
