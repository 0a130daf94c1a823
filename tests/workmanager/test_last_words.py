"""Why a host ended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.workmanager._last_words import MAX_LINE_CHARACTERS, StderrLines, describe_exit


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_lines_do_not_depend_on_how_the_bytes_arrive(chunks: list[bytes]) -> None:
    whole, pieces = StderrLines(), StderrLines()
    expected = [*whole.feed(b"".join(chunks)), *whole.feed(b"", final=True)]
    assert [line for chunk in chunks for line in pieces.feed(chunk)] + pieces.feed(
        b"", final=True
    ) == expected
    assert whole.last == pieces.last


def test_a_line_without_end_takes_no_memory() -> None:
    lines = StderrLines()
    for _ in range(1000):
        assert lines.feed(b"x" * 1000) == []
    assert lines.feed(b"", final=True) == ["x" * MAX_LINE_CHARACTERS]


def test_the_last_words_are_the_line_that_says_why() -> None:
    lines = StderrLines()
    lines.feed(b"Unhandled exception. System.Exception: no luck\n   at A.B()\n--- End ---\n\n====\n")
    assert lines.last == "Unhandled exception. System.Exception: no luck"
    lines.feed(b"=====\n\tNative Crash Reporting\n====\nGot a SIGABRT\n")
    assert lines.last == "Unhandled exception. System.Exception: no luck"
    assert describe_exit(-6, "bang", abort_hint="install it") == (
        "the worker's host was killed by SIGABRT: bang (install it)"
    )
    assert describe_exit(-9, "", abort_hint="install it") == "the worker's host was killed by SIGKILL"
    assert describe_exit(-1000, "") == "the worker's host was killed by signal 1000"
    assert describe_exit(3, "bye") == "the worker's host ended with status 3: bye"
