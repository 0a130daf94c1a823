"""`virtufin connectors`: what is installed, what is broken and why, and what each does."""

from __future__ import annotations

import pytest

from tests.cli.conftest import call
from virtufin_examples.connections import ConnectorRegistry
from virtufin_examples.errors import InvalidInputError

GOOD = """
from virtufin_examples.venues import Claim, Connector, ErrorRule, Disposition, Option, VenueLimits

class Good(Connector):
    name = "good"
    description = "a venue"
    own_options = (Option("depth", "levels of a book", "10"),)
    claimed = (Claim("wss://good.example/feed", "ticks"),)
    handshake = "login, then join."
    errors = (ErrorRule("E7", "too many", Disposition.WAIT, 30.0),)

    def claims(self, url):
        return "good.example" in url

    def limits(self, url, options):
        return VenueLimits(scope="good", sockets=2, symbols=7)

class Alpaca(Good):
    name = "alpaca"

class Other(Good):
    name = "another"

class Rude(Good):
    name = "rude"

    def claims(self, *asked):
        raise RuntimeError("rude")

    limits = claims

class NoConnector:
    name = "noconnector"
"""
ENTRY_POINTS = """
[virtufin.connectors]
good = plugins:Good
alpaca = plugins:Alpaca
mismatch = plugins:Other
rude = plugins:Rude
noconnector = plugins:NoConnector
absent = no_such_module:Connector
leaver = leaver:Connector
"""


@pytest.fixture(autouse=True)
def plugins(tmp_path, monkeypatch):
    """A package with connectors of every kind, installed as far as metadata can tell."""
    site = tmp_path / "site"
    info = site / "venue_plugins-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "plugins.py").write_text(GOOD)
    (site / "leaver.py").write_text("raise SystemExit('no licence')")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: venue-plugins\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(site))


def listed():
    lines = call("connectors", "list", "--json").lines
    assert {line["event"] for line in lines} == {"connector"}
    return lines


def test_the_list_names_each_connector_with_its_package_and_version():
    found = {(line["name"], line["package"], line["version"]) for line in listed() if line["status"] == "ok"}
    assert {(name, package) for name, package, _ in found} == {
        ("alpaca", "virtufin-examples"),
        ("binance", "virtufin-examples"),
        ("generic", "virtufin-examples"),
        ("good", "venue-plugins"),
        ("rude", "venue-plugins"),
    }
    assert ("good", "venue-plugins", "1.2") in found


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("absent", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("leaver", "SystemExit: no licence"),
        ("noconnector", "plugins:NoConnector is no virtufin_examples.venues.Connector but NoConnector"),
        ("mismatch", "the entry point is named 'mismatch', the connector 'another'"),
        ("alpaca", "the name 'alpaca' is taken by virtufin-examples 0.1.0"),
    ],
)
def test_a_broken_plugin_is_listed_with_the_reason(name, problem):
    (broken,) = [line for line in listed() if line["name"] == name and line["status"] == "broken"]
    assert (broken["problem"], broken["package"]) == (problem, "venue-plugins")
    assert problem in call("connectors", "list").out


def test_a_broken_plugin_harms_no_other_and_who_names_it_learns_why(capsys):
    registry = ConnectorRegistry.installed()
    assert registry.choose("", "wss://good.example/").name == "good"
    assert registry.choose("alpaca", "wss://x/").description.startswith("Alpaca")
    assert registry.choose("", "wss://nobody.example/").name == "generic"  # `rude` was asked before
    with pytest.raises(InvalidInputError, match=r"'absent' is installed but cannot be used: Module.*list"):
        registry.choose("absent", "wss://x/")
    assert "no licence" in "".join(capsys.readouterr())


def test_a_description_has_urls_limits_options_handshake_and_errors():
    (about,) = call("connectors", "describe", "good", "--json").lines
    assert about["urls"] == [
        {"url": "wss://good.example/feed", "carries": "ticks", "limits": {"sockets": 2, "symbols": 7}}
    ]
    assert about["handshake"] == "login, then join."
    assert {"name": "depth", "default": "10", "meaning": "levels of a book"} in about["options"]
    assert "redundancy" in [option["name"] for option in about["options"]]
    rules = {rule["error"]: (rule["disposition"], rule["wait_seconds"]) for rule in about["errors"]}
    assert rules["E7"] == ("wait", 30.0)
    assert rules["HTTP 401"] == ("permanent", 0.0)
    text = call("connectors", "describe", "good").out
    for part in ("good 1.2 (venue-plugins)", "2 sockets; 7 symbols a socket", "30 s", "levels of a book"):
        assert part in text


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("absent", 1, "cannot be used: ModuleNotFoundError"),
        ("rude", 1, "failed when it was asked: RuntimeError: rude"),
        ("godd", 2, "NAME is 'godd'"),
    ],
)
def test_what_cannot_be_described_is_an_error_with_the_reason(name, status, words):
    done = call("connectors", "describe", name, "--json")
    assert (done.status, words in done.error["message"]) == (status, True)
    assert done.error["hint"]


@pytest.mark.parametrize("name", ["alpaca", "binance"])
def test_our_own_connectors_claim_what_they_say(name):
    (about,) = call("connectors", "describe", name, "--json").lines
    registry = ConnectorRegistry.installed()
    assert len(about["urls"]) >= 8
    assert {registry.choose("", url["url"]).name for url in about["urls"]} == {name}
    assert all(url["limits"] for url in about["urls"])
    assert about["handshake"]


def test_alpacas_description_has_every_code_of_its_protocol():
    (about,) = call("connectors", "describe", "alpaca", "--json").lines
    rules = {rule["error"]: rule["disposition"] for rule in about["errors"]}
    assert {str(code) for code in (*range(400, 414), 500)} <= rules.keys()
    assert (rules["402"], rules["406"], rules["HTTP 429"]) == ("permanent", "wait", "wait")
