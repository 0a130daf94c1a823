from __future__ import annotations

from virtufin_examples.example_run._quiet import Quiet

SECOND = 1_000_000_000


def test_silence_is_told_after_five_seconds_and_whenever_it_doubled() -> None:
    quiet = Quiet(0)
    told = [second for second in range(60) if quiet.line(second * SECOND)]
    assert told == [5, 10, 20, 40]
    assert quiet.line(80 * SECOND) == "quiet: no frame for 80 s"


def test_frame_ends_a_silence() -> None:
    quiet = Quiet(0)
    quiet.frame(4 * SECOND)
    assert not quiet.line(8 * SECOND)
    assert quiet.line(9 * SECOND)
    quiet.frame(9 * SECOND)
    assert not quiet.line(13 * SECOND)
    assert quiet.line(14 * SECOND) == "quiet: no frame for 5 s"
