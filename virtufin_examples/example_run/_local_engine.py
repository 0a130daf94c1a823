"""Which engine the platform on this machine will use."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from virtufin_examples.client import Engine
from virtufin_examples.errors import PreconditionError


def local_engine(wanted: Engine) -> tuple[Engine, str]:
    """Return the engine and its runtime in words; `AUTO` becomes .NET, or Python where there is no .NET.

    Asking for .NET where there is none raises `PreconditionError`, which says what to install.
    """
    # Part of the services, which only a machine with a platform has installed.
    from virtufin_examples.workmanager.engines import find_dotnet_runtime  # noqa: PLC0415

    if wanted is Engine.PYTHON:
        return Engine.PYTHON, f"CPython {platform.python_version()}"
    try:
        return Engine.DOTNET, find_dotnet_runtime(_environment()).label
    except PreconditionError as error:
        if wanted is Engine.DOTNET:
            raise
        return Engine.PYTHON, f"CPython {platform.python_version()}: {error.message}"


def _environment() -> dict[str, str]:
    """What the services will see: `.env`, then the environment."""
    from dotenv import dotenv_values  # noqa: PLC0415 - comes with pydantic-settings, as the services

    file = dotenv_values(".env") if Path(".env").is_file() else {}
    return {**{name: value for name, value in file.items() if value is not None}, **os.environ}
