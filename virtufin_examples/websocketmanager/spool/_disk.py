"""The few calls to the file system that the spool makes, in one place, so that a test can let them fail."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_FILE_MODE = 0o600
FOLDER_MODE = 0o700
"""Frames of a private stream are nobody else's to read."""


def open_file(path: Path) -> int:
    """Open for reading and writing, making the file where there is none; return the descriptor."""
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), _FILE_MODE)


def lock(descriptor: int) -> None:
    """Take the file for this process; `BlockingIOError` when another has it.

    The lock ends with the process, however it ends. Where the system has no such lock it is an `OSError`, and
    the WebSocketManager says that it runs without a spool.
    """
    if sys.platform == "win32":
        raise OSError("the spool needs the file locks of a POSIX system")
    import fcntl  # noqa: PLC0415 - not on Windows

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of `data`; raises `OSError`, after which any part of it may have been written."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def read_at(path: Path, offset: int, size: int) -> bytes:
    """Return up to `size` bytes."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        parts: list[bytes] = []
        while size > 0:
            part = os.pread(descriptor, size, offset)
            if not part:
                break
            parts.append(part)
            size -= len(part)
            offset += len(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def replace(path: Path, data: bytes) -> None:
    """Write a small file so that a reader sees the old or the new content, never a part."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(data)
    draft.replace(path)
