"""How far long work is, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Self

_TERMINAL_SECONDS = 0.5
_LINE_SECONDS = 10.0  # where stderr is no terminal


class Progress:
    """A line on stderr: rewritten twice a second on a terminal, else one every 10 s; none with `--json`."""

    def __init__(self, *, as_json: bool) -> None:
        self._terminal = sys.stderr.isatty()
        self._seconds = _TERMINAL_SECONDS if self._terminal else _LINE_SECONDS
        self._silent = as_json
        self._begun = False
        self._shown_at = time.monotonic()
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")

    def begin(self) -> bool:
        """Whether this is the first time."""
        first, self._begun = not self._begun, True
        return first

    def show(self, text: Callable[[], str]) -> None:
        """Show it when it is time to."""
        now = time.monotonic()
        if self._silent or now - self._shown_at < self._seconds:
            return
        self._shown_at = now
        line = text()
        if self._terminal:
            sys.stderr.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()
