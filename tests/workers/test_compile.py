"""With a compiler at hand (`--ci`): what is checked in can be built anew."""

from __future__ import annotations

import pytest

from tests.workers.contract import WORKER_ID, event
from tests.workers.drivers import DotnetDriver
from tests.workers.variants import sources_without_send_raw
from workers import build


def test_two_builds_are_equal() -> None:
    sources = build.read_sources()

    assert build.compile_with_mcs(sources) == build.compile_with_mcs(sources)


def test_the_variant_compiles_and_sends_nothing(runtime: str, tmp_path) -> None:
    assembly = tmp_path / "variant.dll"
    assembly.write_bytes(build.compile_with_mcs(sources_without_send_raw()))
    calls = []

    with DotnetDriver.open(runtime, assembly) as worker:
        worker.new(WORKER_ID)
        command = event({"command": "send_raw", "id": "c-1", "message": ""})
        assert worker.process(command, lambda *call: calls.append(call))["data"]["success"] is True
    assert calls == []


def test_what_does_not_compile_is_an_error(capfd) -> None:
    with pytest.raises(build.BuildError, match="mcs failed with status 1"):
        build.compile_with_mcs({"a/b.cs": "class {"})

    output = capfd.readouterr()
    assert "b.cs(1," in output.err
    assert output.out == ""
