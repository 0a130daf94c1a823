"""How many sockets a process may have open."""

from __future__ import annotations

import sys


def allow_many_files() -> int | None:
    """Raise the limit of open files to what the system allows; return it, None where there is none.

    Systems start programs with 1,024 for the sake of those that still use `select`: fewer sockets than a
    WebSocketManager carries.
    """
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS takes no more than its kern.maxfilesperproc, whatever it says
        return soft
    return hard
