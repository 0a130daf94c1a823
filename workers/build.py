"""Builds and packs the .NET worker: `make worker`, or `make worker ARGS=--check`.

With a .NET SDK (8 or newer) `dotnet publish` compiles it and its target PackageWorker packs it; without one
Mono's `mcs` compiles it. The package is checked in: newcomers need no compiler. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from virtufin_examples.worker_packages import (
    DOTNET_PACKAGE_FILE,
    LIBRARY_VERSION,
    SOURCE_HASH_MEMBER,
    WORKER_NAME,
    package_version,
    read_nupkg,
)

_FOLDER = Path(__file__).resolve().parent
_PROJECT = _FOLDER / WORKER_NAME / f"{WORKER_NAME}.csproj"
MCS_OPTIONS = ("-target:library", "-langversion:7.2", "-optimize", "-warn:4", "-warnaserror", "-nologo")
_MIN_SDK_MAJOR = 8
_GUID_BYTES = 16
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_INSTALL_HINT = (
    "install the .NET SDK 8 or newer (https://dotnet.microsoft.com/download) or Mono's compiler "
    "(Debian and Ubuntu: apt-get install mono-mcs); the package that is checked in needs neither"
)

_CONTENT_TYPES = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml" />
  <Default Extension="nuspec" ContentType="application/octet" />
  <Default Extension="dll" ContentType="application/octet" />
  <Default Extension="sha256" ContentType="text/plain" />
</Types>
"""
_RELATIONSHIPS = f"""<?xml version="1.0" encoding="utf-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
  <Relationship Id="R1" Target="/{WORKER_NAME}.nuspec"
    Type="http://schemas.microsoft.com/packaging/2010/07/manifest" />
</Relationships>
"""
_NUSPEC = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
  <metadata>
    <id>{name}</id>
    <version>{version}</version>
    <authors>Virtufin</authors>
    <license type="expression">Apache-2.0</license>
    <description>Opens and owns WebSocket feeds by commands.</description>
    <dependencies>
      <group targetFramework=".NETStandard2.0" />
    </dependencies>
  </metadata>
</package>
"""


class BuildError(Exception):
    """The worker cannot be built; the message says what to do."""


def read_sources() -> dict[str, str]:
    """Return the text of every source file by its path under `workers/`, sorted, with LF line ends."""
    files = [_PROJECT, *_FOLDER.glob("DevKit/*.cs"), *_FOLDER.glob(f"{WORKER_NAME}/*.cs")]
    texts = {path.relative_to(_FOLDER).as_posix(): path.read_text(encoding="utf-8") for path in files}
    return dict(sorted(texts.items()))


def hash_sources(sources: Mapping[str, str]) -> str:
    """Return the SHA-256 (hex) of sources, build options and library version.

    It does not depend on which compiler is at hand: the options of both are in it, those of `dotnet` as the
    project file.
    """
    digest = hashlib.sha256()
    parts = [LIBRARY_VERSION, *MCS_OPTIONS, *(part for item in sources.items() for part in item)]
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def compile_with_mcs(sources: Mapping[str, str]) -> bytes:
    """Compile sources with Mono's compiler and return the assembly. Raises `BuildError`."""
    mcs = shutil.which("mcs")
    if mcs is None:
        raise BuildError(f"no C# compiler found: {_INSTALL_HINT}")
    with tempfile.TemporaryDirectory(prefix="virtufin-worker-") as name:
        folder = Path(name)
        files = [folder / path for path in sources if path.endswith(".cs")]
        for file in files:
            file.parent.mkdir(exist_ok=True)
            file.write_text(sources[file.relative_to(folder).as_posix()], encoding="utf-8", newline="\n")
        output = folder / f"{WORKER_NAME}.dll"
        _run([mcs, *MCS_OPTIONS, f"-out:{output}", *map(str, files)])
        return settle_module_id(output.read_bytes())


def settle_module_id(assembly: bytes) -> bytes:
    """Return an assembly whose module id is made from its content.

    `mcs` makes the id by chance, which is all in which two of its builds differ. It is the first entry of the
    stream `#GUID` of the metadata, whose root starts with `BSJB` (ECMA-335, II.24.2). Raises `BuildError`.
    """
    root = assembly.find(b"BSJB")
    name = assembly.find(b"#GUID\0", root)
    if root < 0 or name < 0:
        raise BuildError("the compiler's output is no .NET assembly")
    # A stream's header: offset from the root, size (4 bytes each, little-endian), name.
    start = root + int.from_bytes(assembly[name - 8 : name - 4], "little")
    end = start + _GUID_BYTES
    blank = assembly[:start] + bytes(_GUID_BYTES) + assembly[end:]
    return assembly[:start] + hashlib.sha256(blank).digest()[:_GUID_BYTES] + assembly[end:]


def pack(assembly: bytes, source_hash: str) -> bytes:
    """Return a nupkg, the same bytes for the same arguments.

    Its members are sorted, dated 1980-01-01 and carry no extra fields.
    """
    nuspec = _NUSPEC.format(name=WORKER_NAME, version=package_version(source_hash))
    members = {
        "[Content_Types].xml": _CONTENT_TYPES.encode(),
        "_rels/.rels": _RELATIONSHIPS.encode(),
        f"{WORKER_NAME}.nuspec": nuspec.encode(),
        f"lib/netstandard2.0/{WORKER_NAME}.dll": assembly,
        SOURCE_HASH_MEMBER: f"{source_hash}\n".encode(),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 0  # the same on every system
            archive.writestr(entry, members[name])
    return buffer.getvalue()


def has_dotnet_sdk() -> bool:
    """Whether `dotnet` is on the path with an SDK that is new enough; a runtime alone has none."""
    dotnet = shutil.which("dotnet")
    if dotnet is None:
        return False
    listed = subprocess.run([dotnet, "--list-sdks"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - a fixed command
    majors = [line.split(".", 1)[0] for line in listed.splitlines()]
    return any(major.isdigit() and int(major) >= _MIN_SDK_MAJOR for major in majors)


def build() -> None:
    """Compile and pack with what is there. Raises `BuildError`."""
    if has_dotnet_sdk():
        _say("compiling with dotnet publish ...")
        with tempfile.TemporaryDirectory(prefix="virtufin-worker-") as folder:
            options = ["-c", "Release", "-o", folder, f"-p:PackagePython={sys.executable}"]
            _run(["dotnet", "publish", str(_PROJECT), *options])
        return
    _say("compiling with mcs ...")
    sources = read_sources()
    write_package(compile_with_mcs(sources), hash_sources(sources))


def write_package(assembly: bytes, source_hash: str) -> None:
    """Pack an assembly and put it where it is checked in."""
    content = pack(assembly, source_hash)
    DOTNET_PACKAGE_FILE.write_bytes(content)
    _say(f"packed {WORKER_NAME} {package_version(source_hash)}: {len(content):,} bytes")


def is_stale() -> bool:
    """Whether the package that is checked in is missing or was built from other sources."""
    if not DOTNET_PACKAGE_FILE.exists():
        return True
    return read_nupkg(DOTNET_PACKAGE_FILE.read_bytes()).source_hash != hash_sources(read_sources())


def check() -> None:
    """Raise `BuildError` when the package is stale."""
    if is_stale():
        raise BuildError("the packed worker is stale: run `make worker`")
    _say("the packed worker is up to date")


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status: 0 for success, 1 for a failure."""
    parser = argparse.ArgumentParser(prog="workers/build.py", description="Builds and packs the .NET worker.")
    parser.add_argument("--check", action="store_true", help="only tell (status 1) when the package is stale")
    parser.add_argument(
        "--pack", metavar="DLL", type=Path, help="only pack an assembly (target PackageWorker)"
    )
    options = parser.parse_args(arguments)
    try:
        if options.check:
            check()
        elif options.pack:
            write_package(options.pack.read_bytes(), hash_sources(read_sources()))
        else:
            build()
    except BuildError as error:
        _say(f"error: {error}")
        return 1
    return 0


def _run(command: Sequence[str]) -> None:
    # What a compiler prints goes to stderr: stdout is not ours.
    result = subprocess.run(command, stdout=sys.stderr, check=False)  # noqa: S603 - a fixed command without a shell
    if result.returncode != 0:
        raise BuildError(f"{Path(command[0]).name} failed with status {result.returncode}")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
