"""The data path's benchmark: what it runs, what it says of what cannot run, and how it judges."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from benchmarks import _page as page
from benchmarks._child import running
from benchmarks._many_workers import ManyWorkers
from benchmarks._measure import Figure, table
from benchmarks.throughput import guard, soak
from benchmarks.throughput._contenders import (
    CONTENDERS,
    CRYPTOFEED,
    NOTHING,
    OURS_BATCH,
    OURS_FRAME,
    OURS_SINGLY,
    PER_FRAME,
)
from benchmarks.throughput._field import READER, Load, Upstream, finish, open_field, sending
from benchmarks.throughput._report import not_measured, tables, write_plots
from benchmarks.throughput._rounds import CHUNK, DataFigures, DataPlan, Latency, Row, run_contenders
from benchmarks.throughput._scaling import Sweeps, run_most_connections
from benchmarks.throughput._targets import targets
from benchmarks.throughput.reader import Read
from benchmarks.throughput.sender import DUE, SMALLEST, text_frame
from virtufin_examples.errors import PreconditionError, UnavailableError

NO_SWEEPS = Sweeps(rounds=0, sizes=(), connections=(), topics=(), subscribers=())


def plan(**changes) -> DataPlan:
    parts = {
        "cells": {(150, CHUNK): (1, 0.01)},
        "seconds": 0.01,
        "latency_rates": (),
        "latency_rounds": 0,
        "latency_seconds": 0.0,
        "sweeps": NO_SWEEPS,
    }
    return DataPlan(**{**parts, **changes})


def figures() -> DataFigures:
    """Five rounds in which ours does 400,000 to 600,000 frames/s, and every peer a hundredth."""
    ours = [400_000.0, 600_000.0, 500_000.0]
    rows = [
        Row(
            name,
            size,
            write,
            ours if name == OURS_BATCH else [each / 100 for each in ours],
            {"receiver": [2.0]},
            [470.0],
        )
        for name in CONTENDERS
        for size in (150, 1000)
        for write in (CHUNK, 1)
    ]
    latency = [
        Latency(rate, [[200.0, 900.0, 2000.0, 3000.0]], [[300.0, 950.0, 2000.0, 3000.0]])
        for rate in (100, 1000)
    ]
    sweeps = {
        name: [{"x": x, "frames_a_second": 1e6 / x} for x in (1, 10, 5000) for _ in range(2)]
        for name in ("frame size", "topics", "subscribers", "connections")
    }
    return DataFigures(rows, latency, sweeps, {"1": 50_000_000, "5000": 150_000_000})


def test_a_frame_is_of_the_size_asked_for_and_has_its_time_inside():
    for size in (SMALLEST, 150, 1000, 70_000):
        payload = text_frame(size, 1_700_000_000_123_456_789)[-size:]
        assert int(payload[DUE]) == 1_700_000_000_123_456_789
        assert json.loads(payload)["data"]["s"] == "BTCUSDT"
    with pytest.raises(ValueError, match=f"below {SMALLEST}"):
        text_frame(SMALLEST - 1)


async def test_contenders_without_peers_move_every_frame_and_a_peer_that_is_missing_says_why(tmp_path):
    async with open_field(tmp_path, print, peers=False) as field:
        field.problems["redis"] = "no redis-server on PATH"
        rows = await run_contenders(
            field, plan(), print, [OURS_BATCH, OURS_SINGLY, OURS_FRAME, PER_FRAME, NOTHING, CRYPTOFEED]
        )
        *ran, missing = rows
        assert [(row.problem, len(row.rates)) for row in ran] == [("", 1)] * 5
        assert ran[0].network_bytes[0] > 3 * 150  # to us, to the runtime, to the subscriber
        assert set(ran[0].processor_us) == {"runtime and gateway", "WebSocketManager", "subscriber"}
        assert (missing.problem, missing.rates) == ("redis: no redis-server on PATH", [])


async def test_connections_are_opened_step_by_step_and_their_frames_all_arrive(tmp_path):
    async with open_field(tmp_path, print, peers=False) as field:
        sweeps = Sweeps(rounds=1, sizes=(), connections=(1, 20, 10**9), topics=(), subscribers=())
        points, idle, problems = await run_most_connections(field, sweeps, 0.001, print)
        assert [point["x"] for point in points] == [20] * 5
        assert set(idle) == {"1", "20"}
        assert problems[0].startswith("1000000000 connections: the limit of open files is ")
        latency = await CONTENDERS[OURS_BATCH][0](field, Load(150, CHUNK, 200, rate=2000.0))
        assert latency.frames == 200


async def test_a_soak_runs_at_half_of_the_maximum_and_counts_every_frame(tmp_path, monkeypatch):
    monkeypatch.setattr(soak, "_MAXIMUM_FRAMES", 5000)
    async with open_field(tmp_path, print, peers=False) as field:
        spans, sent = await soak.soak(field, 0.01, print)
        assert soak.verdicts(spans, sent)["no loss"] == "ok"


async def test_a_run_that_loses_frames_fails_with_their_number(tmp_path):
    sent, expected = Load(150, CHUNK, 97), Load(150, CHUNK, 100)
    async with open_field(tmp_path, print, peers=False) as field, sending(sent) as (sender, port):
        topic = field.new_topic()
        words = ("--dapr", field.runtime, "--topics", topic, "--frames", "100", "--quiet", "0.5")
        async with running(READER, *words) as reader:
            await reader.answer(str)
            (connection,) = await field.connect(port, Upstream(), [topic], "batch", 1)
            with pytest.raises(PreconditionError, match="3 of 100 frames of 150 bytes never came, 0 gaps"):
                await finish(sender, [reader], (), expected, lambda: field.ask(connection, Upstream()))


async def test_a_client_that_leaves_in_its_handshake_holds_up_nobody_else():
    async with sending(Load(150, CHUNK, 100)) as (_sender, port):
        _, leaving = await asyncio.open_connection("127.0.0.1", port)
        leaving.write(b"GET / HTTP/1.1\r\nHost: ")
        leaving.close()
        await leaving.wait_closed()
        command = ("--url", f"ws://127.0.0.1:{port}", "--frames", "100")
        async with running("benchmarks.peers.receive_nothing", *command) as receiver:
            await receiver.answer(str)
            receiver.tell("go")
            assert (await receiver.answer(Read)).lost == 0


async def test_what_of_ours_cannot_run_is_no_peer_and_is_named(monkeypatch, tmp_path):
    async def fail(field, load, **_):
        raise UnavailableError("no room")

    monkeypatch.setitem(CONTENDERS, OURS_BATCH, (fail, 1000.0))
    monkeypatch.setitem(CONTENDERS, CRYPTOFEED, (fail, 1000.0))
    rows = await run_contenders(None, plan(), print, [OURS_BATCH, CRYPTOFEED])
    found = DataFigures(rows, [], {}, {}, problems=["5000 connections: no room"])
    assert not_measured(found) == [
        "ours, encoding batch, 150 bytes, 65,536 bytes a write: no room",
        "5000 connections: no room",
    ]
    assert "Not measured: 5000 connections: no room." in tables(found)


def test_every_target_has_a_verdict():
    found = {each.name: each.verdict for each in targets(figures())}
    assert found["150 B, `batch`, embedded"] == "ok"
    assert found["times the per-frame design"] == "ok"
    assert found["150 B, `frame`, embedded"] == "MISSED"
    assert found["latency at 1,000/s, p99"] == "ok"
    assert found["latency at 100,000/s, p99"] == "not measured"
    assert found["memory an idle connection"] == "ok"
    assert found["5,000 connections, of one's frames/s"] == "MISSED"


def test_the_page_shows_the_tables_between_its_marks_and_links_the_pictures(tmp_path):
    text = (page._DOCS / "performance.md").read_text()
    (tmp_path / "performance.md").write_text(text)
    help_time = Figure("virtufin --help", "s", (0.1, 0.2, 0.3), 0.4)
    report = {
        "machine": {"system": "Linux"},
        "data": figures(),
        "figures": [help_time.as_json()],
        "workers": [ManyWorkers("python", 100, 9.0, 15.0, 1.0)],
    }
    page.write_page(report, tmp_path)
    page.write_page(report, tmp_path)  # again: it replaces, and adds nothing
    written = (tmp_path / "performance.md").read_text()
    assert written.count("### Targets") == 1
    assert written.startswith(text.partition(page._BEGIN)[0])
    assert written.endswith(text.partition(page._CONTROL[1])[2])
    between = text.partition(page._END)[2].partition(page._CONTROL[0])[0]
    assert between in written
    control = written.partition(page._CONTROL[0])[2].partition(page._CONTROL[1])[0]
    assert table([help_time]) in control
    assert "| 100 python | 9.0 |" in control
    pictures = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert len(pictures) == 6
    assert all(f"({name})" in written for name in pictures)
    kept = msgspec.json.decode((tmp_path / "performance.json").read_bytes(), type=page.Report)
    assert kept.data == figures()


def test_a_contender_that_cannot_run_stands_in_the_table_with_the_reason(tmp_path):
    found = figures()
    for row in found.throughput:
        if row.contender == CRYPTOFEED:
            row.rates, row.problem = [], "no redis-server on PATH"
    shown = tables(found)
    assert "cannot run: no redis-server on PATH" in shown
    assert write_plots(found, tmp_path)
    assert {each.name: each.verdict for each in targets(found)}["times cryptofeed to Redis"] == "not measured"


def test_the_guard_fails_only_when_two_measurements_agree(monkeypatch, capsys):
    checked_in = msgspec.json.decode(guard.CHECKED_IN.read_bytes(), type=guard.Guarded)

    def of(bare, per_frame):
        return guard.Guarded(checked_in.of_bare_receive * bare, checked_in.of_per_frame_design * per_frame)

    for measured, status in (
        ([of(0.71, 0.71)], 0),
        ([of(0.5, 1), of(1, 1)], 0),
        ([of(0.5, 1), of(1, 0.5)], 0),
        ([of(0.5, 1), of(0.6, 0.5)], 1),
    ):
        monkeypatch.setattr(guard, "measure", iter(measured).__next__)
        assert guard.main([]) == status
    err = capsys.readouterr().err
    assert "of_bare_receive is" in err
    assert "of_per_frame_design is" not in err
    assert "CHANGELOG.md" in err


def test_a_soak_is_judged_by_its_second_and_last_quarter():
    def span(**changes):
        return soak.Span(
            **{"frames": 10, "lost": 0, "p50_ms": 1.0, "p99_ms": 2.0, "megabytes": {"a": 100.0}, **changes}
        )

    assert set(soak.verdicts([span(p99_ms=50.0), *[span()] * 7], 80).values()) == {"ok"}
    assert soak.verdicts([span()] * 8, 81)["no loss"] == "80 of 81 frames, 0 gaps"
    assert soak.verdicts([span()] * 7 + [span(lost=1)], 80)["no loss"] == "80 of 80 frames, 1 gaps"
    late = [span()] * 6 + [span(megabytes={"a": 108.0}, p99_ms=5.0)] * 2
    found = soak.verdicts(late, 80)
    assert found["memory of a"] == "grew from 100.0 to 108.0 MB"
    assert found["latency, p99"] == "grew from 2.00 to 5.00 ms"
