"""The bench of what healing costs: its books are a venue's, all of them arrive, a bound can be missed."""

import json

import pytest

from benchmarks.healing._path import WAYS, Way
from benchmarks.healing._report import whole_way
from benchmarks.throughput._contenders import run_ours
from benchmarks.throughput._field import Load, open_field
from benchmarks.throughput.sender import QUESTION, depth_frames
from virtufin_examples.connections import Continuity
from virtufin_examples.venues.binance import BinanceConnector

SIZE, COUNT = 150, 500


def test_the_books_go_on_without_a_hole():
    frames = depth_frames(SIZE, COUNT)
    size = len(frames) // COUNT
    payloads = [frames[end - SIZE : end] for end in range(size, len(frames) + 1, size)]
    assert len(payloads) == COUNT
    assert all(json.loads(payload)["data"]["e"] == "depthUpdate" for payload in payloads)
    session = BinanceConnector().session("wss://stream.binance.com:9443/stream", {})
    assert session.stretches(payloads)
    continuity = Continuity()
    assert continuity.follow(payloads, session, 1) == []
    assert len(continuity.take_symbols()) == 8


def test_the_question_is_answered_and_asks_for_nothing():
    session = BinanceConnector().session("wss://stream.binance.com:9443/stream", {})
    session.sent(QUESTION, binary=False)
    assert (session.expects(), session.wanted()) == (1, frozenset())


async def test_the_books_come_to_the_subscriber_with_every_number_followed(tmp_path):
    load = Load(SIZE, 65536, COUNT, depth=True)
    async with open_field(tmp_path, print, peers=False) as field:
        outcome = await run_ours(field, load, upstream=WAYS["peek on every frame"])
    assert outcome.frames == COUNT
    assert outcome.processor_ns["WebSocketManager"] > 0


@pytest.mark.parametrize(("peek", "missed"), [(71.0, False), (69.0, True)])
def test_a_cost_above_its_bound_is_missed(peek, missed):
    ways = {"without": 100.0, "healing": 91.0, "peek on every frame": peek}
    lines, found = whole_way({name: Way([rate], [1e9 / rate]) for name, rate in ways.items()})
    assert (found, any("MISSED" in line for line in lines)) == (missed, missed)
