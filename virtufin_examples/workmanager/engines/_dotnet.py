"""`.NET` workers through pythonnet: one assembly with one `IWorker` (architecture, "The .NET contract")."""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from virtufin_examples.errors import PreconditionError, WorkerError
from virtufin_examples.workmanager.engines._engine import GatewayPort, LoadedWorker
from virtufin_examples.workmanager.engines._runtimes import (
    FACADES,
    FRAMEWORK,
    DotnetKind,
    DotnetRuntime,
    find_dotnet_runtime,
)

MAX_ASSEMBLY_BYTES = 64 * 1024 * 1024  # unpacked from a nupkg
WORKER_INTERFACE = "Virtufin.DevKit.IWorker"
_BUILD_HINT = "send the DLL that the build made, or its nupkg"


class DotnetEngine:
    """Engine of `application/x-dotnet-dll`: a DLL, or a nupkg with exactly one."""

    mime_type = "application/x-dotnet-dll"
    language = "dotnet"

    def unavailable(self, environ: Mapping[str, str]) -> str:
        """Say what to install when there is no runtime."""
        try:
            find_dotnet_runtime(environ)
        except PreconditionError as error:
            return str(error)
        return ""

    def environment(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Switch off what needs system libraries or the network, and gdb in Mono's crash reports."""
        variables = {
            "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",  # no ICU needed
            "DOTNET_CLI_TELEMETRY_OPTOUT": "1",
            "DOTNET_NOLOGO": "1",
            "DOTNET_gcServer": "0",
            "COMPlus_gcConcurrent": "0",  # one thread less
            # No debugger's pipes in the temporary folder, which a host that is killed leaves behind.
            "DOTNET_EnableDiagnostics": "0",  # .NET 6 and newer
            "COMPlus_EnableDiagnostics": "0",  # those before
            "MONO_DEBUG": "no-gdb-backtrace",
        }
        if find_dotnet_runtime(environ).kind is DotnetKind.MONO:
            variables["MONO_PATH"] = str(FACADES)
        return variables

    def abort_hint(self, environ: Mapping[str, str]) -> str:
        """The wheel's .NET Core 3.1 aborts where its libraries (OpenSSL 1.1, ...) are missing."""
        kind = find_dotnet_runtime(environ).kind
        return (
            "the runtime wheel lacks system libraries: install .NET 8 or newer"
            if kind is DotnetKind.WHEEL
            else ""
        )

    def load(self, code: bytes, *, worker_id: str, topic: str, gateway: GatewayPort) -> LoadedWorker:
        """Start the runtime, load the assembly, make the worker and call its `Start`."""
        assembly_bytes = assembly_of(code)
        runtime = find_dotnet_runtime()
        label = start_runtime(runtime)
        worker = _make_worker(_load_assembly(assembly_bytes))
        worker.Start(worker_id, topic, _gateway_object(gateway))
        return _DotnetWorker(worker, label)


class _DotnetWorker:
    def __init__(self, worker: Any, runtime: str) -> None:  # noqa: ANN401 - a .NET object
        self._worker = worker
        self.runtime = runtime

    def process(self, event: bytes) -> bytes | None:
        """Hand the JSON over as one string: a method call, so that the GIL is released meanwhile."""
        answer = self._worker.Process(event.decode())
        return None if answer is None else str(answer).encode()


def assembly_of(code: bytes) -> bytes:
    """Return the assembly's bytes: the code itself, or the one DLL of a nupkg."""
    if code.startswith(b"MZ"):
        return code
    if not code.startswith(b"PK"):
        raise WorkerError("the code is no .NET assembly (it does not start with MZ)", hint=_BUILD_HINT)
    try:
        with zipfile.ZipFile(io.BytesIO(code)) as package:
            libraries = [
                entry for entry in package.infolist() if re.fullmatch(r"lib/[^/]+/[^/]+\.dll", entry.filename)
            ]
            if len(libraries) != 1:
                names = ", ".join(entry.filename for entry in libraries) or "none"
                raise WorkerError(
                    f"the package must hold one DLL under lib/<framework>/, it has: {names}", hint=_BUILD_HINT
                )
            if libraries[0].file_size > MAX_ASSEMBLY_BYTES:
                raise WorkerError(f"{libraries[0].filename} unpacks to {libraries[0].file_size} bytes")
            return package.read(libraries[0])
    except zipfile.BadZipFile as error:
        raise WorkerError(f"the code is no nupkg: {error}", hint=_BUILD_HINT) from error


def start_runtime(runtime: DotnetRuntime) -> str:
    """Start the CLR in this process and return its label with the version that it names itself."""
    # Imported here: these load native code, which only a .NET host may do.
    import clr_loader  # noqa: PLC0415
    import pythonnet  # noqa: PLC0415

    if runtime.kind is DotnetKind.MONO:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "Mono before 6.12": covered by our tests
            loaded = clr_loader.get_mono(libmono=runtime.root)
        label = DotnetRuntime(runtime.kind, runtime.root, str(loaded.info().version).split(" ")[0]).label
    else:
        with tempfile.TemporaryDirectory(prefix="virtufin-host-") as folder:
            config = Path(folder) / "runtimeconfig.json"
            config.write_text(runtime_config(runtime.version), encoding="utf-8")
            loaded = clr_loader.get_coreclr(runtime_config=config, dotnet_root=runtime.root)
        label = runtime.label
    pythonnet.load(loaded)
    return label


def runtime_config(version: str) -> str:
    """Return a runtimeconfig.json for one installed version."""
    major, minor = version.split(".")[:2]
    moniker = f"netcoreapp{major}.{minor}" if int(major) < 5 else f"net{major}.{minor}"
    return json.dumps(
        {
            "runtimeOptions": {
                "tfm": moniker,
                "framework": {"name": FRAMEWORK, "version": version},
                "configProperties": {
                    "System.Globalization.Invariant": True,
                    "System.GC.Concurrent": False,
                    "System.GC.Server": False,
                },
            }
        }
    )


def _load_assembly(code: bytes) -> Any:  # noqa: ANN401 - a System.Reflection.Assembly
    import clr  # noqa: F401, PLC0415 - makes the .NET namespaces importable
    from System import Array, BadImageFormatException, Byte  # noqa: PLC0415 - exists once the CLR runs
    from System.Reflection import Assembly  # noqa: PLC0415

    try:
        return Assembly.Load(Array[Byte](code))
    except BadImageFormatException as error:
        raise WorkerError("the code is no .NET assembly", hint=_BUILD_HINT) from error


def _make_worker(assembly: Any) -> Any:  # noqa: ANN401 - .NET objects
    from System import Activator  # noqa: PLC0415 - exists once the CLR runs
    from System.Reflection import TargetInvocationException  # noqa: PLC0415

    name = str(assembly.GetName().Name)
    chosen = _only_worker_class(name, _types(name, assembly))
    try:
        instance = Activator.CreateInstance(chosen)
    except TargetInvocationException as error:
        inner = error.InnerException
        sys.stderr.write(f"{inner}\n")
        raise WorkerError(
            f"the constructor of {chosen.FullName} threw {inner.GetType().Name}: {inner.Message}"
        ) from error
    from Virtufin.DevKit import IWorker  # noqa: PLC0415 - exists once the assembly is loaded

    return IWorker(instance)  # finds explicit implementations too, and exactly one overload


def _types(name: str, assembly: Any) -> list[Any]:  # noqa: ANN401 - .NET objects
    from System.Reflection import ReflectionTypeLoadException  # noqa: PLC0415 - exists once the CLR runs

    try:
        return list(assembly.GetTypes())
    except ReflectionTypeLoadException as error:
        causes = {str(cause.Message).splitlines()[0] for cause in error.LoaderExceptions if cause is not None}
        raise WorkerError(
            f"{name} needs what is not there: {'; '.join(sorted(causes))}",
            hint="a worker is one assembly without dependencies",
        ) from error


def _only_worker_class(name: str, types: list[Any]) -> Any:  # noqa: ANN401 - a System.Type
    workers = [
        each
        for each in types
        if each.IsClass
        and not each.IsAbstract
        and any(str(interface.FullName) == WORKER_INTERFACE for interface in each.GetInterfaces())
    ]
    public = [each for each in workers if each.IsVisible]
    if len(public) == 1:
        if public[0].GetConstructor([]) is None:
            raise WorkerError(
                f"{public[0].FullName} has no public constructor without parameters", hint="add one"
            )
        return public[0]
    if public:
        names = ", ".join(sorted(str(each.FullName) for each in public))
        raise WorkerError(
            f"{name} has {len(public)} classes that implement {WORKER_INTERFACE}: {names}",
            hint="keep one of them public, or make one assembly for each",
        )
    if workers:
        raise WorkerError(
            f"{workers[0].FullName} implements {WORKER_INTERFACE} but is not public", hint="make it public"
        )
    raise WorkerError(
        f"{name} has no class that implements {WORKER_INTERFACE}",
        hint="the assembly defines the interface itself and one public class that implements it",
    )


def _gateway_object(gateway: GatewayPort) -> Any:  # noqa: ANN401 - a .NET object
    from Virtufin.DevKit import IGateway  # noqa: PLC0415 - exists once the assembly is loaded

    class HostGateway(IGateway):  # type: ignore[misc] # the base is a .NET interface
        __namespace__ = "Virtufin.Host"

        def Invoke(self, service: str, method: str, request_json: str) -> str:  # noqa: N802 - the contract's name
            return gateway.invoke(service, method, request_json)

    return HostGateway()
