"""Which engine the platform on this machine will use."""

from __future__ import annotations

from virtufin_examples.client import Engine
from virtufin_examples.errors import PreconditionError


def local_engine(wanted: Engine) -> tuple[Engine, str]:
    """Return the engine and its runtime in words; `AUTO` becomes .NET, or Python where there is no .NET.

    Asking for .NET where there is none raises `PreconditionError`, which says what to install.
    """
    # Part of the services, which only a machine with a platform has installed.
    from virtufin_examples.workmanager.engines import find_dotnet_runtime  # noqa: PLC0415

    if wanted is Engine.PYTHON:
        return Engine.PYTHON, "Python"
    try:
        return Engine.DOTNET, find_dotnet_runtime().label
    except PreconditionError as error:
        if wanted is Engine.DOTNET:
            raise
        return Engine.PYTHON, f"Python (no .NET here: {error.message})"
