"""Finding a .NET runtime on this machine: .NET 8 or newer, the runtime wheel, Mono, in that order.

Standard library only: the example script uses it to choose an engine, the host to load one.
"""

from __future__ import annotations

import enum
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

from virtufin_examples.errors import PreconditionError

RUNTIME_VARIABLE = "VIRTUFIN_DOTNET_RUNTIME"
MINIMUM_MAJOR = 8  # the oldest .NET in support
FRAMEWORK = "Microsoft.NETCore.App"
FACADES = Path(__file__).parent / "mono"
INSTALL_HINT = (
    "install .NET 8 or newer (https://dotnet.microsoft.com/download) or Mono, "
    "or use the Python worker (--engine python)"
)


class DotnetKind(enum.StrEnum):
    """Which runtime; the values are those of VIRTUFIN_DOTNET_RUNTIME besides `auto`."""

    DOTNET = "dotnet"
    WHEEL = "wheel"
    MONO = "mono"


@dataclass(frozen=True, slots=True)
class DotnetRuntime:
    """A runtime that was found. `root` is the .NET root, for Mono its library, without a `version`."""

    kind: DotnetKind
    root: Path
    version: str

    @property
    def label(self) -> str:
        """The runtime in words."""
        if self.kind is DotnetKind.MONO:
            return f"Mono {self.version}".rstrip()
        if self.kind is DotnetKind.WHEEL:
            return f".NET Core {self.version} (runtime wheel)"
        return f".NET {self.version}"


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """An engine and what it would run on; `unavailable` says why it cannot, empty: it can."""

    name: str
    runtime: str
    unavailable: str = ""


def available_engines(environ: Mapping[str, str] = os.environ) -> tuple[EngineStatus, ...]:
    """Return the built-in engines, the preferred one first; starts nothing."""
    python = EngineStatus("python", f"CPython {sys.version.split()[0]}")
    try:
        return EngineStatus("dotnet", find_dotnet_runtime(environ).label), python
    except PreconditionError as error:
        return EngineStatus("dotnet", "", unavailable=str(error)), python


def find_dotnet_runtime(environ: Mapping[str, str] = os.environ) -> DotnetRuntime:
    """Return the runtime to use; `PreconditionError` says what to install when there is none.

    VIRTUFIN_DOTNET_RUNTIME names one of `auto` (default), `dotnet`, `wheel`, `mono`.
    """
    wanted = environ.get(RUNTIME_VARIABLE, "") or "auto"
    if wanted not in {"auto", *DotnetKind}:
        raise PreconditionError(
            f"{RUNTIME_VARIABLE}: {wanted!r} is no runtime", hint="use auto, dotnet, wheel or mono"
        )
    if importlib.util.find_spec("pythonnet") is None:
        raise PreconditionError(
            "no .NET workers: pythonnet is not installed",
            hint='pip install "virtufin-examples[platform]", or use the Python worker (--engine python)',
        )
    probes = {
        DotnetKind.DOTNET: lambda: probe_dotnet(dotnet_roots(environ)),
        DotnetKind.WHEEL: _probe_wheel,
        DotnetKind.MONO: _probe_mono,
    }
    for kind, probe in probes.items():
        if wanted in {"auto", kind} and (found := probe()) is not None:
            return found
    what = ".NET runtime" if wanted == "auto" else f"runtime {wanted!r} ({RUNTIME_VARIABLE})"
    raise PreconditionError(f"no {what} on this machine", hint=INSTALL_HINT)


def dotnet_roots(environ: Mapping[str, str]) -> list[Path]:
    """Return the folders where .NET may be installed, the most specific first."""
    roots = [Path(environ["DOTNET_ROOT"])] if environ.get("DOTNET_ROOT") else []
    command = shutil.which("dotnet", path=environ.get("PATH", ""))
    if command is not None:
        roots.append(Path(command).resolve().parent)
    if sys.platform == "win32":
        roots.append(Path(environ.get("PROGRAMFILES", r"C:\Program Files")) / "dotnet")
    else:
        home = environ.get("HOME")
        roots += [Path(home) / ".dotnet"] if home else []
        roots += [Path(f"/usr/{place}/dotnet") for place in ("share", "lib", "lib64", "local/share")]
    return list(dict.fromkeys(roots))


def probe_dotnet(roots: Iterable[Path], *, minimum_major: int = MINIMUM_MAJOR) -> DotnetRuntime | None:
    """Return the newest runtime of the first root that has one of at least `minimum_major`.

    A root counts when it has the host library and the framework; releases go before previews.
    """
    for root in roots:
        if not any(root.glob("host/fxr/*/*hostfxr.*")):
            continue
        versions = [folder.name for folder in root.glob(f"shared/{FRAMEWORK}/*") if folder.is_dir()]
        usable = [version for version in versions if _order(version)[1] >= minimum_major]
        if usable:
            return DotnetRuntime(DotnetKind.DOTNET, root, max(usable, key=_order))
    return None


def _order(version: str) -> tuple[bool, int, tuple[int, ...]]:
    """Return a sort key: (is a release, major, numbers); nothing like a version is major 0."""
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(-.+)?", version)
    if match is None:
        return False, 0, ()
    numbers = tuple(int(part) for part in match.group(1, 2, 3))
    return match.group(4) is None, numbers[0], numbers


def _probe_wheel() -> DotnetRuntime | None:
    spec = importlib.util.find_spec("dotnetcore2")  # finds the folder without running the package
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        found = probe_dotnet([Path(folder) / "bin"], minimum_major=3)
        if found is not None:
            return DotnetRuntime(DotnetKind.WHEEL, found.root, found.version)
    return None


def _probe_mono() -> DotnetRuntime | None:
    library = _mono_library()
    return DotnetRuntime(DotnetKind.MONO, library, "") if library is not None else None


def _mono_library() -> Path | None:
    name = find_library("monosgen-2.0")  # on Linux a name for the loader, no path
    if name is not None:
        return Path(name)
    places = {
        "win32": ("C:/Program Files/Mono/bin/mono-2.0-sgen.dll",),
        "darwin": (
            "/Library/Frameworks/Mono.framework/Versions/Current/lib/libmonosgen-2.0.dylib",
            "/opt/homebrew/opt/mono/lib/libmonosgen-2.0.dylib",
            "/usr/local/opt/mono/lib/libmonosgen-2.0.dylib",
        ),
    }
    return next((path for place in places.get(sys.platform, ()) if (path := Path(place)).exists()), None)
