"""Credit for a replay, read from stdin."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from virtufin_examples.errors import InvalidInputError

if TYPE_CHECKING:
    from virtufin_examples.client import Replay


class CreditReader:
    """Grants what the lines of stdin say; their end is the end of the replay."""

    def __init__(self, replay: Replay) -> None:
        self.error: InvalidInputError | None = None
        self._replay = replay
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, name="credit", daemon=True).start()

    def _read(self) -> None:
        pending = b""
        while chunk := os.read(0, 4096):  # unbuffered: its lock would keep the program from ending
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                self._call(self._grant, line)
        if pending:
            self._call(self._grant, pending)
        self._call(self._end, b"")

    def _call(self, method: Callable[[bytes], None], line: bytes) -> None:
        with contextlib.suppress(RuntimeError):  # the replay is over and its loop closed
            self._loop.call_soon_threadsafe(method, line)

    def _grant(self, line: bytes) -> None:
        text = line.strip()
        if text.isdigit():
            self._replay.grant(int(text))
        elif text and self.error is None:
            seen = text.decode(errors="replace")
            self.error = InvalidInputError(f"credit is {seen!r}", hint="write one whole number a line")
            self._replay.stop()

    def _end(self, _line: bytes) -> None:
        self._replay.finish()
