"""Which connector speaks for a connection."""

from __future__ import annotations

import pytest

from virtufin_examples.connections import ConnectorRegistry, GenericConnector
from virtufin_examples.connections import _registry as module
from virtufin_examples.errors import InvalidInputError


class Venue(GenericConnector):
    name = "venue"

    def claims(self, url):
        return "venue.example" in url


class Point:
    def __init__(self, name, loaded) -> None:
        self.name = name
        self._loaded = loaded

    def load(self):
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


def test_by_name_else_by_url_else_generic():
    registry = ConnectorRegistry([Venue()])
    assert registry.choose("", "wss://venue.example/").name == "venue"
    assert registry.choose("", "wss://elsewhere.example/").name == "generic"
    assert registry.choose("venue", "ws://127.0.0.1/").name == "venue"
    assert registry.choose("generic", "wss://venue.example/").name == "generic"
    with pytest.raises(InvalidInputError, match=r"no 'venu', only generic, venue \(did you mean 'venue'"):
        registry.choose("venu", "wss://x/")


def test_a_plugin_that_cannot_be_loaded_does_not_stop_the_others(monkeypatch, capsys):
    points = [Point("broken", ImportError("no module")), Point("venue", Venue)]
    monkeypatch.setattr(module, "entry_points", lambda group: points)
    assert ConnectorRegistry.installed().names == ("generic", "venue")
    assert "broken" in "".join(capsys.readouterr())


def test_alpacas_connector_is_found():
    assert (
        ConnectorRegistry.installed().choose("", "wss://stream.data.alpaca.markets/v2/iex").name == "alpaca"
    )
