"""The variants of the worker that the contract is checked against.

Always: the Python twin, and the checked-in package on the runtime wheel. With `--ci` also that package on
Mono, and a freshly compiled one on both; a machine without Mono or its compiler fails there.
"""

from __future__ import annotations

import io
import platform
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tests.workers.drivers import DotnetDriver, PythonDriver
from virtufin_examples.worker_packages import DOTNET_PACKAGE_FILE, WORKER_NAME
from workers import build

HAS_RUNTIME_WHEEL = sys.platform == "linux" and platform.machine() == "x86_64"  # where it is locked


def unpack_assembly(package: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return Path(archive.extract(f"lib/netstandard2.0/{WORKER_NAME}.dll", folder))


def dotnet_runtimes(config: pytest.Config) -> list[str]:
    return ["coreclr"] * HAS_RUNTIME_WHEEL + ["mono"] * config.getoption("--ci")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    runtimes = dotnet_runtimes(metafunc.config)
    if "runtime" in metafunc.fixturenames:
        metafunc.parametrize("runtime", runtimes, scope="session")
    builds = ["packed"] + ["fresh"] * metafunc.config.getoption("--ci")
    dotnet = [f"{build}-{runtime}" for build in builds for runtime in runtimes]
    if "worker" in metafunc.fixturenames:
        metafunc.parametrize("worker", ["python", *dotnet], scope="session", indirect=True)
    if "dotnet_worker" in metafunc.fixturenames:
        metafunc.parametrize("dotnet_worker", dotnet, scope="session", indirect=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # What compiles belongs to `--ci`: everybody else has the packages that are checked in.
    return True if collection_path.name == "test_compile.py" and not config.getoption("--ci") else None


@pytest.fixture(scope="session")
def fresh_assembly() -> bytes:
    return build.compile_with_mcs(build.read_sources())


@pytest.fixture(scope="session")
def drivers(request, tmp_path_factory):
    """Opens each variant once."""
    opened, stack = {}, []

    def get(name: str):
        if name not in opened:
            opened[name] = PythonDriver() if name == "python" else open_dotnet(name)
        return opened[name]

    def open_dotnet(name: str):
        kind, runtime = name.split("-")
        if runtime == "mono":
            assert shutil.which("mono"), "Mono is missing: apt-get install mono-runtime mono-mcs"
        folder = tmp_path_factory.mktemp("assembly")
        assembly = unpack_assembly(DOTNET_PACKAGE_FILE.read_bytes(), folder)
        if kind == "fresh":
            assembly.write_bytes(request.getfixturevalue("fresh_assembly"))
        context = DotnetDriver.open(runtime, assembly)
        stack.append(context)
        return context.__enter__()

    yield get
    for context in stack:
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def worker(request, drivers):
    return drivers(request.param)


@pytest.fixture(scope="session")
def dotnet_worker(request, drivers):
    return drivers(request.param)


@pytest.fixture(scope="session")
def python_worker(drivers):
    return drivers("python")
