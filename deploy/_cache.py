"""Where what is built or fetched once a machine is kept."""

from __future__ import annotations

import os
from pathlib import Path


class MissingError(Exception):
    """A program that is needed cannot be had; the message says which and what to do."""


def cache_folder(name: str) -> Path:
    """Return `<the user's cache>/virtufin/<name>`; it need not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "virtufin" / name
