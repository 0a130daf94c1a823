"""The worker's package, built first where there is a .NET SDK and its source is newer."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from virtufin_examples.client import Engine, packed_worker
from virtufin_examples.errors import WorkerError

if TYPE_CHECKING:
    from virtufin_examples.worker_packages import WorkerPackage

_BUILD = Path(__file__).parents[2] / "workers" / "build.py"
_SHOWN_LINES = 15


async def built_worker(engine: Engine) -> WorkerPackage:
    """Return the worker for an engine; `WorkerError` shows the compiler's last words."""
    if engine is not Engine.PYTHON:
        await asyncio.to_thread(_build_if_stale)
    return await packed_worker(engine)


def _build_if_stale(build: Path = _BUILD) -> None:
    """Run `workers/build.py` in a checkout with an SDK when it says that the package is stale."""
    if not build.is_file() or shutil.which("dotnet") is None:
        return
    if _run(build, "--check").returncode == 0:
        return
    built = _run(build)
    if built.returncode != 0:
        last = "\n  ".join((built.stdout + built.stderr).splitlines()[-_SHOWN_LINES:])
        raise WorkerError(f"building the .NET worker failed:\n  {last}", hint="or use --engine python")


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own script
        [sys.executable, *map(str, command)], capture_output=True, text=True, check=False
    )
