"""The environment of a worker host: what Python and the runtimes need, and nothing that may be a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from virtufin_examples.workmanager.engines import RUNTIME_VARIABLE, Engine

_NAMES = frozenset(
    {
        "HOME", "LANG", "LANGUAGE", "PATH", "TZ", "TMPDIR", "TEMP", "TMP", "USER", "VIRTUAL_ENV",
        "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "DOTNET_ROOT",
        "APPDATA", "LOCALAPPDATA", "PROGRAMFILES", "SYSTEMDRIVE", "SYSTEMROOT", "USERPROFILE", "WINDIR",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HostSetup:
    """What a host process starts with. `abort_hint` is added to the reason when it aborts."""

    environment: Mapping[str, str]
    abort_hint: str = ""


def host_setup(environ: Mapping[str, str], engine: Engine, *, dotnet_runtime: str) -> HostSetup:
    """Return the setup of a host: an allow-list of our variables, and the engine's own.

    `PreconditionError` when the engine's runtime is not there.
    """
    kept = {
        name: value for name, value in environ.items() if name.upper() in _NAMES or name.startswith("LC_")
    }
    kept[RUNTIME_VARIABLE] = dotnet_runtime
    return HostSetup({**kept, **engine.environment(kept)}, engine.abort_hint(kept))
