from __future__ import annotations

import dataclasses
import io
import sys

import pytest
from rich.console import Console

from tests.example_run.samples import (
    CONNECTED,
    FAILED,
    GAP,
    HEADER,
    NOW,
    NUMBERED_GAP,
    OTHERS,
    SECOND,
    STEP,
    audited,
    book,
    frame,
    info,
    summary,
    trade,
)
from virtufin_examples.audit import Finding, FindingKind
from virtufin_examples.client import FeedSettings
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.example_run import _views
from virtufin_examples.example_run._edits import SymbolsChanged
from virtufin_examples.example_run._header import header_lines, learned_lines
from virtufin_examples.example_run._lines import event_line, frame_line
from virtufin_examples.example_run._market import Market
from virtufin_examples.example_run._options import View
from virtufin_examples.example_run._output import Output
from virtufin_examples.example_run._summary import summary_lines
from virtufin_examples.example_run._table import market_table
from virtufin_examples.example_run._views import LinesView, choose_view
from virtufin_examples.frames import Frame


def of(channel: str) -> FeedSettings:
    return dataclasses.replace(info().settings, channel=channel)


def line(one: Frame) -> str:
    return frame_line(one, Market(()).add(one)).strip()


def test_lines_name_type_symbol_and_prices() -> None:
    assert line(frame(7, trade("BTC/USD", 97000.5, 0.25))) == "7  T=t S=BTC/USD p=97000.5 s=0.25"
    assert line(frame(8, book("BTC/USD", 100.25, 101, full=True))) == "8  T=o S=BTC/USD b=100.25 a=101"
    assert line(frame(2, CONNECTED)) == "2  T=success connected"


def test_first_line_of_a_simulation_says_so() -> None:
    assert line(frame(1, CONNECTED)).endswith("SIMULATED")


def test_many_messages_are_cut_short() -> None:
    many = [trade(f"S{n}", n, n) for n in range(5)]
    assert line(frame(3, *many)) == "3  T=t S=S0 p=0 s=0  T=t S=S1 p=1 s=1  +3 more"


def test_markers_have_lines() -> None:
    assert event_line(GAP) == "gap (reconnect): 500 ms, epoch 1 to 2"
    assert event_line(NUMBERED_GAP) == "gap (bus): 250 ms, epoch 1 to 1, sequences 5 to 7, still open"
    assert [event_line(item).partition(":")[0] for item in OTHERS] == ["stale", "restored", "silent"]


def test_header_fits_and_says_simulated() -> None:
    lines = header_lines(HEADER)
    assert "SIMULATED" in lines[0]
    assert max(map(len, lines)) <= 80
    for label in ("run", "gateway", "upstream", "package", "engine", "symbols", "topic"):
        assert any(line.startswith(f"  {label}") for line in lines)


@pytest.mark.parametrize("simulated", [True, False])
def test_summary_fits_and_says_simulated(simulated: bool) -> None:
    lines = summary_lines(summary(simulated=simulated))
    assert ("SIMULATED" in lines[0]) is simulated
    assert max(map(len, lines)) <= 80
    assert "frames    100" in lines[1]
    assert lines[-1].endswith("nothing of run abcd1234")


def test_summary_of_a_kept_feed_says_how_to_end_it() -> None:
    assert "virtufin feed stop abcd1234" in summary_lines(summary(kept=True))[-1]


def test_summary_of_a_run_with_faults_tells_the_account() -> None:
    lines = summary_lines(summary(account=audited()))
    at = next(n for n, line in enumerate(lines) if line.startswith("  account"))
    assert lines[at : at + 2] == [
        "  account   closed: 12,345 frames sent, 12,300 delivered,",
        "            45 in 3 announced gaps; 2 faults of 2 s",
    ]


def test_an_account_that_does_not_close_says_what_was_found() -> None:
    lost = Finding(FindingKind.LOSS, f"frame 7 of btcusdt@depth, sent at {NOW}" + "x" * 100)
    lines = summary_lines(summary(account=audited(lost)))
    assert any("NOT closed, 1 findings" in line for line in lines)
    assert any("loss: frame 7 of btcusdt@depth" in line for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_summary_without_a_measured_frame_says_so() -> None:
    assert any("not measured" in line for line in summary_lines(summary(measured=False)))


@pytest.mark.parametrize("channel", ["orderbooks", "trades"])
def test_table_fits_in_eighty_columns_with_its_title(channel: str) -> None:
    market = Market(("BTC/USD",))
    market.add(frame(123_456, book("BTC/USD", 97000.03, 97001.94, full=True), trade("AVAX/USD", 30.199, 12)))
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(
        market_table(
            market.rows, title="SIMULATED  x", settings=of(channel), now_ns=NOW, height=9, notes=["n" * 200]
        )
    )
    text = console.export_text()
    assert text.startswith("SIMULATED")
    head = text.splitlines()[1]
    wanted = ["bid", "ask", "spread"] if channel == "orderbooks" else ["last", "size"]
    assert head.split() == ["symbol", *wanted, "frames", "rate/s", "age", "sequence", "gaps"]
    assert ("97000.03" in text) is (channel == "orderbooks")
    assert "…" not in "".join(text.splitlines()[1:4])


def table_lines(rows: int, height: int | None, now_ns: int) -> list[str]:
    market = Market(tuple(f"S{n}" for n in range(rows)))
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(
        market_table(
            market.rows, title="", settings=of("trades"), now_ns=now_ns, height=height, notes=["a note"]
        )
    )
    return console.export_text().splitlines()


def test_a_table_that_is_too_long_is_shown_page_by_page_within_the_height() -> None:
    seen: list[str] = []
    for page in range(5):
        lines = table_lines(50, 12, page * 4 * SECOND)
        names = [line.split()[0] for line in lines if line.startswith("S")]
        assert len(names) == 10
        assert f"{page * 10 + 1} to {page * 10 + 10} of 50 symbols, page by page" in lines
        assert lines[-1] == ""
        assert len(lines) <= 24 - 7
        seen += names
    assert seen == [f"S{n}" for n in range(50)]


def test_a_table_without_a_limit_has_all_rows() -> None:
    lines = table_lines(50, None, NOW)
    assert sum(line.startswith("S") for line in lines) == 50
    assert not any("page by page" in line for line in lines)


def test_changes_and_refusals_have_lines(capsys: pytest.CaptureFixture[str]) -> None:
    view = choose_view(View.LINES, info().settings, Output(sys.stdout))
    view.changed(SymbolsChanged(("SOL/USD",), ("BTC/USD",), 11, 6))
    view.changed(SymbolsChanged(("AUSDT",), (), 11, 6, "Binance answered with HTTP status 418"))
    view.refused(InvalidInputError("s.json: not JSON", hint="correct it"))
    said = capsys.readouterr().out
    assert "symbols: added SOL/USD; removed BTC/USD (11 connections, 6 workers)" in said
    assert "6 workers); whether they exist was not checked: Binance answered with HTTP status 418" in said
    assert "edit refused, nothing changed: s.json: not JSON (fix: correct it)" in said


def test_steps_are_numbered_after_the_header() -> None:
    stream = io.StringIO()
    view = LinesView(Output(stream), of("trades"))
    view.step(STEP)
    view.header(HEADER)
    view.step(STEP)
    view.step(FAILED)
    lines = [line for line in stream.getvalue().splitlines() if line.endswith(("c-1", " ms"))]
    assert [line.split()[0] for line in lines] == ["create", "1", "2"]
    assert "no secret 'alpaca'" in stream.getvalue()


@pytest.mark.parametrize(("simulated", "said"), [(True, "SIMULATED"), (False, "live")])
def test_what_the_header_could_not_say_comes_after_the_steps(simulated: bool, said: str) -> None:
    stream = io.StringIO()
    view = LinesView(Output(stream), of("trades"))
    view.header(dataclasses.replace(HEADER, simulated=None, engine="", upstream="ws://h/v1"))
    assert not {"SIMULATED", "engine"} & set(stream.getvalue().split())
    view.live(info(simulated=simulated))
    assert stream.getvalue().endswith(f"  engine    python on CPython 3.11\n  data      {said}\n\n")


def test_what_the_header_said_is_not_said_again() -> None:
    assert learned_lines(HEADER, simulated=True, engine="python on CPython 3.11") == []


@pytest.mark.parametrize("simulated", [True, False])
def test_title_of_the_table_tells_simulated_data(
    simulated: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    feed = info(simulated=simulated)
    view = choose_view(View.TABLE, feed.settings, Output(sys.stdout))
    view.live(feed)
    view.tick()
    view.ended()
    assert ("SIMULATED" in capsys.readouterr().out) is simulated


@pytest.mark.parametrize("kind", [View.LINES, View.TABLE])
def test_views_tell_a_silence(
    kind: View, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0]
    monkeypatch.setattr(_views.time, "monotonic_ns", lambda: now[0])
    feed = info()
    view = choose_view(kind, feed.settings, Output(sys.stdout))
    view.live(feed)
    for item in OTHERS:
        view.item(item)
    now[0] = 7 * SECOND
    view.tick()
    view.ended()
    text = capsys.readouterr().out
    for said in ("stale: BTC/USD", "restored: the whole connection", "silent: ", "quiet: no frame for 7 s"):
        assert said in text


def test_output_whose_reader_has_gone_is_silent_and_says_so_once() -> None:
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    told: list[int] = []
    output = Output(Closed(), on_closed=lambda: told.append(1))
    output.line("a")
    output.line("b")
    assert told == [1]
