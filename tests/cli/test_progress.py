from __future__ import annotations

import io
import sys

import pytest

from virtufin_examples.cli import _progress
from virtufin_examples.cli._progress import Progress


class Stderr(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    return now


def shown(monkeypatch, clock: list[float], *, terminal: bool, as_json: bool = False) -> str:
    stderr = Stderr(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", stderr)
    with Progress(as_json=as_json) as progress:
        for tenth in range(251):
            clock[0] = tenth / 10
            progress.show(lambda: f"at {clock[0]:g} s")
    return stderr.getvalue()


def test_on_a_terminal_one_line_is_written_over_and_taken_away(monkeypatch, clock) -> None:
    text = shown(monkeypatch, clock, terminal=True)
    assert text.count("\r") == 50 + 2
    assert "\n" not in text
    assert text.endswith("\r" + " " * len("at 25 s") + "\r")


def test_elsewhere_it_is_a_line_every_ten_seconds(monkeypatch, clock) -> None:
    assert shown(monkeypatch, clock, terminal=False) == "at 10 s\nat 20 s\n"


def test_with_json_there_is_none(monkeypatch, clock) -> None:
    assert shown(monkeypatch, clock, terminal=True, as_json=True) == ""
