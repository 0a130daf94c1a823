"""Engines by MIME type: the built-in ones, and entry points of the group `virtufin.engines`."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import cast

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.workmanager.engines._dotnet import DotnetEngine
from virtufin_examples.workmanager.engines._engine import Engine
from virtufin_examples.workmanager.engines._python import PythonEngine

ENTRY_POINT_GROUP = "virtufin.engines"

_BUILT_IN: dict[str, type[DotnetEngine | PythonEngine]] = {
    DotnetEngine.mime_type: DotnetEngine,
    PythonEngine.mime_type: PythonEngine,
}


def find_engine(mime_type: str) -> Engine:
    """Return the engine of a MIME type; `InvalidInputError` names those that there are."""
    built_in = _BUILT_IN.get(mime_type)
    if built_in is not None:
        return built_in()
    plugins = entry_points(group=ENTRY_POINT_GROUP)
    for plugin in plugins:
        if plugin.name == mime_type:
            return cast("Engine", plugin.load()())
    known = ", ".join(sorted({*_BUILT_IN, *plugins.names}))
    raise InvalidInputError(f"mime_type: {mime_type!r} has no engine", hint=f"use one of {known}")
