"""The packed WebSocketManagerController workers that come with the project: .NET and Python.

The .NET one is checked in, so that using it needs no compiler; `make worker` builds it anew.
"""

from virtufin_examples.worker_packages._package import (
    DOTNET_PACKAGE_FILE,
    LIBRARY_VERSION,
    PYTHON_PACKAGE_FILE,
    SOURCE_HASH_MEMBER,
    WORKER_NAME,
    WorkerPackage,
    dotnet_package,
    package_version,
    python_package,
    read_nupkg,
)

__all__ = [
    "DOTNET_PACKAGE_FILE",
    "LIBRARY_VERSION",
    "PYTHON_PACKAGE_FILE",
    "SOURCE_HASH_MEMBER",
    "WORKER_NAME",
    "WorkerPackage",
    "dotnet_package",
    "package_version",
    "python_package",
    "read_nupkg",
]
