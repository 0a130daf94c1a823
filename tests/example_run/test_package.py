from __future__ import annotations

from pathlib import Path

import pytest

from virtufin_examples.client import Engine
from virtufin_examples.errors import WorkerError
from virtufin_examples.example_run import _package

STALE = "import pathlib, sys\nmark = pathlib.Path(__file__).with_name('built')\n"


@pytest.fixture
def sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dotnet = tmp_path / "bin" / "dotnet"
    dotnet.parent.mkdir()
    dotnet.write_text("#!/bin/sh\n")
    dotnet.chmod(0o755)
    monkeypatch.setenv("PATH", str(dotnet.parent))


def script(folder: Path, body: str) -> Path:
    file = folder / "build.py"
    file.write_text(STALE + body, encoding="utf-8")
    return file


def test_stale_package_is_built_where_there_is_an_sdk(tmp_path: Path, sdk: None) -> None:
    build = script(tmp_path, "sys.exit(1) if '--check' in sys.argv else mark.touch()")
    _package._build_if_stale(build)
    assert (tmp_path / "built").exists()


def test_fresh_package_is_left_alone(tmp_path: Path, sdk: None) -> None:
    build = script(tmp_path, "sys.exit(0) if '--check' in sys.argv else mark.touch()")
    _package._build_if_stale(build)
    assert not (tmp_path / "built").exists()


def test_without_an_sdk_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    _package._build_if_stale(script(tmp_path, "mark.touch()"))
    assert not (tmp_path / "built").exists()


def test_failed_build_shows_the_compilers_last_words(tmp_path: Path, sdk: None) -> None:
    build = script(tmp_path, "sys.exit(1) if '--check' in sys.argv else sys.exit('CS1002: ; expected')")
    with pytest.raises(WorkerError, match="CS1002"):
        _package._build_if_stale(build)


async def test_each_engine_has_its_package() -> None:
    assert (await _package.built_worker(Engine.PYTHON)).mime_type == "text/x-python"
    assert (await _package.built_worker(Engine.AUTO)).mime_type == "application/x-dotnet-dll"
