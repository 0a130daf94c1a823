"""Building and packing, as far as it goes without a compiler."""

from __future__ import annotations

import io
import os
import re
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest

from virtufin_examples.worker_packages import WORKER_NAME, dotnet_package, package_version, read_nupkg
from workers import build

HASH = "0123456789abcdef" * 4


def install_dotnet(monkeypatch, folder: Path, *lines: str) -> Path:
    """Put a program of that name on the path; it lists these SDKs and notes its arguments."""
    folder.mkdir(exist_ok=True)
    listing = "".join(f"echo '{line}'\n" for line in lines)
    program = folder / "dotnet"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = --list-sdks ]; then\n{listing}exit 0\nfi\necho "$@" >> {folder}/arguments\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.defpath}")
    return folder / "arguments"


def test_the_checked_in_package_is_built_from_the_sources_of_today(capsys) -> None:
    assert build.main(["--check"]) == 0, "stale: run `make worker`"
    output = capsys.readouterr()
    assert output.out == ""
    assert "up to date" in output.err


@pytest.mark.parametrize("content", [None, build.pack(b"MZ", HASH)], ids=["missing", "of other sources"])
def test_a_stale_package_is_told(monkeypatch, tmp_path, capsys, content: bytes | None) -> None:
    package = tmp_path / "worker.nupkg"
    if content is not None:
        package.write_bytes(content)
    monkeypatch.setattr(build, "DOTNET_PACKAGE_FILE", package)

    assert build.main(["--check"]) == 1
    assert "make worker" in capsys.readouterr().err


def test_the_source_hash_knows_every_input(monkeypatch) -> None:
    sources = {"a.cs": "x", "b.cs": "y"}
    hashes = [
        build.hash_sources(sources),
        build.hash_sources({"a.cs": "x", "b.cs": "z"}),
        build.hash_sources({"a.cs": "x", "c.cs": "y"}),
        build.hash_sources({"a.cs": "xb.cs", "": "y"}),
    ]
    monkeypatch.setattr(build, "MCS_OPTIONS", ("-debug",))
    hashes.append(build.hash_sources(sources))
    monkeypatch.setattr(build, "LIBRARY_VERSION", "9.9.9")
    hashes.append(build.hash_sources(sources))

    assert len(set(hashes)) == len(hashes)


def test_the_sources_are_the_project_file_and_all_code_in_a_fixed_order() -> None:
    names = list(build.read_sources())

    assert names == sorted(names)
    assert {
        "DevKit/IWorker.cs",
        f"{WORKER_NAME}/{WORKER_NAME}.cs",
        f"{WORKER_NAME}/{WORKER_NAME}.csproj",
    } <= set(names)


def test_a_package_is_the_same_for_the_same_assembly() -> None:
    content = build.pack(b"MZ assembly", HASH)

    assert build.pack(b"MZ assembly", HASH) == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    names = [entry.filename for entry in entries]
    assert names == sorted(names)
    assert all(entry.date_time == (1980, 1, 1, 0, 0, 0) and not entry.extra for entry in entries)


def test_a_package_has_what_nuget_tools_look_for() -> None:
    with zipfile.ZipFile(io.BytesIO(build.pack(b"MZ assembly", HASH))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    metadata = ET.fromstring(members[f"{WORKER_NAME}.nuspec"])[0]
    texts = {re.sub("{.*}", "", item.tag): item.text for item in metadata}
    assert (texts["id"], texts["version"]) == (WORKER_NAME, package_version(HASH))
    assert members[f"lib/netstandard2.0/{WORKER_NAME}.dll"] == b"MZ assembly"
    relationship = ET.fromstring(members["_rels/.rels"])[0]
    assert relationship.get("Target") == f"/{WORKER_NAME}.nuspec"
    types = {item.get("Extension") for item in ET.fromstring(members["[Content_Types].xml"])}
    assert types == {name.rpartition(".")[2] for name in members} - {"xml"}
    assert read_nupkg(build.pack(b"MZ", HASH)).source_hash == HASH


def test_the_module_id_depends_on_the_content_alone() -> None:
    with zipfile.ZipFile(io.BytesIO(dotnet_package().content)) as archive:
        assembly = archive.read(f"lib/netstandard2.0/{WORKER_NAME}.dll")
    root = assembly.index(b"BSJB")
    header = assembly.index(b"#GUID\0", root) - 8
    start = root + int.from_bytes(assembly[header : header + 4], "little")
    by_chance = assembly[:start] + bytes(range(16)) + assembly[start + 16 :]

    assert build.settle_module_id(by_chance) == build.settle_module_id(assembly) == assembly
    with pytest.raises(build.BuildError, match=r"no \.NET assembly"):
        build.settle_module_id(b"MZ")


def test_without_a_compiler_it_says_what_to_install(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert build.main([]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "no C# compiler found" in output.err
    assert "apt-get install mono-mcs" in output.err


@pytest.mark.parametrize(
    ("sdks", "expected"),
    [
        ((), False),
        (("6.0.428 [/sdk]",), False),
        (("6.0.428 [/sdk]", "10.0.100-rc.1 [/sdk]"), True),
        (("8.0.100 [/sdk]",), True),
    ],
)
def test_an_sdk_counts_from_version_8(monkeypatch, tmp_path, sdks: tuple[str, ...], expected: bool) -> None:
    install_dotnet(monkeypatch, tmp_path / "bin", *sdks)

    assert build.has_dotnet_sdk() is expected


def test_with_an_sdk_the_project_is_published(monkeypatch, tmp_path) -> None:
    arguments = install_dotnet(monkeypatch, tmp_path / "bin", "8.0.100 [/sdk]")

    assert build.main([]) == 0
    command = arguments.read_text().split()
    assert command[0] == "publish"
    assert command[1].endswith(f"{WORKER_NAME}.csproj")
    assert f"-p:PackagePython={sys.executable}" in command


def test_the_target_of_the_project_packs_the_assembly(monkeypatch, tmp_path, capsys) -> None:
    project = ET.fromstring(build.read_sources()[f"{WORKER_NAME}/{WORKER_NAME}.csproj"])
    target = project.find("Target")
    assert (target.get("Name"), target.get("AfterTargets")) == ("PackageWorker", "Publish")
    assert "build.py" in target[0].get("Command")
    assert "--pack" in target[0].get("Command")
    assert project.findtext(".//TargetFramework") == "netstandard2.0"
    assert f"-langversion:{project.findtext('.//LangVersion')}" in build.MCS_OPTIONS

    assembly, package = tmp_path / "a.dll", tmp_path / "a.nupkg"
    assembly.write_bytes(b"MZ")
    monkeypatch.setattr(build, "DOTNET_PACKAGE_FILE", package)
    assert build.main(["--pack", str(assembly)]) == 0
    assert package.read_bytes() == build.pack(b"MZ", build.hash_sources(build.read_sources()))
    assert capsys.readouterr().out == ""


def test_the_code_uses_nothing_that_a_runtime_may_lack() -> None:
    # Cryptography and sockets load OpenSSL, tasks deadlock with a host in Python, and some collections are in
    # another assembly on each runtime.
    forbidden = (
        r"Cryptography|System\.Net|Threading\.Tasks|JsonReaderWriterFactory|\b(Queue|Stack|HashSet)<\w+>\("
    )
    for name, text in build.read_sources().items():
        assert not re.search(forbidden, text), name
