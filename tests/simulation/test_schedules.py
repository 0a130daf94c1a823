"""Some simulated schedules: `make test-schedules` runs 300, `pytest tests/simulation --seed N` one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.__main__ import problems
from tests.simulation.plan import Kind, Mode, draw, mode_of
from tests.simulation.schedule import FRAMES, run_schedule
from virtufin_examples.connections._coverage import Coverage
from virtufin_examples.connections._stream import Stream
from virtufin_examples.frames import Frame, Merger
from virtufin_examples.venues import Arbiter

SAMPLE = (*range(12), 122, 189)  # 122: a socket and its successor are cut together; 189: two half-open


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        given = metafunc.config.getoption("--seed")
        metafunc.parametrize("seed", SAMPLE if given is None else [given])


def test_every_account_closes(seed):
    outcome = run_schedule(seed)
    assert problems(outcome) == []
    assert outcome.frames >= FRAMES


def test_the_same_seed_gives_the_same_stream_whatever_the_order_of_sets():
    program = "import sys; from tests.simulation.schedule import run_schedule\n"
    program += "print(*(run_schedule(seed, frames=2000).digest for seed in (2, 3)))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_another_seed_gives_another_stream():
    assert run_schedule(0, frames=500).digest != run_schedule(6, frames=500).digest


def test_any_sixty_seeds_in_a_row_plan_all_faults_in_all_modes():
    for first in (0, 1000):
        seeds = range(first, first + 60)
        assert {mode_of(seed) for seed in seeds} == set(Mode)
        assert {fault.kind for seed in seeds for fault in draw(seed, mode_of(seed))} == set(Kind)


def swallow_gaps(monkeypatch):
    monkeypatch.setattr(Stream, "_announce_break", lambda self, *_, **__: setattr(self, "_break", None))


def swallow_what_two_half_open_sockets_lost(monkeypatch):
    monkeypatch.setattr(Coverage, "_tell", lambda *_: None)


def lose_a_frame(monkeypatch):
    receive = Stream.receive

    def losing(self, messages, *parts, **options):
        if self.frames < 1000 <= self.frames + len(messages):
            self.frames += 1
            messages = messages[:-1]
        if messages:
            receive(self, messages, *parts, **options)

    monkeypatch.setattr(Stream, "receive", losing)


def repeat_a_frame(monkeypatch):
    add = Merger.add

    def repeating(self, items, **options):
        out = add(self, items, **options)
        return out + [item for item in out if isinstance(item, Frame) and item.sequence == 1000]

    monkeypatch.setattr(Merger, "add", repeating)


def drop_what_only_the_slower_socket_brings(monkeypatch):
    arbitrate = Arbiter._by_identity
    highest = {}

    def dropping(self, arrival, identities, memory):
        passed = arbitrate(self, arrival, identities, memory)
        if isinstance(identities[0], tuple):
            (((channel, symbol, number),),) = identities
            if number < highest.get((channel, symbol), 0):
                return []
            highest[channel, symbol] = number
        return passed

    monkeypatch.setattr(Arbiter, "_by_identity", dropping)


@pytest.mark.parametrize(
    ("plant", "struck", "found"),
    [
        (swallow_gaps, 4, "loss"),
        (swallow_what_two_half_open_sockets_lost, 189, "loss"),
        (lose_a_frame, 4, "loss"),
        (repeat_a_frame, 4, "repeat"),
        (drop_what_only_the_slower_socket_brings, 21, "loss"),
    ],
    ids=["swallowed gaps", "a gap of two sockets", "a loss", "a repeat", "a late frame"],
)
def test_a_fault_planted_in_the_chain_is_found(plant, struck, found, monkeypatch):
    plant(monkeypatch)
    outcome = run_schedule(struck, frames=2000)
    assert any(found in problem for problem in problems(outcome))
