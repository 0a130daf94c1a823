"""Engines: what runs workers of one MIME type. Importing this package starts nothing."""

from virtufin_examples.workmanager.engines._engine import Engine, GatewayPort, LoadedWorker
from virtufin_examples.workmanager.engines._registry import find_engine
from virtufin_examples.workmanager.engines._runtimes import (
    RUNTIME_VARIABLE,
    DotnetKind,
    DotnetRuntime,
    EngineStatus,
    available_engines,
    find_dotnet_runtime,
)

__all__ = [
    "RUNTIME_VARIABLE",
    "DotnetKind",
    "DotnetRuntime",
    "Engine",
    "EngineStatus",
    "GatewayPort",
    "LoadedWorker",
    "available_engines",
    "find_dotnet_runtime",
    "find_engine",
]
