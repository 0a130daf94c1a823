"""Where the spool lies when nobody says otherwise."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def spool_root(spool_dir: Path | None, data_dir: Path | None) -> Path:
    """Return the folder: as set, `spool` in the data folder, or `virtufin/spool` in the user's cache folder.

    Not the folder for temporary files: it is memory on many systems, which a spool is there to save. Only a
    user without a home has it there.
    """
    if spool_dir is not None:
        return spool_dir
    if data_dir is not None:
        return data_dir / "spool"
    cache = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(cache) if cache else Path.home() / ".cache") / "virtufin" / "spool"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"virtufin-spool-{os.getuid()}"
