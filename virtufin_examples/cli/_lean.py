"""Imports of a service's process that cost more than they give."""

from __future__ import annotations

import sys


def import_structlog_without_rich() -> None:
    """Import structlog as it is where rich is not installed: a seventh of a service's start is rich.

    structlog takes it for coloured tracebacks, which a service's log has not. To be called first thing, while
    nothing else imports; what wants rich later gets it.
    """
    if "rich" in sys.modules or "structlog" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # the import system's word for "not to be had"
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
