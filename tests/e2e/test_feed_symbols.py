"""`virtufin feed symbols`: a feed that runs is changed from outside, and says why not."""

from __future__ import annotations

import json

from tests.e2e.conftest import control
from tests.programs import Program, start_binance_simulator

CLI = ("-m", "virtufin_examples.cli")


def test_an_alpaca_feed_gets_a_symbol_more_and_one_less(start, simulator, platform, settings_file):
    environment = {"VIRTUFIN_API_URL": platform["gateway"]}
    started = start(*CLI, "feed", "start", settings_file, "--engine", "python", "--json", **environment)
    assert started.end() == 0, "".join(started.stderr)
    run_id = started.lines[-1]["run"]

    def symbols(*arguments: str) -> Program:
        program = start(*CLI, "feed", "symbols", *arguments, "--json", **environment)
        program.end()
        return program

    assert symbols("add", run_id, "SOL/USD").lines == [
        {"event": "symbols", "feed": run_id, "added": ["SOL/USD"], "removed": [], "unchecked": ""}
    ]
    assert books(simulator) == ["BTC/USD", "ETH/USD", "SOL/USD"]
    assert symbols("remove", "books", "BTC/USD").lines[-1]["removed"] == ["BTC/USD"]
    assert books(simulator) == ["ETH/USD", "SOL/USD"]

    for arguments, words in (
        (("add", "nowhere", "X"), ("nowhere", run_id)),
        (("remove", run_id, "ETH/US"), ("ETH/US", "ETH/USD")),
        (("remove", run_id, "ETH/USD", "SOL/USD"), ("none would be left",)),
    ):
        refused = symbols(*arguments)
        assert refused.process.returncode != 0
        said = "".join(refused.stderr) + json.dumps(refused.lines)
        assert all(word in said for word in words), said
    assert books(simulator) == ["ETH/USD", "SOL/USD"]


def books(simulator: dict) -> list[str]:
    (connection,) = control(simulator, "state")["connections"]
    return connection["subscriptions"]["orderbooks"]


def test_a_binance_feed_refuses_what_is_not_traded_and_spreads_the_rest(start, platform, tmp_path):
    binance = start_binance_simulator(start)
    file = tmp_path / "pairs.json"
    file.write_text(
        json.dumps(
            {
                "url": f"{binance['url']}/stream",
                "connector": "binance",
                "channel": "trade",
                "symbols": ["BTCUSDT", "ETHUSDT", "SOLUSDT"],
                "symbols_a_connection": 2,
                "topic": "trades-{run_id}",
            }
        )
    )
    environment = {"VIRTUFIN_API_URL": platform["gateway"]}
    started = start(*CLI, "feed", "start", file, "--engine", "python", "--json", **environment)
    assert started.end() == 0, "".join(started.stderr)
    topic = started.lines[-1]["topic"]
    assert topic == f"trades-{started.lines[-1]['run']}"

    refused = start(*CLI, "feed", "symbols", "add", topic, "XRPUSDT", "NOSUCH", "--json", **environment)
    assert refused.end() != 0
    assert '"NOSUCH\\" is not traded' in "".join(refused.stderr)
    added = start(*CLI, "feed", "symbols", "add", topic, "XRPUSDT", "ADAUSDT", "--json", **environment)
    assert added.end() == 0, "".join(added.stderr)
    streams = [len(each["streams"]) for each in control(binance, "state")["connections"]]
    assert sorted(streams) == [2, 3]
