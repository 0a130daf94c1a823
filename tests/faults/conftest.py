"""Real processes for the schedules: both simulators and the embedded runtime, once for a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.machine import CLI, Machine, Venue
from tests.programs import programs, start_simulator


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Iterator[Machine]:
    folder: Path = tmp_path_factory.mktemp("machine")
    with programs(folder) as run:
        alpaca = start_simulator(run)
        binance = run(*CLI, "simulate", "binance", "--port", "0", "--ephemeral", "--rate", "300")
        runtime = run(*CLI, "runtime", "--ephemeral", "--grpc-port", "0", "--http-port", "0")
        url = binance.until(lambda line: "url" in line)["url"]
        dapr = runtime.until(lambda line: "grpc" in line)["grpc"]
        venues = {
            "alpaca": Venue.alpaca(alpaca["url"], alpaca["key"], alpaca["secret"]),
            "binance": Venue.binance(url),
        }
        yield Machine(run, folder, dapr, venues)
