"""What a packed worker is, and where the two that come with the project are."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIBRARY_VERSION: Final = "0.1.0"
"""First part of the version of every packed worker."""
WORKER_NAME: Final = "WebSocketManagerController"
SOURCE_HASH_MEMBER: Final = "source.sha256"
"""Member of a nupkg with the hash of what it was built from, in hex."""

_HERE = Path(__file__).parent
DOTNET_PACKAGE_FILE: Final = _HERE / f"{WORKER_NAME}.nupkg"
PYTHON_PACKAGE_FILE: Final = _HERE / "websocket_manager_controller.py"

_VERSION_HASH_DIGITS = 8


@dataclass(frozen=True, slots=True)
class WorkerPackage:
    """A worker as it is deployed.

    `content` goes into `CodeSource.content`, `sha256` (hex) is its hash, `source_hash` (hex) that of what it
    was built from: for .NET the sources and build options, for Python the file itself.
    """

    name: str
    version: str
    mime_type: str
    content: bytes
    sha256: str
    source_hash: str


def dotnet_package() -> WorkerPackage:
    """Return the packed C# worker that is checked in."""
    return read_nupkg(DOTNET_PACKAGE_FILE.read_bytes())


def python_package() -> WorkerPackage:
    """Return the Python worker."""
    content = PYTHON_PACKAGE_FILE.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return WorkerPackage(WORKER_NAME, package_version(digest), "text/x-python", content, digest, digest)


def read_nupkg(content: bytes) -> WorkerPackage:
    """Describe a nupkg that `workers/build.py` packed.

    Raises `KeyError` when it holds no source hash and `zipfile.BadZipFile` when it is no zip file.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        source_hash = archive.read(SOURCE_HASH_MEMBER).decode("ascii").strip()
    return WorkerPackage(
        name=WORKER_NAME,
        version=package_version(source_hash),
        mime_type="application/x-dotnet-dll",
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        source_hash=source_hash,
    )


def package_version(source_hash: str) -> str:
    """Return the version that a source hash (hex) gives: `0.1.0-sha.0123abcd`."""
    return f"{LIBRARY_VERSION}-sha.{source_hash[:_VERSION_HASH_DIGITS]}"
