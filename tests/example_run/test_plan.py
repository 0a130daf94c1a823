from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from virtufin_examples.client import ClientSettings, EmbeddedSimulator, FeedSettings
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.example_run._options import Options, Upstream
from virtufin_examples.example_run._plan import at_simulator, credentials_for, make_plan

SETTINGS = FeedSettings(
    url="wss://stream.data.alpaca.markets/v2/iex", channel="trades", symbols=("AAPL",), topic="t"
)
OPTIONS = Options(Path("s.json"), None, None, "auto", Upstream.AUTO, "", None, keep=False)
SIMULATOR = EmbeddedSimulator(url="ws://127.0.0.1:9", control="http://127.0.0.1:8", key="k", secret="s")


def client(monkeypatch: pytest.MonkeyPatch, *, keys: bool = False, url: str = "") -> ClientSettings:
    for name in ("ALPACA_API_KEY", "ALPACA_API_SECRET"):
        monkeypatch.setenv(name, "x" if keys else "")
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("VIRTUFIN_API_URL", url)
    return ClientSettings.load()


@pytest.mark.parametrize(
    ("wanted", "gateway", "keys", "simulated"),
    [
        (Upstream.AUTO, "", False, True),
        (Upstream.AUTO, "", True, False),
        (Upstream.AUTO, "h:1", False, False),
        (Upstream.AUTO, "h:1", True, False),
        (Upstream.LIVE, "h:1", False, False),
        (Upstream.LIVE, "", True, False),
        (Upstream.SIMULATOR, "", True, True),
        (Upstream.SIMULATOR, "h:1", True, True),
    ],
)
def test_upstream(
    wanted: Upstream, gateway: str, keys: bool, simulated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dataclasses.replace(OPTIONS, upstream=wanted)
    plan = make_plan(options, SETTINGS, client(monkeypatch, keys=keys, url=gateway))
    assert plan.simulated is simulated
    assert plan.own_platform is (gateway == "")


def test_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    options = dataclasses.replace(OPTIONS, gateway="flag:1")
    assert make_plan(options, SETTINGS, client(monkeypatch, url="env:2")).gateway == "flag:1"


@pytest.mark.parametrize("gateway", ["host:99999", "host:x", "https://host"])
def test_gateway_that_is_no_address_is_wrong_usage(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="gateway address"):
        make_plan(dataclasses.replace(OPTIONS, gateway=gateway), SETTINGS, client(monkeypatch))


def test_live_without_keys_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="ALPACA_API_KEY and ALPACA_API_SECRET"):
        make_plan(dataclasses.replace(OPTIONS, upstream=Upstream.LIVE), SETTINGS, client(monkeypatch))


def test_keeping_a_feed_needs_a_platform_that_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="virtufin up"):
        make_plan(dataclasses.replace(OPTIONS, keep=True), SETTINGS, client(monkeypatch))


def test_feed_from_a_simulator_that_ends_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    options = dataclasses.replace(OPTIONS, keep=True, upstream=Upstream.SIMULATOR)
    with pytest.raises(InvalidInputError, match="virtufin simulate alpaca"):
        make_plan(options, SETTINGS, client(monkeypatch, url="h:1"))


def test_simulator_takes_the_venues_place_at_the_same_path() -> None:
    settings = at_simulator(SETTINGS, SIMULATOR)
    assert settings.url == "ws://127.0.0.1:9/v2/iex"
    assert settings.connector == "alpaca"
    assert settings.venue is SETTINGS.venue


def test_keys_are_references_save_for_the_simulators_on_a_foreign_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = make_plan(OPTIONS, SETTINGS, client(monkeypatch))
    foreign = make_plan(
        dataclasses.replace(OPTIONS, upstream=Upstream.SIMULATOR),
        SETTINGS,
        client(monkeypatch, url="h:1"),
    )
    assert credentials_for(own, None).key == "${secret:alpaca/key}"
    assert credentials_for(own, SIMULATOR).key == "${secret:alpacasim/key}"
    verbatim = credentials_for(foreign, SIMULATOR)
    assert (verbatim.key, verbatim.secret, verbatim.secrets) == ("k", "s", False)


def test_binance_needs_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = FeedSettings(
        url="wss://stream.binance.com:9443/stream", channel="trade", symbols=("BTCUSDT",), topic="t"
    )
    live = make_plan(
        dataclasses.replace(OPTIONS, upstream=Upstream.LIVE), settings, client(monkeypatch, keys=False)
    )
    assert not live.simulated
    assert make_plan(OPTIONS, settings, client(monkeypatch, keys=True)).simulated
    assert credentials_for(make_plan(OPTIONS, settings, client(monkeypatch)), SIMULATOR).secrets


def test_faults_are_the_simulators(monkeypatch: pytest.MonkeyPatch) -> None:
    options = dataclasses.replace(OPTIONS, faults=7)
    assert make_plan(options, SETTINGS, client(monkeypatch)).simulated
    with pytest.raises(InvalidInputError, match="--faults 7: only a simulator has them"):
        make_plan(options, SETTINGS, client(monkeypatch, url="h:1"))
