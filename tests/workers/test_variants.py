"""The checked-in variant without `send_raw` is what it says."""

from __future__ import annotations

import pytest

from tests.workers.conftest import unpack_assembly
from tests.workers.contract import WORKER_ID, event
from tests.workers.drivers import DotnetDriver
from tests.workers.variants import WITHOUT_SEND_RAW, sources_without_send_raw
from virtufin_examples.worker_packages import dotnet_package, read_nupkg
from workers import build

SEND = {"command": "send_raw", "id": "c-1", "message": "YXV0aA=="}
MANY = [{"command": "create", "url": "u"}, SEND, {"command": "subscribe", "id": "c-1", "params": ["a"]}]


def methods_called(assembly, runtime: str) -> list[str]:
    calls = []

    def gateway(_service: str, method: str, _request: str) -> str:
        calls.append(method)
        return '{"id":"c-1"}'

    with DotnetDriver.open(runtime, assembly) as worker:
        worker.new(WORKER_ID)
        for command in MANY:
            data = worker.process(event(command), gateway)["data"]
            assert (data["success"], data["id"]) == (True, "c-1")
    return calls


def test_the_variant_is_built_from_the_sources_of_today() -> None:
    packed = read_nupkg(WITHOUT_SEND_RAW.read_bytes())

    assert packed.source_hash == build.hash_sources(sources_without_send_raw()), (
        "stale: run `python -m tests.workers.variants`"
    )
    assert packed.source_hash != dotnet_package().source_hash


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        (lambda: dotnet_package().content, ["Connect", "SendRaw", "SendRaw"]),
        (WITHOUT_SEND_RAW.read_bytes, ["Connect", "SendRaw"]),
    ],
    ids=["the worker", "the variant"],
)
def test_only_the_variant_sends_nothing(runtime: str, tmp_path, package, expected: list[str]) -> None:
    assert methods_called(unpack_assembly(package(), tmp_path), runtime) == expected
