"""Which engine runs the worker, and the package that it runs."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtufin_examples.worker_packages import WorkerPackage


class Engine(enum.StrEnum):
    """`AUTO` is .NET, or the Python twin where the platform has no runtime for it."""

    AUTO = "auto"
    DOTNET = "dotnet"
    PYTHON = "python"


PackageSource = Callable[[Engine], Awaitable["WorkerPackage"]]


async def packed_worker(engine: Engine) -> WorkerPackage:
    """Return the WebSocketManagerController that comes with this library, for one engine."""
    return await asyncio.to_thread(_load, engine)


def _load(engine: Engine) -> WorkerPackage:
    from virtufin_examples import worker_packages  # noqa: PLC0415 - reads files: not at import

    if engine is Engine.PYTHON:
        return worker_packages.python_package()
    return worker_packages.dotnet_package()
