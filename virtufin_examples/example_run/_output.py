"""stdout, for as long as somebody reads it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO


class Output:
    """Writes whole lines and flushes each; when the reader has gone it falls silent and calls `on_closed`."""

    def __init__(self, stream: TextIO, on_closed: Callable[[], None] = lambda: None) -> None:
        self._stream = stream
        self.on_closed = on_closed
        self._closed = False

    def line(self, text: str) -> None:
        """Write one line."""
        if self._closed:
            return
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except BrokenPipeError:
            self._closed = True
            if self._stream is sys.stdout:  # the interpreter flushes it once more as it ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            self.on_closed()
