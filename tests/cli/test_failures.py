"""Status 1: it failed; 2: wrong usage or input. The message names what is wrong and how to mend it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import TOPIC, Platform, call
from tests.client.recording_parts import write_recording

NOBODY = "127.0.0.1:1"


@pytest.mark.parametrize(
    "arguments",
    [
        ("feed", "stop", "nobody"),
        ("workers", "start", "nobody"),
        ("workers", "stop", "nobody"),
        ("workers", "delete", "nobody"),
        ("workers", "history", "nobody"),
        ("connections", "disconnect", "nobody"),
        ("status", "nobody"),
    ],
    ids=" ".join,
)
def test_an_unknown_id_is_status_1_and_named(platform: Platform, arguments: tuple[str, ...]) -> None:
    done = platform.call(*arguments)
    assert (done.status, done.out) == (1, "")
    assert "nobody" in done.err
    done = platform.call(*arguments, "--json")
    assert (done.status, done.error["event"], done.error["code"]) == (1, "error", "NOT_FOUND")


@pytest.mark.parametrize(
    "arguments",
    [
        ("feed", "list"),
        ("workers", "list"),
        ("connections", "list"),
        ("subscribe", "ticks"),
        ("record", "ticks", "a.rec"),
    ],
    ids=" ".join,
)
def test_a_gateway_that_is_not_there_is_status_1_and_named(arguments: tuple[str, ...]) -> None:
    done = call(*arguments, "--gateway", NOBODY)
    assert (done.status, NOBODY in done.err) == (1, True)
    assert "fix: " in done.err
    assert not Path("a.rec").exists()


def test_a_gateway_that_is_not_there_is_the_first_broken_link() -> None:
    done = call("status", "--gateway", NOBODY)
    assert done.status == 1
    assert done.out.splitlines()[-1].startswith(
        f"the platform is broken at the gateway: gateway {NOBODY}: connection refused"
    )
    done = call("status", "ticks", "--gateway", NOBODY, "--json")
    assert (done.status, done.lines[-1]["broken"], done.lines[-1]["feed"]) == (1, "gateway", "ticks")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("feed", "start"), "Missing argument"),
        (("record", "ticks"), "Missing argument"),
        (("replay",), "Missing argument"),
        (("nonsense",), "No such command"),
        (("subscribe", "ticks", "--count", "-1"), "--count"),
        (("status", "--seconds", "0"), "--seconds"),
        (("subscribe", "a b"), "topic is 'a b'"),
        (("subscribe", ""), "topic is ''"),
        (("workers", "create", "none.py", "--topic", "t"), "none.py"),
        (("workers", "create", "worker.exe", "--topic", "t"), "worker.exe"),
        (("workers", "create", "worker.py"), "--topic"),
        (("feed", "list", "--nonsense"), "No such option"),
        (("feed", "list", "--gateway", "https://x"), "gateway address"),
    ],
)
def test_wrong_usage_is_status_2(arguments: tuple[str, ...], text: str) -> None:
    done = call(*arguments)
    assert (done.status, text in done.err) == (2, True)


@pytest.mark.parametrize("name", ["VIRTUFIN_GATEWAY_GRPC_PORT", "VIRTUFIN_DOTNET_RUNTIME"])
def test_a_wrong_variable_is_status_2_and_named(name: str) -> None:
    done = call("up", **{name: "nonsense"})
    assert (done.status, name in done.err, "nonsense" in done.err) == (2, True, True)


SETTINGS = {
    "url": "wss://stream.data.alpaca.markets/v1beta3/crypto/us",
    "channel": "orderbooks",
    "symbols": ["BTC/USD"],
    "topic": TOPIC,
}


@pytest.mark.parametrize("command", [("check",), ("feed", "start")], ids=" ".join)
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"channel": "orderboks"}, "orderbooks"),
        ({"symbols": []}, "symbols"),
        ({"url": "wss://example.com"}, "url"),
        ({"topic": ""}, "topic"),
        ({"colour": "red"}, "colour"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_settings_are_status_2_and_the_field_is_named(command, change: dict, text: str) -> None:
    Path("feed.json").write_text(json.dumps({**SETTINGS, **change}))
    done = call(*command, "feed.json")
    assert (done.status, text in done.err) == (2, True)
    done = call(*command, "feed.json", "--json")
    assert (done.status, done.error["code"]) == (2, "INVALID_ARGUMENT")


def test_settings_that_are_right_are_told_so() -> None:
    Path("feed.json").write_text(json.dumps(SETTINGS))
    done = call("check", "feed.json", "--json")
    assert (done.status, done.lines[0]["ok"], done.lines[0]["topic"]) == (0, True, TOPIC)
    assert "ok (1 symbols" in call("check", "feed.json").out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--encoding", "json"), "--encoding is 'json'"),
        (("--speed", "-1"), "speed is -1.0"),
        (("--speed", "2", "--credit"), "exclude each other"),
    ],
)
def test_a_replay_that_cannot_be_is_status_2(arguments: tuple[str, ...], text: str) -> None:
    write_recording(Path("a.rec"))
    done = call("replay", "a.rec", *arguments)
    assert (done.status, text in done.err) == (2, True)


def test_a_file_that_is_no_recording_is_status_2_and_left_alone(platform: Platform) -> None:
    Path("notes.txt").write_text("not a recording")
    for arguments in (("replay", "notes.txt"), ("record", TOPIC, "notes.txt")):
        done = platform.call(*arguments)
        assert (done.status, "is no recording" in done.err) == (2, True)
    assert Path("notes.txt").read_text() == "not a recording"
    assert platform.call("replay", "none.rec").status == 1
