from __future__ import annotations

from pathlib import Path

import pytest

from virtufin_examples.example_run._options import Options, Upstream, View, parse


def options(*arguments: str) -> Options:
    return parse(arguments, prog="example.py", description="An example.", settings=Path("s.json"))


def test_without_flags_everything_is_chosen_later() -> None:
    assert options() == Options(Path("s.json"), None, None, "auto", Upstream.AUTO, "", None, keep=False)


def test_flags_are_read() -> None:
    given = options(
        *("--settings", "t.json", "--frames", "5", "--duration", "1.5", "--engine", "python"),
        *("--upstream", "simulator", "--gateway", "h:1", "--view", "lines", "--keep"),
    )
    assert given == Options(
        Path("t.json"), 5, 1.5, "python", Upstream.SIMULATOR, "h:1", View.LINES, keep=True
    )
    assert options("--json").view is View.JSON


@pytest.mark.parametrize(
    "arguments",
    [
        ["--frames", "0"],
        ["--frames", "x"],
        ["--duration", "-1"],
        ["--duration", "inf"],
        ["--duration", "nan"],
        ["--engine", "java"],
        ["--upstream", "none"],
        ["--json", "--view", "table"],
        ["--fram", "5"],
        ["extra"],
    ],
)
def test_wrong_usage_ends_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        options(*arguments)
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert "usage: example.py" in printed.err


def test_help_has_an_example_and_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        options("--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "example.py --frames 50 --json" in text
    assert "exit status: 0" in text
