"""How a service's process keeps the memory that its batches come and go in."""

from __future__ import annotations

import ctypes
import gc
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_KEPT_FREE_BYTES = 32 * 1024 * 1024
"""More than a queue and the batches on their way are at full rate; as much may stay with an idle process."""
_MAPPED_FROM_BYTES = 8 * 1024 * 1024
_COLLECT_AFTER = (20_000, 20, 20)
"""New objects before Python looks for unreachable cycles: one look at everything takes 5,000 connections
a tenth of a second, and by the defaults one comes every second or so."""


def keep_memory() -> bool:
    """Reuse freed memory; whether the system's `malloc` can be told to.

    By its defaults glibc gives a freed batch back to the system and takes it again for the next, and the
    kernel clears each page of it: an eighth of the frames/s. Python's collector is made to look less often:
    what the data path drops needs none.
    """
    gc.set_threshold(*_COLLECT_AFTER)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:  # musl, macOS, Windows
        return False
    return all([mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE_BYTES), mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)])
