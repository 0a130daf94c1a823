"""Builds the facades that pythonnet needs on a Mono without its development package.

pythonnet's assembly refers to `netstandard` and two more that hold nothing but type forwards. Distributions
put Mono's own into the development package (`mono-devel`), so on a plain `mono-runtime` a host could not
start. This makes them: the public types that those of the runtime wheel forward, as far as Mono has them.

    python tools/mono_facade.py [FOLDER]

It needs `mcs` and the runtime wheel. The result is the same for the same versions of both.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from virtufin_examples.workmanager.engines import RUNTIME_VARIABLE, find_dotnet_runtime
from virtufin_examples.workmanager.engines._dotnet import start_runtime
from virtufin_examples.workmanager.engines._runtimes import FACADES

# What Python.Runtime.dll refers to, with the versions that it asks for.
VERSIONS = {
    "netstandard": "2.0.0.0",
    "System.Reflection.Emit": "4.0.0.0",
    "System.Reflection.Emit.ILGeneration": "4.0.0.0",
}
REFERENCES = (
    "System", "System.ComponentModel.Composition", "System.Core", "System.Data", "System.Drawing",
    "System.IO.Compression", "System.IO.Compression.FileSystem", "System.Net.Http", "System.Numerics",
    "System.Runtime.Serialization", "System.Transactions", "System.Web", "System.Xml", "System.Xml.Linq",
)  # fmt: skip
MAX_ROUNDS = 5  # each drops the types that the compiler did not find
PE_OFFSET_AT = 0x3C
PE_TIMESTAMP_AFTER = 8


def build(target: Path) -> dict[str, int]:
    """Write the facades and return how many types each forwards. Starts a CLR in this process."""
    start_runtime(find_dotnet_runtime({RUNTIME_VARIABLE: "wheel"}))
    import clr  # noqa: F401, PLC0415 - makes the .NET namespaces importable
    from System.Reflection import Assembly  # noqa: PLC0415 - exists once the CLR runs

    target.mkdir(parents=True, exist_ok=True)
    return {name: _build_one(name, version, target, Assembly) for name, version in VERSIONS.items()}


def _build_one(name: str, version: str, target: Path, assembly_class: Any) -> int:  # noqa: ANN401 - a .NET class
    original = assembly_class.Load(name)
    names = [str(each.FullName) for each in original.GetForwardedTypes()]
    types = sorted(
        _in_csharp(each) for each in names if "+" not in each
    )  # nested types follow their outer one
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "key").write_bytes(bytes(original.GetName().GetPublicKey()))
        for _ in range(MAX_ROUNDS):
            missing = _compile(Path(folder), name, version, types)
            if not missing:
                break
            types = [each for number, each in enumerate(types) if number not in missing]
        content = (Path(folder) / f"{name}.dll").read_bytes()
    module_id = bytes(assembly_class.Load(content).ManifestModule.ModuleVersionId.ToByteArray())
    (target / f"{name}.dll").write_bytes(_without_build_marks(content, module_id))
    return len(types)


def _in_csharp(name: str) -> str:
    if name == "System.Void":
        return "void"
    generic = re.sub(r"`(\d+)", lambda match: f"<{',' * (int(match.group(1)) - 1)}>", name)
    return f"global::{generic}"


def _compile(folder: Path, name: str, version: str, types: list[str]) -> set[int]:
    """Compile and return the numbers of the types that the compiler does not know."""
    source = folder / "facade.cs"
    lines = [f"[assembly: System.Runtime.CompilerServices.TypeForwardedTo(typeof({each}))]" for each in types]
    source.write_text("\n".join([*lines, f'[assembly: System.Reflection.AssemblyVersion("{version}")]']))
    command = [
        "mcs", "-target:library", "-langversion:7.2", "-delaysign+", f"-keyfile:{folder / 'key'}",
        "-nowarn:612,618", f"-out:{folder / name}.dll", *(f"-r:{each}" for each in REFERENCES), str(source),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.findall(r"facade\.cs\((\d+),\d+\): error", done.stdout + done.stderr)
    if done.returncode and not found:
        raise SystemExit(done.stdout + done.stderr)
    return {int(line) - 1 for line in found}


def _without_build_marks(content: bytes, module_id: bytes) -> bytes:
    """Zero the time stamp and the module's id, which differ from build to build."""
    header = int.from_bytes(content[PE_OFFSET_AT : PE_OFFSET_AT + 4], "little") + PE_TIMESTAMP_AFTER
    stamped = content[:header] + bytes(4) + content[header + 4 :]
    return stamped.replace(module_id, bytes(len(module_id)))


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else FACADES
    for facade, count in build(place).items():
        print(f"{place / facade}.dll: {count} types")
