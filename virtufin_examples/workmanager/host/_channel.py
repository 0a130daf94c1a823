"""The host's end of the pipe: private descriptors, whole messages, one writer at a time."""

from __future__ import annotations

import os
import sys
import threading
from typing import BinaryIO

from virtufin_examples.workmanager._wire import (
    HEADER_BYTES,
    FromHost,
    ToHost,
    body_length,
    pack,
    read_to_host,
)


class Channel:
    """Messages to and from the WorkManager. `send` may be called from any thread."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._lock = threading.Lock()

    def receive(self) -> ToHost | None:
        """Wait for a message; None when the WorkManager has closed the pipe."""
        header = self._incoming.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            return None
        length = body_length(header)
        body = self._incoming.read(length)
        return read_to_host(body) if len(body) == length else None

    def send(self, message: FromHost) -> None:
        """Send a message."""
        data = pack(message)
        with self._lock:
            self._outgoing.write(data)
            self._outgoing.flush()


def take_over_stdio() -> Channel:
    """Move the pipe off descriptors 0 and 1, which then are nothing and stderr.

    Called before any worker code is loaded, so that what it reads or prints cannot touch the protocol.
    """
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    if hasattr(os, "register_at_fork"):  # a forked child must not keep the pipe open after our end
        os.register_at_fork(after_in_child=lambda: _close(incoming, outgoing))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a worker's last words must not sit in a buffer
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="backslashreplace")
    return Channel(incoming, outgoing)


def _close(*streams: BinaryIO) -> None:
    for stream in streams:
        os.close(stream.fileno())
