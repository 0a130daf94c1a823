"""Finding a .NET runtime, in fake layouts. A real .NET 8 or newer is not on the machines that run this."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtufin_examples.errors import InvalidInputError, PreconditionError
from virtufin_examples.workmanager.engines import (
    RUNTIME_VARIABLE,
    DotnetKind,
    available_engines,
    find_dotnet_runtime,
    find_engine,
)
from virtufin_examples.workmanager.engines import _registry as registry
from virtufin_examples.workmanager.engines import _runtimes as runtimes
from virtufin_examples.workmanager.engines._dotnet import runtime_config


def install(root: Path, *versions: str, host: str = "libhostfxr.so") -> Path:
    """Lay out a .NET installation."""
    for version in versions:
        (root / "host" / "fxr" / version).mkdir(parents=True)
        (root / "host" / "fxr" / version / host).touch()
        (root / "shared" / "Microsoft.NETCore.App" / version).mkdir(parents=True)
    return root


@pytest.mark.parametrize(
    ("versions", "chosen"),
    [
        (("8.0.11",), "8.0.11"),
        (("6.0.1", "8.0.2", "10.0.0"), "10.0.0"),
        (("8.0.9", "8.0.11"), "8.0.11"),
        (("9.0.1", "10.0.0-rc.1"), "9.0.1"),
        (("10.0.0-rc.1",), "10.0.0-rc.1"),
        (("3.1.23", "6.0.36", "7.0.1"), None),
        (("not a version",), None),
        ((), None),
    ],
)
def test_the_newest_supported_release_is_chosen(tmp_path: Path, versions, chosen: str | None) -> None:
    found = runtimes.probe_dotnet([tmp_path / "none", install(tmp_path / "dotnet", *versions)])
    assert (found.version if found else None) == chosen
    if found:
        assert found.kind is DotnetKind.DOTNET
        assert found.label == f".NET {chosen}"


def test_a_folder_without_the_host_library_is_no_installation(tmp_path: Path) -> None:
    root = install(tmp_path, "8.0.0")
    (root / "host" / "fxr" / "8.0.0" / "libhostfxr.so").unlink()
    assert runtimes.probe_dotnet([root]) is None


def test_dotnet_root_comes_before_the_path_and_links_are_followed(tmp_path: Path) -> None:
    real = install(tmp_path / "real", "9.0.0")
    (real / "dotnet").touch(mode=0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dotnet").symlink_to(real / "dotnet")
    chosen = install(tmp_path / "chosen", "8.0.0")
    environ = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}

    assert runtimes.dotnet_roots(environ)[:2] == [real, tmp_path / ".dotnet"]
    assert find_dotnet_runtime(environ).version == "9.0.0"
    assert find_dotnet_runtime({**environ, "DOTNET_ROOT": str(chosen)}).version == "8.0.0"


def test_a_wanted_runtime_is_the_only_one_that_counts(tmp_path: Path) -> None:
    environ = {"DOTNET_ROOT": str(install(tmp_path, "8.0.0")), RUNTIME_VARIABLE: "dotnet"}
    assert find_dotnet_runtime(environ).kind is DotnetKind.DOTNET
    with pytest.raises(PreconditionError, match=r"no runtime 'dotnet'.*install \.NET 8"):
        runtimes.find_dotnet_runtime({RUNTIME_VARIABLE: "dotnet"})
    with pytest.raises(PreconditionError, match=r"VIRTUFIN_DOTNET_RUNTIME: 'java' is no runtime"):
        find_dotnet_runtime({RUNTIME_VARIABLE: "java"})


def test_without_any_runtime_python_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for probe in ("_probe_wheel", "_probe_mono"):
        monkeypatch.setattr(runtimes, probe, lambda: None)
    monkeypatch.setattr(runtimes, "dotnet_roots", lambda _environ: [])

    dotnet, python = available_engines({})

    assert (dotnet.name, python.name, python.unavailable) == ("dotnet", "python", "")
    assert "install .NET 8 or newer" in dotnet.unavailable
    assert "--engine python" in dotnet.unavailable


def test_without_pythonnet_there_are_no_dotnet_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(PreconditionError, match="pythonnet is not installed"):
        find_dotnet_runtime({})


@pytest.mark.parametrize(
    ("version", "moniker"), [("3.1.23", "netcoreapp3.1"), ("8.0.11", "net8.0"), ("10.0.0-rc.1", "net10.0")]
)
def test_the_runtime_config_names_exactly_the_version_found(version: str, moniker: str) -> None:
    config = runtime_config(version)
    assert f'"tfm": "{moniker}"' in config
    assert f'"version": "{version}"' in config


def test_an_engine_is_found_by_mime_type_or_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_engine("text/x-python").language == "python"
    assert find_engine("application/x-dotnet-dll").language == "dotnet"

    class Plugin:
        name = "text/x-plugin"

        def load(self):
            return lambda: "the plugin's engine"

    class Plugins(list):
        names = frozenset({"text/x-plugin"})

    monkeypatch.setattr(registry, "entry_points", lambda *, group: Plugins([Plugin()]))
    assert find_engine("text/x-plugin") == "the plugin's engine"
    with pytest.raises(
        InvalidInputError, match=r"use one of application/x-dotnet-dll, text/x-plugin, text/x-python"
    ):
        find_engine("text/x-cobol")
