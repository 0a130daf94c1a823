"""Wrong input and wrong surroundings are refused with the reason, and nothing stays behind."""

from __future__ import annotations

import json
import signal
import socket

import pytest

from tests.e2e.conftest import ROOT, SCRIPT

EXAMPLE = json.loads((ROOT / "settings" / "settings.alpaca.json").read_text())


def test_wrong_keys_are_shown_as_alpacas_402_without_a_retry(
    start, simulator, simulator_environment, settings_file
):
    environment = {**simulator_environment, "ALPACA_API_SECRET": "not-the-secret"}
    run = start(SCRIPT, "--json", "--upstream", "live", "--settings", settings_file, **environment)
    assert run.end() == 1
    said = "".join(run.stderr)
    assert "402" in said
    assert "not-the-secret" not in said + json.dumps(run.lines)
    names = [line["step"] for line in run.events("step") if line["ok"]]
    assert names[-3:] == ["delete worker", "list", "ListWorkers"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"channel": "orderbook"}, ("channel", "orderbook", "orderbooks")),
        ({"channel": "statuses"}, ("channel", "statuses")),
        ({"symbols": []}, ("symbols",)),
        ({"symbols": ["BTC/USD", "BTC/USD"]}, ("symbols", "BTC/USD")),
        ({"symbols": "BTC/USD"}, ("symbols", "BTC/USD")),
        ({"chanel": "trades"}, ("chanel", "channel")),
        ({"url": "http://example.com"}, ("url", "http://example.com")),
    ],
)
def test_wrong_settings_are_refused_before_anything_starts(start, tmp_path, change, words):
    file = tmp_path / "bad.json"
    file.write_text(json.dumps({**EXAMPLE, **change}))
    run = start(SCRIPT, "--json", "--settings", file)
    assert run.end() == 2
    said = "".join(run.stderr)
    assert all(word in said for word in ("bad.json", *words)), said
    assert not run.lines


def test_settings_that_are_no_json_name_line_and_column(start, tmp_path):
    file = tmp_path / "bad.json"
    file.write_text('{\n  "url": oops\n}')
    run = start(SCRIPT, "--json", "--settings", file)
    assert run.end() == 2
    assert "line 2" in "".join(run.stderr)
    assert "column 10" in "".join(run.stderr)


def test_half_a_pair_of_keys_names_the_other_half(start):
    run = start(SCRIPT, "--json", ALPACA_API_KEY="only-this")
    assert run.end() == 2
    assert "ALPACA_API_SECRET" in "".join(run.stderr)
    assert "only-this" not in "".join(run.stderr)


def test_a_gateway_that_is_not_there_is_named(start):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    run = start(SCRIPT, "--json", "--upstream", "simulator", VIRTUFIN_API_URL=f"127.0.0.1:{port}")
    assert run.end() == 1
    assert f"127.0.0.1:{port}" in "".join(run.stderr)
    assert "refused" in "".join(run.stderr)


def test_a_taken_port_is_named_with_its_setting(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = start(
            "-m",
            "virtufin_examples.cli",
            "up",
            VIRTUFIN_GATEWAY_GRPC_PORT="0",
            VIRTUFIN_GATEWAY_HTTP_PORT="0",
            VIRTUFIN_RUNTIME_GRPC_PORT=str(port),
            VIRTUFIN_RUNTIME_HTTP_PORT="0",
        )
        assert run.end() == 1
    assert str(port) in "".join(run.stderr)
    assert "VIRTUFIN_RUNTIME_GRPC_PORT" in "".join(run.stderr)


@pytest.mark.parametrize("step", ["create worker", "start worker", "subscribe", "create", "publish", "list"])
def test_ctrl_c_after_any_step_cleans_up(start, step):
    run = start(SCRIPT, "--json", "--engine", "python")
    run.until(lambda line: line.get("step") == step)
    status = run.end(signal.SIGINT)
    assert status in (0, 1, 130)
    assert "Traceback" not in "".join(run.stderr)
