"""Why a host ended, in one line, from its exit status and the end of its stderr."""

from __future__ import annotations

import codecs
import re
import signal

MAX_LINE_CHARACTERS = 2000

_WORD = re.compile(r"[A-Za-z]{2}")
# Frames of stack traces: the line before them says more.
_NOISE = re.compile(r"^(\s+at |\s*File \"|-{3})")
# Mono's crash report is long and says nothing of the cause, which is in the line before it.
_CRASH_REPORT = re.compile(r"^\tNative Crash Reporting")


class StderrLines:
    """Cuts a byte stream into lines of bounded length and remembers the last one that says something."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._in_report = False
        self.last = ""

    def feed(self, data: bytes, *, final: bool = False) -> list[str]:
        """Return the lines that are complete; overlong ones are cut, their remainder is dropped."""
        parts = re.split(r"\r?\n", self._rest + self._decoder.decode(data, final))
        self._rest = "" if final else parts.pop()[:MAX_LINE_CHARACTERS]
        lines = [part[:MAX_LINE_CHARACTERS] for part in parts if part.strip()]
        for line in lines:
            self._in_report = self._in_report or _CRASH_REPORT.match(line) is not None
            counts = not (self._in_report and self.last) and not _NOISE.match(line)
            if counts and _WORD.search(line):
                self.last = line.strip()
        return lines


def describe_exit(status: int, last_line: str, *, abort_hint: str = "") -> str:
    """Return how a host ended: its status or signal, its last words, and the hint if it aborted."""
    how = f"was killed by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
    words = f": {last_line}" if last_line else ""
    hint = f" ({abort_hint})" if abort_hint and status == -signal.SIGABRT else ""
    return f"the worker's host {how}{words}{hint}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
